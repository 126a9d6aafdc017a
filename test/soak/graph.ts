import { amountOf } from "./amount.ts";
import type { Finding, Journal } from "./journal.ts";
import { MEASURES, MEASURE_NAMES } from "./measures.ts";
import type { MeasureName, Unit } from "./measures.ts";
import type { Series } from "./verdict.ts";

const COLUMNS = 2;
const PANEL_WIDTH = 600;
const PANEL_HEIGHT = 200;
const GAP = 24;
const HEAD_HEIGHT = 92;
/** Within a panel: around the plot. */
const PLOT = { left: 74, top: 44, width: 510, height: 130 } as const;

const STYLE = `
  :root { color-scheme: light dark; --paper: #fff; --ink: #14191d; --dim: #56616b; --grid: #e3e6e8; --shade: #f1f3f4; --bad: #c02626;
    --c0: #0f7f77; --c1: #7a42d6; --c2: #c2500c; --c3: #1f62c0; --c4: #8a949d; --c5: #b8246f; --c6: #7c6a00; }
  @media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e8ebed; --dim: #9ba6b0; --grid: #2b3238; --shade: #1b2026;
    --bad: #f5807a; --c0: #35c4b8; --c1: #b193f8; --c2: #f59a52; --c3: #74a9f7; --c4: #67727c; --c5: #f184b8; --c6: #d8c34a; } }
  text { font: 12px system-ui, sans-serif; fill: var(--dim); font-variant-numeric: tabular-nums; }
  .title { font-size: 18px; font-weight: 600; fill: var(--ink); } .name { font-size: 14px; font-weight: 600; fill: var(--ink); }
  .end { text-anchor: end; } .middle { text-anchor: middle; } .bad { fill: var(--bad); font-weight: 600; }
  .paper { fill: var(--paper); } .grid { stroke: var(--grid); } .shade { fill: var(--shade); } .line { fill: none; stroke-width: 1.5; }
  ${Array.from({ length: 7 }, (_, index) => `.c${index} { stroke: var(--c${index}); }`).join(" ")}`;

export interface GraphOptions {
  readonly title: string;
  readonly findings: readonly Finding[];
  readonly warmUpSeconds: number;
}

