import { UNKNOWN, ago, count, duration } from "../../human.ts";
import type { ReplicaStatus } from "../../status.ts";
import { html } from "./html.ts";
import type { Html } from "./html.ts";

/** How a thing is doing. Each has a colour, a shape and a word: none of them says anything that the others do not. */
export type Tone = "ok" | "busy" | "idle" | "warning" | "error";

const SHAPES: Readonly<Record<Tone, Html>> = {
  // A dot; half a dot; a ring; a triangle; a diamond with a cross.
  ok: html`<circle cx="8" cy="8" r="5" fill="currentColor" />`,
  busy: html`<circle cx="8" cy="8" r="4.25" /><path
      d="M8 3.75a4.25 4.25 0 0 1 0 8.5z"
      fill="currentColor"
    />`,
  idle: html`<circle cx="8" cy="8" r="4.25" stroke-dasharray="2.2 2.25" />`,
  warning: html`<path d="M8 2.6 14 13H2z" /><path d="M8 6.6v3M8 11.3v.01" />`,
  error: html`<path d="M8 1.8 14.2 8 8 14.2 1.8 8z" /><path d="m6.2 6.2 3.6 3.6m0-3.6-3.6 3.6" />`,
};

export function icon(tone: Tone): Html {
  return html`<svg class="icon ${tone}" viewBox="0 0 16 16" aria-hidden="true">${SHAPES[tone]}</svg>`;
}

export function toneOf({ state, retention }: ReplicaStatus): Tone {
  if (state === "lost" || retention === "lost") return "error";
  if (retention === "endangered") return "warning";
  if (state === "inactive") return "idle";
  return state === "streaming" ? "ok" : "busy";
}

export function wordOf({ state, retention }: ReplicaStatus): string {
  if (state === "lost" || retention === "lost") return "lost";
  if (retention === "endangered") return "endangered";
  return state.replaceAll("_", " ");
}

/** `3 ms behind`, `up to date`, `unknown` */
export function behindText(lagSeconds: number | null | undefined): string {
  if (lagSeconds === null || lagSeconds === undefined) return "unknown";
  return lagSeconds === 0 ? "up to date" : `${duration(lagSeconds * 1000)} behind`;
}

/** Shows a value if it is known. */
export function known<Value>(value: Value | null | undefined, show: (value: Value) => string): string {
  return value === null || value === undefined ? UNKNOWN : show(value);
}

/** `198/s`, `0.4/s` */
export function rateText(perSecond: number): string {
  return `${perSecond >= 10 || Number.isInteger(perSecond) ? count(Math.round(perSecond)) : perSecond.toFixed(1)}/s`;
}

export function agoText(timeMs: number | null | undefined, nowMs: number): string {
  // Moments within one second of now are now, on whichever clock.
  return known(timeMs, (ms) => (Math.abs(nowMs - ms) < 1000 ? "just now" : ago(ms, nowMs)));
}

/** The id of a replica's row; an id may hold any character. */
export function anchorOf(id: string): string {
  return `replica-${encodeURIComponent(id.toWellFormed())}`;
}
