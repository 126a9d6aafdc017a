import { setImmediate as turn } from "node:timers/promises";
import { TailraceError } from "../shared/errors.ts";
import { compareCursors, formatCursor } from "../shared/format/cursor.ts";
import { samePoint } from "../shared/format/position.ts";
import type { Position, StatePoint } from "../shared/format/position.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import type { LogCopy } from "../shared/log/log-copy.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import { hex64 } from "../shared/units.ts";
import { Applier, FOREIGN_WRITE_HINT } from "./applier.ts";
import { BatchReader } from "./batch.ts";
import { isSameBoot } from "../shared/storage/boot-id.ts";
import { isSameWal, isUndisturbed, markOf } from "./left-mark.ts";
import { replayInto, scanInto } from "./page-scan.ts";
import { sameStamp, stampOf } from "./position-file.ts";
import type { PositionFile } from "./position-file.ts";
import type { ReplicaDatabase } from "./replica-database.ts";
import type { ReplicaFiles } from "./replica-files.ts";

export interface RecoveryOptions {
  readonly database: ReplicaDatabase;
  readonly files: ReplicaFiles;
  readonly positionFile: PositionFile;
  readonly copy: LogCopy;
  /** Whether the database has been open all the time since the position was written. */
  readonly isRunning: boolean;
  /** Of the machine, now ({@link ../shared/storage/boot-id.ts!currentBootId}). */
  readonly bootId: string;
  readonly report: (message: string) => void;
}

export interface Recovered {
  readonly applier: Applier;
  readonly table: PageTable;
}

/**
 * Brings database, page table and position together after whatever happened, and proves that the database is at the
 * state which the position names. What there can be:
 *
 * - nothing happened: the WAL ends with the frame that was left, or the file has the stamp of an orderly close
 * - a crash of the process: a commit was under way; all of it is applied again, as one commit
 * - a crash of the machine: the database is at some state since the floor; everything since is applied again, as one
 *   commit, and then every page is compared
 * - someone else has written: the pages say so
 *
 * @throws foreign_write, diverged, damaged (a resync heals them), database_busy, storage_failed
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { database, files, positionFile, copy, bootId, report } = options;
  const position = positionFile.position;
  if (position === undefined || position.phase === "resyncing") {
    throw new TailraceError("diverged", "a resync was interrupted", { retryable: true });
  }
  const found = database.appender.index.read().header;
  const circumstances = judge(options, position, found);
  const { isTrusted, isPowerLoss } = circumstances;
  const isPublished = !samePoint(position.applied, position.intent) && isSameWal(found, position.intended);
  const base = isPowerLoss ? position.floor : isPublished ? position.intent : position.applied;
  if (compareCursors(copy.start, base.cursor) > 0) throw unreachable(base, copy);
  const goal = isPowerLoss ? lastWholeRecord(copy, files, position) : position.intent;
  if (goal.txid > base.txid && compareCursors(copy.end, goal.cursor) < 0) throw unreachable(goal, copy);
  if (isPowerLoss) report("the machine went down: every page of the replica is checked");

  let table = await openTable(files, base);
  try {
    let isScanned = false;
    if (!isTrusted || table === undefined) {
      table ??= PageTable.create(files.pageTable);
      await scan(database, table);
      isScanned = true;
      // What is there is one of the two states that it may be at, or somebody else's.
      const isKnown = [position.applied, position.intent].some(
        ({ checksum }) => checksum === table!.checksum,
      );
      if (!isPowerLoss && !isKnown) throw isTrusted ? diverged(base, table) : foreignWrite(base, table);
    }
    const applier = new Applier({
      appender: database.appender,
      table,
      positionFile,
      // Under the base's name the database is what the last writer left: that was checked, or is about to be. The boot
      // id stays the old one until all is proven: whoever dies in between begins with every page again.
      position: { ...position, applied: base, left: markOf(found) },
      logFolder: files.logFolder,
    });
    if (goal.txid > base.txid) {
      const { commitTimeMs, epoch } = position;
      const batch = { from: base, to: goal, records: goal.txid - base.txid, commitTimeMs, epoch };
      for (const _ of applier.apply({ ...batch, pages: undefined, images: Buffer.alloc(0) })) await turn();
      report(`put back what was under way: transactions ${base.txid + 1} to ${goal.txid}`);
    }
    if (table.checksum !== goal.checksum && !isScanned) await scan(database, table);
    if (table.checksum !== goal.checksum) throw diverged(goal, table);
    const stamp = stampOf(database.file);
    applier.note({ applied: goal, intent: goal, phase: "following", isClean: false, stamp, bootId }, true);
    return { applier, table };
  } catch (error) {
    table?.close();
    throw error;
  }
}

/** Whether the database is known to be as it was left, and whether the machine went down since. */
function judge(
  { database, isRunning, bootId }: RecoveryOptions,
  position: Position,
  found: WalIndexHeader,
): { readonly isTrusted: boolean; readonly isPowerLoss: boolean } {
  const { left, intended, isClean, isStamped, stamp } = position;
  const isAsStamped =
    (isClean || isStamped) && found.mxFrame === 0 && sameStamp(stampOf(database.file), stamp);
  if (!isSameBoot(position.bootId, bootId) && !isClean && !isAsStamped)
    return { isTrusted: false, isPowerLoss: true };
  const isTrusted =
    isAsStamped ||
    (left.frame > 0 && isSameWal(found, left)) ||
    (intended.frame > 0 && isSameWal(found, intended)) ||
    (isRunning && isUndisturbed(found, left));
  return { isTrusted, isPowerLoss: false };
}

