import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import type { LogWriter } from "../shared/log/log-writer.ts";
import { writeFileAtomically } from "../shared/storage/atomic-file.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import { hex64 } from "../shared/units.ts";
import type { Txid } from "../shared/units.ts";
import type { Capture } from "./capture.ts";

/*
 * clean-close.json says: when Tailrace stopped, the database file was this one, and held the log's last state. As long
 * as the file has not been touched since, all pages need not be compared at the next start. That is told by its inode,
 * size, and times of modification and change to the nanosecond; the last one nobody can set.
 *
 * It is never removed: one that is out of date fits neither the file nor the log any more.
 */
const FORMAT_VERSION = 1;

/**
 * File times advance in ticks of up to 10 ms. A write in the tick of the one before would not show, so it must be over
 * before the times are noted.
 */
const TICK_MS = 25;

const schema = z.object({
  formatVersion: z.literal(FORMAT_VERSION),
  logId: z.string(),
  txid: z.int().nonnegative(),
  databaseChecksum: z.string(),
  file: z.string(),
});

/**
 * Writes down that the database file holds the log's last state. The pin is still held.
 *
 * @returns whether that is so: it is not when somebody goes on writing, or reads an old state
 */
export async function leaveCleanClose(capture: Capture, folder: DataFolder): Promise<boolean> {
  const { database, log, meta } = capture;
  const { mtimeMs, ctimeMs } = statSync(database.file);
  const age = Date.now() - Math.max(mtimeMs, ctimeMs);
  if (age < TICK_MS) await setTimeout(TICK_MS);
  // All of the log's last state is in the file before and after the times were read: so they are that state's.
  if (!capture.isCheckpointed()) return false;
  const file = stampOf(database.file);
  if (!capture.isCheckpointed()) return false;
  const document: z.infer<typeof schema> = {
    formatVersion: FORMAT_VERSION,
    logId: meta.logId,
    txid: log.headTxid,
    databaseChecksum: hex64(log.headChecksum),
    file,
  };
  writeFileAtomically(pathIn(folder), Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
  return true;
}

/**
 * Whether the database file is known to hold the log's last state. To be asked with a view open that needs no WAL:
 * nothing then writes to the file. In doubt, no.
 */
export function wasClosedCleanly(
  databaseFile: string,
  folder: DataFolder,
  logId: string,
  log: LogWriter,
): boolean {
  const parsed = schema.safeParse(readJson(pathIn(folder)));
  if (!parsed.success) return false;
  const { data } = parsed;
  return (
    data.logId === logId &&
    data.txid === log.headTxid &&
    data.databaseChecksum === hex64(log.headChecksum) &&
    data.file === stampOf(databaseFile)
  );
}

/** The last transaction of the log when Tailrace stopped in order; all up to it is on disk. 0 where it never did. */
export function closedAt(folder: DataFolder, logId: string): Txid {
  const parsed = schema.safeParse(readJson(pathIn(folder)));
  return parsed.success && parsed.data.logId === logId ? parsed.data.txid : 0;
}

/** What changes whenever anything is written to the file. By path: opening and closing it would drop SQLite's locks. */
function stampOf(file: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = onStorage("find", file, () =>
    statSync(file, { bigint: true }),
  );
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

function pathIn(folder: DataFolder): string {
  return join(folder.path, "clean-close.json");
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
