import { z } from "zod";

/*
 * What each command can be told; node-settings.ts has those of the serving nodes, ask-settings.ts those of the commands
 * that ask one. configuration.ts turns these schemas into flags, variables, keys of a file, and help.
 */

export interface CheckSettings {
  readonly deep: boolean;
  readonly json: boolean;
}

export interface RepairSettings extends CheckSettings {
  readonly yes: boolean;
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

const offline = {
  deep: z
    .boolean()
    .default(false)
    .meta({ description: "also read every snapshot: its image, sha256 and page checksums" }),
  json,
};

export const checkSettings: z.ZodType<CheckSettings> = z.strictObject(offline);

export const repairSettings: z.ZodType<RepairSettings> = z.strictObject({
  yes: z.boolean().default(false).meta({ description: "do it without asking" }),
  ...offline,
});
