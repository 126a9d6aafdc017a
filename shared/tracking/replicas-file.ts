import { linkSync, readFileSync, renameSync, rmSync } from "node:fs";
import { z } from "zod";
import { TailraceError } from "../errors.ts";
import { writeFileAtomically } from "../storage/atomic-file.ts";
import { onStorage, storageError } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";
import type { Cursor, Txid } from "../units.ts";

const REPLICAS_FORMAT_VERSION = 1;

/** What outlasts a restart of one replica. Times are Unix ms of this node, but for behindSinceMs. */
export interface StoredReplica {
  readonly id: string;
  /** Of the log in which it stands: the places mean nothing in another one. */
  readonly logId: string;
  readonly address: string | null;
  /** What it really has is here or further on: never before. */
  readonly received: Cursor;
  readonly sent: Cursor | null;
  readonly appliedTxid: Txid | null;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Of the time since: during which this node was not running, and nobody could be seen. */
  readonly uncountedMs: number;
  readonly isInactive: boolean;
  /** Commit time of the oldest transaction that it had not applied; null where it had all, or that was not known. */
  readonly behindSinceMs: number | null;
  readonly lostAtMs: number | null;
  readonly timesLost: number;
}

/** There may be replicas that nobody remembers: the log is held for them from here on. */
export interface UnknownReplicas {
  readonly logId: string;
  readonly received: Cursor;
  readonly sinceMs: number;
}

export interface StoredTracking {
  /** When it was written. */
  readonly savedMs: number;
  readonly replicas: readonly StoredReplica[];
  readonly unknown: UnknownReplicas | null;
}

const logId = z.string().regex(/^[0-9a-f]{32}$/);
const cursor = z.object({ segment: z.int().positive(), offset: z.int().nonnegative() });
const schema: z.ZodType<StoredTracking> = z.object({
  savedMs: z.number(),
  replicas: z.array(
    z.object({
      id: z.string().min(1),
      logId,
      address: z.string().nullable(),
      received: cursor,
      sent: cursor.nullable(),
      appliedTxid: z.int().nonnegative().nullable(),
      firstSeenMs: z.number(),
      lastSeenMs: z.number(),
      uncountedMs: z.number().nonnegative(),
      isInactive: z.boolean(),
      behindSinceMs: z.number().nullable(),
      lostAtMs: z.number().nullable(),
      timesLost: z.int().nonnegative(),
    }),
  ),
  unknown: z.object({ logId, received: cursor, sinceMs: z.number() }).nullable(),
});

/** Where the damaged file was put. */
export interface DamagedTracking {
  readonly setAsideAs: string;
  readonly reason: string;
}

/**
 * @returns undefined where there is no such file: no replica was ever tracked
 * @throws unknown_version where a later Tailrace wrote it; storage_failed
 */
export function readReplicas(path: string): StoredTracking | DamagedTracking | undefined {
  const found = examineReplicas(path);
  if (typeof found !== "string") return found;
  // One is kept for whoever wants to look at it.
  const setAsideAs = `${path}.damaged`;
  onStorage("set aside", path, () => setAside(path, setAsideAs));
  return { setAsideAs, reason: found };
}

/** Under its own name it stays until another takes its place: after a crash before that it is still known to be damaged. */
function setAside(path: string, asPath: string): void {
  rmSync(asPath, { force: true });
  try {
    linkSync(path, asPath);
  } catch {
    // A file system without links.
    renameSync(path, asPath);
  }
}

/**
 * The same, and nothing is changed.
 *
 * @returns why the file makes no sense, where it does not
 * @throws unknown_version, storage_failed
 */
export function examineReplicas(path: string): StoredTracking | string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw storageError("read", path, cause);
  }
  const document = parseJson(text);
  const version = (document as { formatVersion?: unknown } | null | undefined)?.formatVersion;
  if (typeof version === "number" && version > REPLICAS_FORMAT_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `${path} has format version ${version}, this build reads ${REPLICAS_FORMAT_VERSION}`,
      { hint: "Use the version of Tailrace that wrote it, or a later one." },
    );
  }
  const parsed = schema.safeParse(document);
  if (parsed.success && version === REPLICAS_FORMAT_VERSION) return parsed.data;
  if (document === undefined) return "it is no JSON";
  return parsed.success ? "it names no format version" : z.prettifyError(parsed.error);
}

/** Durable, and whole or not at all. @throws storage_failed */
export function writeReplicas(path: string, tracking: StoredTracking): void {
  const document = { formatVersion: REPLICAS_FORMAT_VERSION, ...tracking };
  writeFileAtomically(path, Buffer.from(`${JSON.stringify(document)}\n`));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
