import { z } from "zod";
import type { DriverName } from "../../shared/sqlite/driver.ts";
import { KEEP_FREE_BYTES } from "../../shared/storage/disk-room.ts";
import type { LogFormat, LogLevel } from "../log/level.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../log/level.ts";
import {
  PRIMARY_LIMIT_KEYS,
  REPLICA_LIMIT_KEYS,
  SEGMENT_MAX_BYTES,
  SEGMENT_MIN_BYTES,
  limitSettings,
  refuseConflicts,
} from "./node-limits.ts";
import type { NodeLimits, PrimaryLimits } from "./node-limits.ts";
import { amountSetting, bytes, described, json, milliseconds } from "./setting-types.ts";

/*
 * What the serving nodes can be told.
 */

/** What every serving node can be told. */
export interface NodeSettings extends NodeLimits {
  readonly host: string;
  readonly port: number;
  readonly insecure: boolean;
  readonly dataDir?: string | undefined;
  readonly durability: "commit" | "group" | "os";
  readonly driver: DriverName;
  readonly deadlineMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly printConfig: boolean;
  readonly json: boolean;
}

export interface PrimarySettings extends NodeSettings, PrimaryLimits {
  readonly segmentSizeBytes: number;
}

export interface ReplicaSettings extends NodeSettings {
  readonly id?: string | undefined;
  readonly onForeignWrite: "stop" | "resync";
  readonly keepFreeBytes: number;
}

const port = (preset: number): z.ZodType<number> =>
  z
    .int()
    .min(0)
    .max(65_535)
    .default(preset)
    .meta(described({ placeholder: "PORT", description: "port to listen on; 0 takes any free one" }));

const address = {
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .meta(described({ placeholder: "ADDRESS", description: "address to listen on" })),
  insecure: z
    .boolean()
    .default(false)
    .meta(
      described({
        description: "allow an address other than loopback, where anybody who reaches it reads everything",
      }),
    ),
};

const files = {
  dataDir: z
    .string()
    .min(1)
    .optional()
    .meta(described({ placeholder: "FOLDER", description: "Tailrace's own files (default: FILE-tailrace)" })),
  driver: z
    .enum(["node:sqlite", "better-sqlite3"])
    .default("node:sqlite")
    .meta(described({ placeholder: "MODULE", description: "SQLite library to use" })),
  durability: z
    .enum(["commit", "group", "os"])
    .default("commit")
    .meta(
      described({
        placeholder: "MODE",
        description: "when log bytes are forced to disk: each commit, all that wait at once, or never",
      }),
    ),
};

const process = {
  deadlineMs: amountSetting(milliseconds({ max: 3_600_000 }), 10_000, {
    placeholder: "TIME",
    unit: "ms",
    isReloadable: true,
    description: "time to stop in after SIGTERM or SIGINT",
  }),
  logLevel: z
    .enum(LOG_LEVELS)
    .default("info")
    .meta(described({ placeholder: "LEVEL", isReloadable: true, description: "what is logged on stderr" })),
  logFormat: z
    .enum(LOG_FORMATS)
    .default("text")
    .meta(
      described({
        placeholder: "FORM",
        description: "the log on stderr: lines for people, or one JSON object a line",
      }),
    ),
  printConfig: z
    .boolean()
    .default(false)
    .meta(
      described({ description: "print the effective configuration and where each value is from, and end" }),
    ),
  json,
};

export const primarySettings: z.ZodType<PrimarySettings> = z
  .strictObject({
    ...address,
    port: port(4800),
    ...files,
    ...limitSettings(PRIMARY_LIMIT_KEYS, "primary"),
    segmentSizeBytes: amountSetting(bytes({ min: SEGMENT_MIN_BYTES, max: SEGMENT_MAX_BYTES }), 64 * 2 ** 20, {
      placeholder: "SIZE",
      unit: "bytes",
      description: "log after which a file of it is sealed and the next one begun",
    }),
    ...process,
  })
  .superRefine(refuseConflicts);

export const replicaSettings: z.ZodType<ReplicaSettings> = z
  .strictObject({
    ...address,
    port: port(4801),
    id: z
      .string()
      .regex(/^[\w.-]{1,64}$/, "letters, digits, dot, dash and underscore, at most 64")
      .optional()
      .meta(
        described({
          placeholder: "NAME",
          description: "name under which the primary lists this replica (default: drawn once, then kept)",
        }),
      ),
    ...files,
    onForeignWrite: z
      .enum(["stop", "resync"])
      .default("stop")
      .meta(
        described({
          placeholder: "DO",
          description: "when another process has written to FILE: stop and say so, or fetch the difference",
        }),
      ),
    keepFreeBytes: amountSetting(bytes(), KEEP_FREE_BYTES, {
      placeholder: "SIZE",
      unit: "bytes",
      description: "of the disk, that what comes from the primary leaves free; a twentieth of it at most",
    }),
    ...limitSettings(REPLICA_LIMIT_KEYS, "replica"),
    ...process,
  })
  .superRefine(refuseConflicts);