/** One SVG: a panel for each measure, a line for each process. Nothing in it needs a script or another file. */
export function graphOf(journal: Journal, { title, findings, warmUpSeconds }: GraphOptions): string {
  const { processes } = journal;
  const measures = MEASURE_NAMES.filter((measure) =>
    processes.some((process) => journal.series(process, measure) !== undefined),
  );
  const width = COLUMNS * (PANEL_WIDTH + GAP) + GAP;
  const height = HEAD_HEIGHT + Math.ceil(measures.length / COLUMNS) * (PANEL_HEIGHT + GAP);
  const endSecond = lastSecond(journal);
  const panels = measures.map((measure, index) => {
    const x = GAP + (index % COLUMNS) * (PANEL_WIDTH + GAP);
    const y = HEAD_HEIGHT + Math.floor(index / COLUMNS) * (PANEL_HEIGHT + GAP);
    const bad = findings.filter(
      (finding) => finding.measure === measure && ["grows", "too high"].includes(finding.verdict),
    );
    const lines = processes.map((process) => journal.series(process, measure));
    return `<g transform="translate(${x} ${y})">${panel(measure, lines, bad, endSecond, warmUpSeconds)}</g>`;
  });
  const names = [
    ...new Set(findings.filter(({ verdict }) => verdict === "unclear").map((each) => each.process)),
  ];
  const summary = names.length === 0 ? "" : ` Unclear: some of ${names.join(", ")}.`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>${STYLE}</style>
<rect class="paper" width="${width}" height="${height}"/>
<text class="title" x="${GAP}" y="34">Soak: ${escape(title)}</text>
<text x="${GAP}" y="54">Shaded: warm-up, not judged.${escape(summary)}</text>
${legend(processes)}
${panels.join("\n")}
</svg>
`;
}

function legend(processes: readonly string[]): string {
  return processes
    .map((name, index) => {
      const x = GAP + index * 110;
      return `<path class="line c${index}" style="stroke-width:3" d="M${x} 73h18"/><text x="${x + 24}" y="77">${escape(name)}</text>`;
    })
    .join("");
}

function panel(
  measure: MeasureName,
  lines: readonly (Series | undefined)[],
  bad: readonly Finding[],
  endSecond: number,
  warmUpSeconds: number,
): string {
  const { title, unit } = MEASURES[measure];
  const top = niceTop(Math.max(0, ...lines.map((line) => highest(line))), unit);
  const x = (second: number): number => PLOT.left + (second / endSecond) * PLOT.width;
  const y = (value: number): number => PLOT.top + PLOT.height * (1 - value / top);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  const verdict = bad.map(({ process, verdict: found }) => `${process}: ${found}`).join(", ");
  return [
    `<text class="name" x="0" y="16">${title}</text>`,
    `<text class="end bad" x="${PLOT.left + PLOT.width}" y="16">${escape(verdict)}</text>`,
    `<rect class="shade" x="${PLOT.left}" y="${PLOT.top}" width="${round(Math.min(1, warmUpSeconds / endSecond) * PLOT.width)}" height="${PLOT.height}"/>`,
    ...ticks.map(
      (value) =>
        `<path class="grid" d="M${PLOT.left} ${round(y(value))}h${PLOT.width}"/>` +
        `<text class="end" x="${PLOT.left - 8}" y="${round(y(value) + 4)}">${amountOf(value, unit)}</text>`,
    ),
    ...timeTicks(endSecond).map(
      ({ second, label }) =>
        `<text class="middle" x="${round(x(second))}" y="${PLOT.top + PLOT.height + 18}">${label}</text>`,
    ),
    ...lines.map((line, index) =>
      line === undefined ? "" : `<path class="line c${index}" d="${path(line, x, y, endSecond)}"/>`,
    ),
  ].join("\n");
}

/** At most two points for each pixel, the lowest and the highest: no peak is lost. A gap in time is one in the line. */
function path(
  { seconds, values }: Series,
  x: (second: number) => number,
  y: (value: number) => number,
  endSecond: number,
): string {
  const bucketSeconds = endSecond / PLOT.width;
  const gapSeconds = Math.max(3 * bucketSeconds, 5);
  let drawn = "";
  let before = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length;) {
    const bucket = Math.floor(seconds[index]! / bucketSeconds);
    const from = index;
    while (index < values.length && Math.floor(seconds[index]! / bucketSeconds) === bucket) index++;
    const inBucket = values.slice(from, index);
    const at = round(x(seconds[from]!));
    const ends = [...new Set([inBucket[0]!, Math.min(...inBucket), Math.max(...inBucket), inBucket.at(-1)!])];
    for (const [place, value] of ends.entries()) {
      const isNew = place === 0 && seconds[from]! - before > gapSeconds;
      drawn += `${isNew ? "M" : "L"}${at} ${round(y(value))}`;
    }
    before = seconds[index - 1]!;
  }
  return drawn;
}

const MIB = 2 ** 20;
/** So that quarters of it are short numbers. */
const NICE: readonly number[] = [1, 2, 4, 6, 8, 10];
/** Where nothing happens, the axis still has a unit that can be read. */
const LEAST: Readonly<Record<Unit, number>> = { bytes: 4, count: 4, percent: 4, seconds: 1, "a second": 4 };

function niceTop(value: number, unit: Unit): number {
  const scale = unit === "bytes" ? MIB : 1;
  const amount = Math.max(value / scale, LEAST[unit]);
  const decade = 10 ** Math.floor(Math.log10(amount));
  return NICE.find((nice) => nice * decade >= amount)! * decade * scale;
}

function timeTicks(endSecond: number): readonly { readonly second: number; readonly label: string }[] {
  const [unitSeconds, name] =
    endSecond > 3 * 3_600
      ? ([3_600, "h"] as const)
      : endSecond > 180
        ? ([60, "min"] as const)
        : ([1, "s"] as const);
  const units = endSecond / unitSeconds;
  const step = [1, 2, 5, 10, 15, 30, 60].find((each) => units / each <= 6) ?? Math.ceil(units / 6);
  return Array.from({ length: Math.floor(units / step) + 1 }, (_, index) => ({
    second: index * step * unitSeconds,
    label: `${index * step} ${name}`,
  }));
}

function highest(line: Series | undefined): number {
  return line === undefined ? 0 : line.values.reduce((most, value) => Math.max(most, value), 0);
}

function lastSecond(journal: Journal): number {
  return journal.processes
    .flatMap((process) =>
      MEASURE_NAMES.map((measure) => journal.series(process, measure)?.seconds.at(-1) ?? 0),
    )
    .reduce((most, second) => Math.max(most, second), 1);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
