import { z } from "zod";
import { amountSetting, described, json, milliseconds } from "./setting-types.ts";

/*
 * What the commands can be told that ask a running node.
 */

/** Of the commands that act, once. */
export interface AskSettings {
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** Of the commands that look. */
export interface LookSettings extends AskSettings {
  /** In seconds; undefined: look once. */
  readonly watch?: number | undefined;
}

/** Of the commands that judge. */
export interface JudgeSettings extends LookSettings {
  readonly maxLagSeconds: number;
}

export interface VerifySettings extends AskSettings {
  readonly deep: boolean;
}

const timeout = (presetMs: number, description: string): z.ZodType<number> =>
  amountSetting(milliseconds({ min: 1, max: 86_400_000 }), presetMs, {
    placeholder: "TIME",
    unit: "ms",
    description,
  });

const look = {
  watch: z
    .number()
    .min(0.1)
    .max(86_400)
    .optional()
    .meta(
      described({
        placeholder: "SECONDS",
        bare: "1",
        description: "look again and again until Ctrl-C, every second or every so many",
      }),
    ),
  timeoutMs: timeout(5_000, "how long to wait for an answer"),
  json,
};

export const lookSettings: z.ZodType<LookSettings> = z.strictObject(look);

export const judgeSettings: z.ZodType<JudgeSettings> = z.strictObject({
  ...look,
  maxLagSeconds: z
    .number()
    .min(0)
    .default(60)
    .meta(
      described({
        placeholder: "SECONDS",
        description: "a replica that is further behind is not as it should be: exit code 3",
      }),
    ),
});

export const snapshotSettings: z.ZodType<AskSettings> = z.strictObject({
  timeoutMs: timeout(3_600_000, "how long to wait for the snapshot; it is taken also when that is over"),
  json,
});

export const checkpointSettings: z.ZodType<AskSettings> = z.strictObject({
  timeoutMs: timeout(60_000, "how long to wait for the end of the checkpoint"),
  json,
});

export const forgetSettings: z.ZodType<AskSettings> = z.strictObject({
  timeoutMs: timeout(5_000, "how long to wait for an answer"),
  json,
});

export const verifySettings: z.ZodType<VerifySettings> = z.strictObject({
  deep: z.boolean().default(false).meta({
    description: "first let each node read every page and its log from its disk again, and check them",
  }),
  timeoutMs: timeout(
    30_000,
    "how long to wait until both nodes have been seen at one txid, and with --deep for any progress",
  ),
  json,
});
