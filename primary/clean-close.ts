import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { LogWriter } from "../shared/log/log-writer.ts";
import { writeFileAtomically } from "../shared/storage/atomic-file.ts";
import { CLEAN_CLOSE_FILE, encodeCleanClose, parseCleanClose } from "../shared/storage/clean-close-file.ts";
import type { CleanClose } from "../shared/storage/clean-close-file.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import { hex64 } from "../shared/units.ts";
import type { Capture } from "./capture.ts";

/**
 * File times advance in ticks of up to 10 ms. A write in the tick of the one before would not show, so it must be over
 * before the times are noted.
 */
const TICK_MS = 25;

/**
 * Writes down that the database file holds the log's last state. The pin is still held.
 *
 * @returns whether that is so: it is not when somebody goes on writing, reads an old state, or has put another file there
 */
export async function leaveCleanClose(capture: Capture, folder: DataFolder): Promise<boolean> {
  const { database, log, meta } = capture;
  const { mtimeMs, ctimeMs } = statSync(database.file);
  const age = Date.now() - Math.max(mtimeMs, ctimeMs);
  if (age < TICK_MS) await setTimeout(TICK_MS);
  // All of the log's last state is in the file before and after the times were read: so they are that state's.
  if (!capture.isCheckpointed()) return false;
  const file = stampOf(database.file);
  // Another file may have been put there a moment ago, which nobody has looked at yet.
  if (!file.startsWith(`${database.identity}:`)) return false;
  if (!capture.isCheckpointed()) return false;
  const { headTxid: txid, headChecksum } = log;
  writeFileAtomically(
    pathIn(folder),
    encodeCleanClose({ logId: meta.logId, txid, databaseChecksum: hex64(headChecksum), file }),
  );
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
  const closed = readCleanClose(folder);
  return (
    closed !== undefined &&
    closed.logId === logId &&
    closed.txid === log.headTxid &&
    closed.databaseChecksum === hex64(log.headChecksum) &&
    closed.file === stampOf(databaseFile)
  );
}

/** Undefined where there is none, or it makes no sense. @throws storage_failed */
export function readCleanClose(folder: DataFolder): CleanClose | undefined {
  const path = pathIn(folder);
  if (!existsSync(path)) return undefined;
  const text = onStorage("read", path, () => readFileSync(path, "utf8"));
  try {
    return parseCleanClose(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What changes whenever anything is written to the file. By path: opening and closing it would drop SQLite's locks. */
function stampOf(file: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = onStorage("find", file, () =>
    statSync(file, { bigint: true }),
  );
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

function pathIn(folder: DataFolder): string {
  return join(folder.path, CLEAN_CLOSE_FILE);
}
