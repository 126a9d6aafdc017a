import { counted, size } from "../../human.ts";
import type { NodeDocument } from "../../plan/health.ts";
import type { HistoryView } from "../history.ts";
import { foreign } from "./html.ts";
import type { Html } from "./html.ts";
import { lineChart } from "./line-chart.ts";
import type { Series } from "./line-chart.ts";
import { lagScale, rateScale, sizeScale } from "./scale.ts";
import { Window, peakOf } from "./window.ts";
import { rateText } from "./words.ts";

/** Lines that can still be told apart. */
const MAX_LINES = 5;

/**
 * Lag over time: of this node, if it is a replica, and of those that ask it; of many the worst, and a band for the rest.
 *
 * @returns null where there is nobody who could lag
 */
export function lagChart(node: NodeDocument, history: HistoryView): Html | null {
  const window = new Window(history, node.nowMs);
  const own: readonly Series[] =
    node.role === "replica"
      ? [{ name: "this replica", values: window.highest(history.ownLagSeconds, node.lag?.seconds) }]
      : [];
  const fed = fedLags(node, history, window);
  const room = MAX_LINES - own.length;
  const worst = new Set(
    fed.length <= room
      ? fed
      : fed.toSorted((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1)).slice(0, room),
  );
  // In the order of their ids: a line keeps its colour when another becomes worse.
  const series = [
    ...own,
    ...fed.filter((lag) => worst.has(lag)).map(({ id, values }) => ({ name: foreign(id), values })),
  ];
  const rest = fed.filter((lag) => !worst.has(lag));
  const others: Series | null =
    rest.length === 0
      ? null
      : {
          name: `${counted(rest.length, "other")}, at most`,
          values: highestOf(rest.map(({ values }) => values)),
        };
  const all = others === null ? series : [...series, others];
  if (all.length === 0) return null;
  const peaks = all.map(({ values }) => peakOf(values));
  const scale = lagScale(peaks);
  const worstNow = peakOf(all.map(({ values }) => values.at(-1)!));
  return lineChart({
    id: "lag-chart",
    summary: `Lag over time. Now at most ${scale.textOf(worstNow)}; highest in the time shown ${scale.textOf(peakOf(peaks))}.${
      scale.isLogarithmic ? " Logarithmic scale." : ""
    }`,
    timesMs: window.timesMs,
    spanMs: window.spanMs,
    series,
    others,
    scale,
    isFilled: false,
  });
}

/** At each point the highest of many lines. */
function highestOf(lines: readonly Float64Array[]): Float64Array {
  const highest = lines[0]!.slice();
  for (const line of lines) {
    for (let index = 0; index < line.length; index++) {
      const value = line[index]!;
      // Also where nothing is known yet: a comparison with NaN is never true.
      if (!(value <= highest[index]!) && !Number.isNaN(value)) highest[index] = value;
    }
  }
  return highest;
}

interface FedLag {
  readonly id: string;
  readonly values: Float64Array;
  /** What decides whether it is drawn by itself. */
  readonly weight: number;
}

function fedLags({ replicas }: NodeDocument, history: HistoryView, window: Window): readonly FedLag[] {
  const now = new Map(replicas.map(({ id, lagSeconds }) => [id, lagSeconds]));
  const ids = [...new Set([...now.keys(), ...history.lagSeconds.keys()])].toSorted();
  return ids
    .map((id) => {
      const values = window.highest(history.lagSeconds.get(id), now.get(id));
      const peak = peakOf(values);
      return { id, values, weight: Number.isNaN(peak) ? -1 : peak };
    })
    .filter(({ id, weight }) => weight >= 0 || now.has(id));
}

/** Commits, or on a replica what it applied, in a second. */
export function rateChart(node: NodeDocument, history: HistoryView): Html {
  const window = new Window(history, node.nowMs);
  const newest = history.commitsPerSecond.at(-1);
  const values = window.highest(history.commitsPerSecond, newest);
  const scale = rateScale(peakOf(values));
  const name = node.role === "primary" ? "commits" : "transactions applied";
  return lineChart({
    id: "rate-chart",
    summary: `${name} in a second. Now ${scale.textOf(newest ?? Number.NaN)}; highest in the time shown ${rateText(peakOf(values) || 0)}.`,
    timesMs: window.timesMs,
    spanMs: window.spanMs,
    series: [{ name, values }],
    others: null,
    scale,
    isFilled: true,
  });
}

/** Bytes of the log. */
export function logChart(node: NodeDocument, history: HistoryView): Html {
  const window = new Window(history, node.nowMs);
  const values = window.highest(history.logBytes, node.log?.sizeBytes);
  const peak = peakOf(values);
  return lineChart({
    id: "log-chart",
    summary: `Size of the log. Now ${node.log === null ? "unknown" : size(node.log.sizeBytes)}; highest in the time shown ${size(Number.isNaN(peak) ? 0 : peak)}.`,
    timesMs: window.timesMs,
    spanMs: window.spanMs,
    series: [{ name: "log", values }],
    others: null,
    scale: sizeScale(peak),
    isFilled: true,
  });
}
