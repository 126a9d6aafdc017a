/*
 * Numbers as people read them. What machines read (--json) has them raw, with the unit in the name.
 */

/** What is not known: never shown as 0. */
export const UNKNOWN = "–";

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The last moment that a Date can be. */
const MAX_DATE_MS = 8.64e15;

/** Made once, as it is a thousand times the price of using it; and late, as most threads never use it. */
let numbers: Intl.NumberFormat | undefined;

/** `12,345` */
export function count(value: number): string {
  if (Math.abs(value) >= 1e15) return String(value);
  numbers ??= new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });
  return numbers.format(value);
}

/** `1 page`, `1,204 pages` */
export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `512 B`, `112.4 KiB`, `4 KiB` */
export function size(bytes: number): string {
  let value = bytes;
  let step = 0;
  // Not 1024: what would be shown as 1024.0 KiB is 1 MiB.
  for (; Math.abs(value) >= 1023.95 && step < SIZES.length - 1; step++) value /= 1024;
  return `${shortened(value)} ${SIZES[step]}`;
}

/** `3 ms`, `4.1 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h` */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 999.5) return `${ms < 10 ? shortened(ms) : Math.round(ms)} ms`;
  if (ms < 59_950) return `${shortened(ms / SECOND_MS)} s`;
  const units = [
    [DAY_MS, "d", HOUR_MS, "h"],
    [HOUR_MS, "h", MINUTE_MS, "min"],
    [MINUTE_MS, "min", SECOND_MS, "s"],
  ] as const;
  const rounded = (unitMs: number): number => Math.round(ms / unitMs) * unitMs;
  // What would be shown as 60 min is 1 h.
  const found = units.find(([unitMs, , smallMs]) => rounded(smallMs) >= unitMs);
  const [largeMs, large, smallMs, small] = found ?? units[2];
  const wholeMs = rounded(smallMs);
  const rest = Math.round((wholeMs % largeMs) / smallMs);
  return `${count(Math.floor(wholeMs / largeMs))} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

/** A moment (Unix ms), seen from another: `4.1 s ago`, `in 2 min`. */
export function ago(timeMs: number, nowMs: number): string {
  const ms = nowMs - timeMs;
  return ms >= 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

/** `2026-11-21 01:54:54 UTC` */
export function time(timeMs: number): string {
  if (Math.abs(timeMs) > MAX_DATE_MS) return String(timeMs);
  return `${new Date(timeMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `1:115072`: decimal, as in queries and headers. */
export function cursor({ segment, offset }: { readonly segment: number; readonly offset: number }): string {
  return `${segment}:${offset}`;
}

/**
 * Somebody else's text: what could move the cursor of a terminal, colour it, turn the direction of writing around or
 * hide itself is made visible.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const digits = character.codePointAt(0)!.toString(16);
    return digits.length <= 2 ? `\\x${digits.padStart(2, "0")}` : `\\u{${digits}}`;
  });
}

function shortened(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
