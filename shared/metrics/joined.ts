import AggregatorRegistry from "prom-client/lib/cluster.js";
import type { MetricsJson } from "./metric-set.ts";

/** Of {@link joined}. */
export const METRICS_CONTENT_TYPE: string = AggregatorRegistry.PROMETHEUS_CONTENT_TYPE;

/** The metrics of several threads as one text for Prometheus. Where two have the same name, their labels differ. */
export async function joined(threads: readonly MetricsJson[]): Promise<string> {
  return await AggregatorRegistry.aggregate([...threads]).metrics();
}
