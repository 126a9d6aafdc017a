/*
 * Sizes and times as they are given to Tailrace and shown by --print-config: what is written can be read again, and is
 * exact. (shared/human.ts rounds, for people who only look.)
 */

export type Unit = "bytes" | "ms";

const AMOUNT = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)$/i;
const PLAIN = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Of a larger number, another unit is looked for. */
const MAX_READABLE = 9_999;

const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** What a value of that unit may look like: the end of a sentence. */
export const FORMS: Readonly<Record<Unit, string>> = {
  bytes: "a number of bytes, or one with a unit: 512MiB, 10GiB, 1.5GB",
  ms: "a number of milliseconds, or one with a unit: 500ms, 30s, 10min, 24h, 7d",
};

/**
 * `10GiB`, `1.5 GB`, `500ms`, `24h`; a plain number counts bytes or milliseconds. Upper and lower case are the same. Parts
 * of a byte or millisecond that a unit leaves are rounded.
 *
 * @returns bytes or milliseconds; undefined for anything else
 */
export function parseAmount(text: string, unit: Unit): number | undefined {
  const trimmed = text.trim();
  if (PLAIN.test(trimmed)) return Number(trimmed);
  const [, number = "", name = ""] = AMOUNT.exec(trimmed) ?? [];
  const factors = unit === "bytes" ? BYTES : MS;
  const factor = Object.hasOwn(factors, name.toLowerCase()) ? factors[name.toLowerCase()] : undefined;
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}

/** An exact form with a unit, as people would write it: `64MiB`, `8GB`, `1500000001B`, `36h`, `1500ms`; `0`. */
export function formatAmount(value: number, unit: Unit): string {
  if (value === 0) return "0";
  const names =
    unit === "bytes"
      ? ["TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "kB", "B"]
      : ["d", "h", "min", "s", "ms"];
  const factors = unit === "bytes" ? BYTES : MS;
  const factorOf = (name: string): number => factors[name.toLowerCase()] ?? 1;
  const forms = names
    // A day is 24h: limits of up to two days are written in hours.
    .filter((name) => value % factorOf(name) === 0 && (name !== "d" || value >= 2 * factorOf(name)))
    .map((name) => ({ count: value / factorOf(name), name }));
  const { count, name } = forms.find((form) => form.count <= MAX_READABLE) ?? forms.at(-1)!;
  return `${count}${name}`;
}
