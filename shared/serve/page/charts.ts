import { size } from "../../human.ts";
import type { NodeDocument } from "../../plan/health.ts";
import type { HistoryView } from "../history.ts";
import { foreign, html } from "./html.ts";
import type { Html } from "./html.ts";
import { lineChart } from "./line-chart.ts";
import type { Series } from "./line-chart.ts";
import { lagScale, rateScale, sizeScale } from "./scale.ts";
import { Window, peakOf } from "./window.ts";
import { counted, rateText } from "./words.ts";

/** Lines that can still be told apart. */
const MAX_LINES = 5;

/** Lag over time: of this node, if it is a replica, and of those that ask it; of many the worst, and a band for the rest. */
export function lagChart(node: NodeDocument, history: HistoryView): Html {
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
          values: window.timesMs.map((_, index) => peakOf(rest.map(({ values }) => values[index]!))),
        };
  const all = others === null ? series : [...series, others];
  if (all.length === 0)
    return html`<p class="none">No replica has asked this node yet: there is no lag to show.</p>`;
  const peaks = all.map(({ values }) => peakOf(values));
  const scale = lagScale(peaks);
  const worstNow = peakOf(all.map(({ values }) => values.at(-1)!));
  return lineChart({
    id: "lag-chart",
    summary: `Lag over time. Now at most ${scale.textOf(worstNow)}; highest in the time shown ${scale.textOf(peakOf(peaks))}.${
      scale.isLogarithmic ? " Logarithmic scale." : ""
    }`,
    timesMs: window.timesMs,
    series,
    others,
    scale,
    isFilled: false,
  });
}

interface FedLag {
  readonly id: string;
  readonly values: readonly number[];
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
    series: [{ name: "log", values }],
    others: null,
    scale: sizeScale(peak),
    isFilled: true,
  });
}
