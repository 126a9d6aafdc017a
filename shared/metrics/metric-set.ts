import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";
import type { GaugeConfiguration } from "prom-client";

/** A thread's metrics as they go to another thread: what prom-client's `Registry.getMetricsAsJSON` gives. */
export type MetricsJson = readonly object[];

type Value = number | null | undefined;

/** Samples of one metric, each with the values of its labels, in the order of the label names. */
export type Samples = Iterable<readonly [labels: readonly (string | number)[], value: Value]>;

/** What a metric is: for the documentation, and for the tests that compare it with the code. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

/**
 * The metrics of one thread of one node, in a register of their own: several nodes may live in one process.
 *
 * There are two kinds. What is counted where it happens (`counter`, `histogram`) is kept here. What the node's document
 * says anyway (`gauge`, `tally`) is read from that document when somebody asks, so that there is one truth. What is null
 * there has no sample, never a 0.
 */
export class MetricSet<Document> {
  private readonly registry = new Registry();
  private readonly defined: MetricDefinition[] = [];
  private document: Document | null = null;

  get definitions(): readonly MetricDefinition[] {
    return this.defined;
  }

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    this.note("counter", name, help, labelNames);
    return new Counter<L>({ name, help, labelNames, registers: [this.registry] });
  }

  /** @param buckets upper bounds, ascending */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    this.note("histogram", name, help);
    return new Histogram({ name, help, buckets: [...buckets], registers: [this.registry] });
  }

  /** A counter that the document keeps. */
  tally(name: string, help: string, read: (document: Document) => Value): void {
    this.note("counter", name, help);
    const show = (metric: Counter): void => {
      const value = this.read(read);
      metric.reset();
      if (value === null) metric.remove({});
      else metric.inc(value);
    };
    this.registry.registerMetric(new Counter({ name, help, registers: [], collect: collectBy(show) }));
  }

  gauge(name: string, help: string, read: (document: Document) => Value): void {
    this.level(name, help, () => this.read(read));
  }

  /** A gauge of something that no document has. Read when somebody asks: what it shows may be a plain field. */
  level(name: string, help: string, read: () => Value): void {
    this.note("gauge", name, help);
    const show = (metric: Gauge): void => {
      const value = read();
      if (isNumber(value)) metric.set(value);
      else metric.remove({});
    };
    this.register({ name, help, labelNames: [], collect: collectBy(show) });
  }

  gauges(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (document: Document) => Samples,
  ): void {
    this.levels(name, help, labelNames, () => (this.document === null ? [] : read(this.document)));
  }

  /** As {@link level}, with labels. */
  levels(name: string, help: string, labelNames: readonly string[], read: () => Samples): void {
    this.note("gauge", name, help, labelNames);
    const show = (metric: Gauge): void => {
      metric.reset();
      for (const [labels, value] of read()) {
        if (!isNumber(value)) continue;
        const named = labelNames.map((label, index) => [label, labels[index]] as const);
        metric.set(Object.fromEntries(named), value);
      }
    };
    this.register({ name, help, labelNames, collect: collectBy(show) });
  }

  /** All of it as of now. @param document null where the node cannot tell: what is counted here is told all the same */
  async json(document: Document | null): Promise<MetricsJson> {
    this.document = document;
    return await this.registry.getMetricsAsJSON();
  }

  private register(
    gauge: Pick<GaugeConfiguration<string>, "name" | "help" | "labelNames" | "collect">,
  ): void {
    // Of a gauge there is one in a node: where two threads have the same labels, a sum would mean nothing.
    this.registry.registerMetric(new Gauge({ ...gauge, aggregator: "first", registers: [] }));
  }

  private read(read: (document: Document) => Value): number | null {
    const value = this.document === null ? null : read(this.document);
    return isNumber(value) ? value : null;
  }

  private note(
    type: MetricDefinition["type"],
    name: string,
    help: string,
    labels: readonly string[] = [],
  ): void {
    this.defined.push({ name, type, labels, help });
  }
}

/** prom-client hands the metric over as `this`. */
function collectBy<M>(show: (metric: M) => void): (this: M) => void {
  return function collect(this: M): void {
    show(this);
  };
}

function isNumber(value: Value): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** Unix ms as the Unix seconds that Prometheus wants. */
export function secondsOf(ms: Value): Value {
  return isNumber(ms) ? ms / 1000 : null;
}
