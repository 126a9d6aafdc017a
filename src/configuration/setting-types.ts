import { z } from "zod";
import { formatAmount, parseAmount } from "./amount.ts";
import type { Unit } from "./amount.ts";

/*
 * The kinds of settings that more than one command has. What stands in `meta` is read by configuration.ts.
 */

/** What configuration.ts reads of a setting beside its type. */
export interface SettingMeta {
  readonly placeholder?: string;
  readonly description: string;
  readonly unit?: Unit;
  /** The word that stands for "no limit": the value is 0 then. */
  readonly none?: string;
  /** The default, of what is read from text: zod does not tell it there. */
  readonly preset?: number;
  /** What the flag alone, without a value, means: the value may then be left out. */
  readonly bare?: string;
  /** SIGHUP takes a new value over; any other setting waits for a restart. */
  readonly isReloadable?: boolean;
}

/** For `.meta()`, so that a wrong key is seen. */
export function described(meta: SettingMeta): SettingMeta & Record<string, unknown> {
  return { ...meta };
}

/** Of every command. */
export const json: z.ZodType<boolean> = z
  .boolean()
  .default(false)
  .meta(described({ description: "machine-readable output: JSON with raw numbers, units in the names" }));

/** A size or a time with its default. */
export function amountSetting(
  type: z.ZodType<number, number | string> | z.ZodType<number, number>,
  preset: number,
  meta: SettingMeta,
): z.ZodType<number> {
  return type.default(preset).meta(described({ ...meta, preset }));
}

/** What is wrong with a value, where its type does not say it: for `.safeParse()`, instead of the words of zod. */
export function inPlainWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "too_small":
      return issue.origin === "string" ? "empty" : `less than ${issue.minimum}`;
    case "too_big":
      return `more than ${issue.maximum}`;
    case "invalid_value":
      return `none of ${issue.values.join(", ")}`;
    case "invalid_type":
      return NOT_OF_TYPE[issue.expected];
    default:
      return undefined;
  }
}

const NOT_OF_TYPE: Readonly<Record<string, string>> = {
  string: "not text",
  number: "not a number",
  int: "not a whole number",
  boolean: "neither true nor false",
};

export interface AmountOptions {
  readonly min?: number;
  readonly max?: number;
  readonly none?: string;
}

/** A size: a number of bytes, or text such as `512MiB`. */
export function bytes(options: AmountOptions = {}): z.ZodType<number, number | string> {
  return amount("bytes", options);
}

/** A length of time: a number of milliseconds, or text such as `24h`. */
export function milliseconds(options: AmountOptions = {}): z.ZodType<number, number | string> {
  return amount("ms", options);
}

function amount(
  unit: Unit,
  { min = 0, max = Number.MAX_SAFE_INTEGER, none }: AmountOptions,
): z.ZodType<number, number | string> {
  const what = unit === "bytes" ? "not a size" : "not a length of time";
  return z
    .union([z.number(), z.string()], { error: what })
    .transform((value, context) => {
      const number = typeof value === "number" ? value : value.trim() === none ? 0 : parseAmount(value, unit);
      if (number !== undefined) return number;
      context.addIssue({ code: "custom", message: what });
      return z.NEVER;
    })
    .pipe(
      z
        .int({ error: "not a whole number, or too large" })
        .max(max, { error: `more than ${formatAmount(max, unit)}` })
        .refine((value) => value >= min || (none !== undefined && value === 0), {
          error: `less than ${formatAmount(min, unit)}`,
        }),
    );
}
