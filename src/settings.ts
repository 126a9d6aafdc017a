import { z } from "zod";
import { amountSetting, milliseconds } from "./setting-types.ts";

/*
 * What each command can be told; node-settings.ts has those of the serving nodes. configuration.ts turns these schemas
 * into flags, variables, keys of a file, and help.
 */

export interface StatusSettings {
  readonly timeoutMs: number;
  readonly json: boolean;
}

export interface VerifySettings {
  readonly timeoutMs: number;
  readonly json: boolean;
}

export interface DemoSettings {
  readonly replicas: number;
  readonly seconds?: number | undefined;
  /** Commits a second. */
  readonly rate: number;
  readonly database?: string | undefined;
  readonly json: boolean;
}

const placeholder = (name: string, description: string): { placeholder: string; description: string } => ({
  placeholder: name,
  description,
});

export const json: z.ZodType<boolean> = z
  .boolean()
  .default(false)
  .meta({ description: "machine-readable output: JSON with raw numbers, units in the names" });

export const statusSettings: z.ZodType<StatusSettings> = z.strictObject({
  timeoutMs: amountSetting(milliseconds({ min: 1, max: 3_600_000 }), 5_000, {
    placeholder: "TIME",
    unit: "ms",
    description: "how long to wait for an answer",
  }),
  json,
});

export const verifySettings: z.ZodType<VerifySettings> = z.strictObject({
  timeoutMs: amountSetting(milliseconds({ min: 1, max: 3_600_000 }), 30_000, {
    placeholder: "TIME",
    unit: "ms",
    description: "how long to wait until both nodes have been seen at one txid",
  }),
  json,
});

export const demoSettings: z.ZodType<DemoSettings> = z.strictObject({
  replicas: z.int().min(1).max(16).default(2).meta(placeholder("N", "number of replicas")),
  seconds: z
    .number()
    .positive()
    .max(86_400)
    .optional()
    .meta(
      placeholder("N", "how long the writer writes (default: until Ctrl-C; 10 when stdout is no terminal)"),
    ),
  rate: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .meta(placeholder("N", "commits a second that the writer aims at")),
  database: z
    .string()
    .min(1)
    .optional()
    .meta(placeholder("FILE", "start from a copy of this database; the file itself is only read")),
  json,
});
