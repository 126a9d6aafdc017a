import { z } from "zod";
import type { DriverName } from "../shared/sqlite/driver.ts";

/*
 * What each command can be told. configuration.ts turns these schemas into flags, variables, keys of a file, and help.
 */

/** What every serving node can be told. */
interface NodeSettings {
  readonly host: string;
  readonly port: number;
  readonly insecure: boolean;
  readonly dataDir?: string | undefined;
  readonly durability: "commit" | "group" | "os";
  readonly driver: DriverName;
  readonly deadlineMs: number;
  readonly json: boolean;
}

export interface PrimarySettings extends NodeSettings {}

export interface ReplicaSettings extends NodeSettings {
  readonly id?: string | undefined;
  readonly onForeignWrite: "stop" | "resync";
}

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

const json = z
  .boolean()
  .default(false)
  .meta({ description: "machine-readable output: JSON with raw numbers, units in the names" });

const port = z.int().min(0).max(65535);

const node = {
  host: z.string().min(1).default("127.0.0.1").meta(placeholder("ADDRESS", "address to listen on")),
  insecure: z.boolean().default(false).meta({
    description: "allow an address other than loopback, where anybody who reaches it reads everything",
  }),
  dataDir: z
    .string()
    .min(1)
    .optional()
    .meta(placeholder("FOLDER", "Tailrace's own files (default: FILE-tailrace)")),
  driver: z
    .enum(["node:sqlite", "better-sqlite3"])
    .default("node:sqlite")
    .meta(placeholder("MODULE", "SQLite library to use")),
  deadlineMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(10_000)
    .meta(placeholder("MS", "time to stop in after SIGTERM or SIGINT")),
  json,
};

const durability = z
  .enum(["commit", "group", "os"])
  .default("commit")
  .meta(
    placeholder("MODE", "when log bytes are forced to disk: each commit, all that wait at once, or never"),
  );

export const primarySettings: z.ZodType<PrimarySettings> = z.strictObject({
  ...node,
  port: port.default(4800).meta(placeholder("PORT", "port to listen on; 0 takes any free one")),
  durability,
});

export const replicaSettings: z.ZodType<ReplicaSettings> = z.strictObject({
  ...node,
  port: port.default(4801).meta(placeholder("PORT", "port to listen on; 0 takes any free one")),
  durability,
  id: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "letters, digits, dot, dash and underscore, at most 64")
    .optional()
    .meta(
      placeholder("NAME", "name under which the primary lists this replica (default: drawn once, then kept)"),
    ),
  onForeignWrite: z
    .enum(["stop", "resync"])
    .default("stop")
    .meta(
      placeholder("DO", "when another process has written to FILE: stop and say so, or fetch the difference"),
    ),
});

export const statusSettings: z.ZodType<StatusSettings> = z.strictObject({
  timeoutMs: z
    .int()
    .min(1)
    .max(3_600_000)
    .default(5_000)
    .meta(placeholder("MS", "how long to wait for an answer")),
  json,
});

export const verifySettings: z.ZodType<VerifySettings> = z.strictObject({
  timeoutMs: z
    .int()
    .min(1)
    .max(3_600_000)
    .default(30_000)
    .meta(placeholder("MS", "how long to wait until both nodes have been seen at one txid")),
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
