import { z } from "zod";
import { described, json } from "./setting-types.ts";

/*
 * What the commands can be told that need no running node: demo, check, repair.
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

export const demoSettings: z.ZodType<DemoSettings> = z.strictObject({
  replicas: z
    .int()
    .min(1)
    .max(16)
    .default(2)
    .meta(described({ placeholder: "N", description: "number of replicas" })),
  seconds: z
    .number()
    .positive()
    .max(86_400)
    .optional()
    .meta(
      described({
        placeholder: "N",
        description: "how long the writer writes (default: until Ctrl-C; 10 when stdout is no terminal)",
      }),
    ),
  rate: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .meta(described({ placeholder: "N", description: "commits a second that the writer aims at" })),
  database: z
    .string()
    .min(1)
    .optional()
    .meta(
      described({
        placeholder: "FILE",
        description: "start from a copy of this database; the file itself is only read",
      }),
    ),
  json,
});

const offline = {
  deep: z
    .boolean()
    .default(false)
    .meta({ description: "also read every snapshot: its image and page checksums" }),
  json,
};

export const checkSettings: z.ZodType<CheckSettings> = z.strictObject(offline);

export const repairSettings: z.ZodType<RepairSettings> = z.strictObject({
  yes: z.boolean().default(false).meta({ description: "do it without asking" }),
  ...offline,
});
