import type { Unit } from "./measures.ts";

const MIB = 2 ** 20;

/** A value with its unit, for people: three digits. */
export function amountOf(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value < 0 ? "−∞" : "∞";
  const text = plain(unit === "bytes" ? value / MIB : value);
  const suffix = { bytes: " MiB", count: "", percent: " %", seconds: " s", "a second": "/s" }[unit];
  return `${text}${suffix}`;
}

function plain(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits))).replace("-", "−");
}