/** The page table, brought to the state; undefined where it cannot be. */
async function openTable(
  { pageTable, logFolder }: ReplicaFiles,
  to: StatePoint,
): Promise<PageTable | undefined> {
  const table = PageTable.open(pageTable);
  if (table === undefined) return undefined;
  try {
    if (table.mark.txid <= to.txid) {
      await replayInto(table, logFolder, to);
      return table;
    }
  } catch {
    // The log copy does not reach back to the mark, or is damaged there: the database itself can tell as well.
  }
  table.close();
  return undefined;
}

async function scan(database: ReplicaDatabase, table: PageTable): Promise<void> {
  const view = database.view();
  try {
    await scanInto(table, view);
  } finally {
    view.close();
  }
}

/** The end of what the log copy still holds after a power loss. What is torn behind it is cut. */
function lastWholeRecord(copy: LogCopy, { logFolder }: ReplicaFiles, position: Position): StatePoint {
  const { pageSizeBytes, floor, logId } = position;
  let last = floor;
  if (compareCursors(copy.end, floor.cursor) < 0) return last;
  const reader = new BatchReader({
    folder: logFolder,
    pageSizeBytes,
    logId,
    start: floor,
    // The position's is that of the newest record, or above.
    epoch: 0,
    end: () => copy.end,
  });
  try {
    // One record at a time: damage after it must not hide it.
    for (let batch = reader.next(0); batch !== undefined; batch = reader.next(0)) last = batch.to;
  } catch {
    // Not yet on the disk when the power went: the primary has it.
  } finally {
    reader.close();
  }
  copy.truncate(last.cursor);
  return last;
}

function unreachable({ txid }: StatePoint, { start, end }: LogCopy): TailraceError {
  return new TailraceError(
    "diverged",
    `the log copy (${formatCursor(start)} to ${formatCursor(end)}) does not have what follows transaction ${txid}`,
    { hint: "The replica compares its pages with the primary's and fetches those that differ." },
  );
}

function diverged(state: StatePoint, { checksum }: PageTable): TailraceError {
  return new TailraceError(
    "diverged",
    `at transaction ${state.txid} the database has checksum ${hex64(checksum)}, the log says ${hex64(state.checksum)}`,
    { hint: "The replica compares its pages with the primary's and fetches those that differ." },
  );
}

function foreignWrite(state: StatePoint, { checksum }: PageTable): TailraceError {
  return new TailraceError(
    "foreign_write",
    `another process has written to the replica: its pages have checksum ${hex64(checksum)}, ` +
      `transaction ${state.txid} has ${hex64(state.checksum)}`,
    { hint: FOREIGN_WRITE_HINT },
  );
}
