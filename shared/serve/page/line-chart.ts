import { time } from "../../human.ts";
import { html } from "./html.ts";
import type { Html } from "./html.ts";
import type { Scale } from "./scale.ts";

export interface Series {
  /** Stands for it from one refresh to the next. */
  readonly name: Html | string;
  /** One for each of the chart's times; NaN: not known. */
  readonly values: Float64Array;
}

export interface LineChart {
  readonly id: string;
  /** Says in a sentence what is to be seen. */
  readonly summary: string;
  /** Unix ms, ascending and evenly apart. */
  readonly timesMs: readonly number[];
  readonly spanMs: number;
  /** The first ones are drawn above the later ones. */
  readonly series: readonly Series[];
  /** The highest of all that are not drawn by themselves. */
  readonly others: Series | null;
  readonly scale: Scale;
  readonly isFilled: boolean;
}

const WIDTH = 800;
const HEIGHT = 200;

/**
 * A chart whose lines are SVG, stretched to whatever width there is, and whose words are HTML around it, which are not.
 * The legend holds the newest values; with JavaScript, those under the pointer or the cursor of the keyboard.
 */
export function lineChart(chart: LineChart): Html {
  const { id, summary, timesMs, spanMs, series, others, scale, isFilled } = chart;
  const { ticks } = scale;
  const all = others === null ? series : [...series, others];
  const y = (value: number): number => HEIGHT - scale.shareOf(value) * HEIGHT;
  const points = JSON.stringify({
    timesMs,
    values: all.map(({ values }) => Array.from(values, (value) => scale.textOf(value))),
  });
  return html`<figure
    class="chart"
    id="${id}"
    tabindex="0"
    aria-label="${summary}"
    aria-describedby="${id}-keys"
    role="group"
    data-points="${points}"
  >
    <div class="plot" aria-hidden="true">
      <svg class="axis">
        ${ticks.map((value) => html`<text x="100%" y="${round(y(value))}" dy=".32em">${scale.textOf(value)}</text>`)}
      </svg>
      <svg class="lines" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">
        ${ticks.map((value) => html`<path class="grid" d="M0 ${round(y(value))}H${WIDTH}" />`)}
        ${others === null ? "" : html`<path class="area others" d="${areaOf(others.values, y)}" />`}
        ${isFilled ? series.map(({ values }, index) => html`<path class="area s${index}" d="${areaOf(values, y)}" />`) : ""}
        ${series
          .map(({ values }, index) => html`<path class="line s${index}" d="${lineOf(values, y)}" />`)
          .toReversed()}
        <path class="cursor" d="" />
      </svg>
    </div>
    <ol class="times" aria-hidden="true">
      ${labelsOf(spanMs).map((minutes) => html`<li>${minutes === 0 ? "now" : `−${minutes} min`}</li>`)}
    </ol>
    <figcaption>
      <ul class="legend">
        ${all.map(
          ({ name, values }, index) =>
            html`<li>
              <svg class="swatch" viewBox="0 0 16 4" aria-hidden="true">
                <path class="${index < series.length ? `line s${index}` : "band"}" d="M0 2H16" />
              </svg>
              <span class="name">${name}</span>
              <b data-value="${index}">${scale.textOf(values.at(-1) ?? Number.NaN)}</b>
            </li>`,
        )}
      </ul>
      <p class="at">
        ${scale.isLogarithmic ? "logarithmic, " : ""}<output data-at
          >${timesMs.length === 0 ? "" : `at ${time(timesMs.at(-1)!).slice(11)}`}</output
        >
      </p>
      <span class="unseen" id="${id}-keys">With JavaScript, left and right arrow show earlier values.</span>
    </figcaption>
  </figure>`;
}

function lineOf(values: Float64Array, y: (value: number) => number): string {
  return runsOf(values)
    .map((run) => {
      const points = run.map((index) => `${x(index, values)} ${round(y(values[index]!))}`);
      // A single value is a dot: a line of no length with round caps.
      return points.length === 1 ? `M${points[0]}h0` : `M${points.join("L")}`;
    })
    .join("");
}

function areaOf(values: Float64Array, y: (value: number) => number): string {
  return runsOf(values)
    .map((run) => {
      const points = run.map((index) => `${x(index, values)} ${round(y(values[index]!))}`);
      return `M${x(run[0]!, values)} ${HEIGHT}L${points.join("L")}V${HEIGHT}Z`;
    })
    .join("");
}

/** What is not known is a gap in the line, and not a line across it. */
function runsOf(values: Float64Array): readonly (readonly number[])[] {
  const runs: number[][] = [];
  values.forEach((value, index) => {
    if (Number.isNaN(value)) return;
    const last = runs.at(-1);
    if (last?.at(-1) === index - 1) last.push(index);
    else runs.push([index]);
  });
  return runs;
}

function x(index: number, values: Float64Array): number {
  return round((index * WIDTH) / Math.max(1, values.length - 1));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Whole minutes back from now, evenly apart. */
function labelsOf(spanMs: number): readonly number[] {
  const minutes = Math.round(spanMs / 60_000);
  const steps = minutes <= 5 ? minutes : minutes % 4 === 0 ? 4 : 3;
  return Array.from({ length: steps + 1 }, (_, index) => (minutes * (steps - index)) / steps);
}
