import { rmSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import { failpoint } from "../shared/failpoint.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import type { LeftMark, Position, StatePoint } from "../shared/format/position.ts";
import { NO_MARK } from "../shared/format/position.ts";
import { FragmentReader } from "../shared/log/fragment-reader.ts";
import { LogCopy } from "../shared/log/log-copy.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import type { ReplicaRoom } from "../shared/storage/disk-room.ts";
import { hex64, lockPage } from "../shared/units.ts";
import type { Cursor, PageNumber } from "../shared/units.ts";
import { violation } from "./answers.ts";
import { BatchReader } from "./batch.ts";
import { assertNotStale } from "./fencing.ts";
import { isUndisturbed, markOf } from "./left-mark.ts";
import { scanInto } from "./page-scan.ts";
import { stampOf } from "./position-file.ts";
import type { PositionFile } from "./position-file.ts";
import { CHUNK_BYTES } from "./receiver.ts";
import type { Receiver } from "./receiver.ts";
import type { ReplicaDatabase } from "./replica-database.ts";
import type { ReplicaFiles } from "./replica-files.ts";
import type { SnapshotClient, SnapshotHead } from "./snapshot-client.ts";
import { WantedPages } from "./wanted-pages.ts";

/**
 * Log that is fetched along with the pages, and becomes one commit with them; what is beyond comes in the usual way. More
 * only where the replica had that already: its readers are not to step back.
 */
export const MAX_LOG_BYTES: number = 256 << 20;

export interface ResyncSource {
  readonly client: SnapshotClient;
  readonly receiver: Pick<Receiver, "fetch">;
  readonly onProgress: (fetchedPages: number) => void;
  readonly signal: AbortSignal;
}

export interface ResyncOptions extends ResyncSource {
  readonly database: ReplicaDatabase;
  readonly files: ReplicaFiles;
  readonly positionFile: PositionFile;
  /** Puts what was fetched (`files.resyncLog`) in the place of the log copy. */
  readonly replaceLog: () => void;
  readonly bootId: string;
  readonly room: ReplicaRoom;
  /** The newest epoch that was seen of a history; 0 where none was. */
  readonly epochSeen: (logId: string) => number;
}

export interface ResyncOutcome {
  /** That differed from the snapshot. */
  readonly pages: number;
  /** Page checksums, pages, and the log after the snapshot. */
  readonly fetchedBytes: number;
}

/** A state in the log, and what its record says besides. */
interface Goal {
  readonly state: StatePoint;
  readonly epoch: number;
  /** Unix ms; 0 where there is no record. */
  readonly commitTimeMs: number;
}

/**
 * Makes the replica equal to the primary as it is now, whatever it was before: fetches the pages that differ from the
 * primary's newest snapshot, each verified by its hash, and the log after it, and puts both into the database as one
 * commit under open readers. So no reader sees a state older than before, unless the primary itself went back. A crash at
 * any point leaves the state before or the state after; an interrupted resync is begun again.
 *
 * @throws page_size_changed, stale_epoch, snapshot_unknown (superseded on the way: try again), database_busy, and what
 * the transport throws
 */
export async function resync(options: ResyncOptions): Promise<ResyncOutcome> {
  const { client, database, files, positionFile, bootId, signal, room } = options;
  const before = client.fetchedBytes;
  const head = await client.head(signal);
  assertCompatible(head, database.appender.pageSizeBytes);
  assertNotStale(head.epoch, options.epochSeen(head.logId), "the primary's snapshot");
  const { pageSizeBytes } = head;
  const { pageCount } = head.state;
  // Hashes twice: as they come, and in the page table.
  room.data.take(2 * 8 * pageCount, "the primary's snapshot");
  room.database.take(Math.max(0, pageCount * pageSizeBytes - database.sizeBytes), "the primary's snapshot");
  // Read page by page: whatever has led here, what the table says is not to be relied on.
  const table = PageTable.create(files.pageTable);
  const was = positionFile.position?.logId === head.logId ? positionFile.position : undefined;
  let wanted: WantedPages | undefined;
  try {
    wanted = new WantedPages(files, head);
    const seen = await scanDatabase(database, table);
    await wanted.fetchSums(client, signal);
    for (const run of wanted.differing(table)) {
      const runBytes = (run.end - run.first) * pageSizeBytes;
      room.data.take(runBytes, "the primary's snapshot");
      room.database.take(runBytes, "the primary's snapshot");
      await wanted.fetch(client, run, table, signal);
      options.onProgress(wanted.pageCount);
    }
    failpoint("resync.pages-fetched");
    const logBytes = await fetchLog(options, head, was);
    failpoint("resync.log-fetched");
    const goal = lastState(files, head, was);
    await land(options, head, goal, wanted, table, seen);
    options.replaceLog();
    failpoint("resync.log-replaced");
    const { state, epoch, commitTimeMs } = goal;
    table.flush({ txid: state.txid, cursor: state.cursor });
    const position = landed(
      { ...head, state, epoch },
      markOf(database.appender.header),
      database.file,
      bootId,
    );
    positionFile.write({ ...position, commitTimeMs }, true);
    return { pages: wanted.pageCount, fetchedBytes: client.fetchedBytes - before + logBytes };
  } finally {
    wanted?.close();
    table.close();
    rmSync(files.resyncLog, { recursive: true, force: true });
  }
}

/** Reads the database into the table. @returns where its WAL stood */
async function scanDatabase(database: ReplicaDatabase, table: PageTable): Promise<LeftMark> {
  const view = database.view();
  try {
    await scanInto(table, view);
    return markOf(view.header);
  } finally {
    view.close();
  }
}

/** Fetches the log after the snapshot, up to the primary's head as of now. @returns its bytes */
async function fetchLog(
  { receiver, files, signal, room }: ResyncOptions,
  { logId, epoch, state }: SnapshotHead,
  was: Position | undefined,
): Promise<number> {
  // By its name, so that the log after the snapshot is held for it; what is before it will not need again, on its disk or not.
  // Its word on how far it is: the old state still, if that is of this history, and is still there.
  const appliedTxid = was !== undefined && was.phase !== "resyncing" ? was.applied.txid : state.txid;
  rmSync(files.resyncLog, { recursive: true, force: true });
  const copy = LogCopy.open({ folder: files.resyncLog, start: state.cursor });
  try {
    let bytes = 0;
    for (let until: Cursor | undefined; ;) {
      const request = { cursor: copy.end, logId, epoch, appliedTxid, maxBytes: CHUNK_BYTES, waitMs: 0 };
      const chunk = await receiver.fetch({ ...request, signal });
      until ??= chunk.head.cursor;
      room.data.take(chunk.bytes.length, "the primary's log");
      room.database.take(chunk.bytes.length, "the primary's log");
      copy.append(chunk.from, chunk.bytes, chunk.next);
      bytes += chunk.bytes.length;
      // An answer that leads nowhere: whatever is wrong there, it is not to be asked for again and again.
      if (compareCursors(chunk.next, chunk.from) === 0) break;
      if (chunk.isEof || isEnough({ next: chunk.next, bytes, until, before: was?.applied.cursor })) break;
    }
    copy.sync();
    return bytes;
  } finally {
    copy.close();
  }
}

/** Whether the log that was fetched goes far enough: to the end as of the first answer, or as much as is to be one commit. */
export function isEnough({
  next,
  bytes,
  until,
  before,
}: {
  readonly next: Cursor;
  readonly bytes: number;
  readonly until: Cursor;
  /** Where the replica was, if that was in this log. */
  readonly before: Cursor | undefined;
}): boolean {
  if (compareCursors(next, until) >= 0) return true;
  return bytes >= MAX_LOG_BYTES && (before === undefined || compareCursors(next, before) >= 0);
}

/**
 * The state after the last whole record that was fetched and leads on from the snapshot.
 *
 * @param was the replica's own state, if that is of this log
 * @throws damaged, diverged, unknown_version where the log does not lead on as far as that
 */
function lastState({ resyncLog: folder }: ReplicaFiles, head: SnapshotHead, was: Position | undefined): Goal {
  let goal: Goal = { state: head.state, epoch: head.epoch, commitTimeMs: 0 };
  const copy = LogCopy.open({ folder });
  const { logId, pageSizeBytes, state, epoch } = head;
  const reader = new BatchReader({ folder, pageSizeBytes, logId, start: state, epoch, end: () => copy.end });
  try {
    // One record at a time: damage after it must not hide it. The receiver meets it again, and says so.
    for (let batch = reader.next(0); batch !== undefined; batch = reader.next(0))
      goal = { state: batch.to, epoch: batch.epoch, commitTimeMs: batch.commitTimeMs };
  } catch (error) {
    // Its readers would go back to a state that is not the primary's, and stay there.
    const isBehind = was !== undefined && goal.state.txid < was.applied.txid;
    if (isBehind || !["damaged", "diverged", "unknown_version"].includes(asTailraceError(error).code))
      throw error;
  } finally {
    reader.close();
    copy.close();
  }
  return goal;
}

/** Puts what was fetched into the database. From its first step on, the position says that a resync is under way. */
async function land(
  { database, positionFile, files, bootId }: ResyncOptions,
  head: SnapshotHead,
  goal: Goal,
  wanted: WantedPages,
  table: PageTable,
  seen: LeftMark,
): Promise<void> {
  const { appender } = database;
  // Where it is going: a resync that is begun again goes at least as far.
  const { state, epoch } = goal;
  const aim = landed({ ...head, state, epoch }, seen, database.file, bootId);
  positionFile.write({ ...aim, phase: "resyncing" }, true);
  failpoint("resync.intent-written");
  const found = appender.begin();
  try {
    if (!isUndisturbed(found, seen)) {
      throw new TailraceError(
        "database_busy",
        "another process has written to the replica during the resync",
        { retryable: true },
      );
    }
    const { pageCount } = goal.state;
    let frames = 0;
    const append = (page: PageNumber, image: Buffer): void => {
      table.set(page, hashPage(page, image));
      // Cut off again by the log after the snapshot.
      if (page > pageCount) return;
      appender.append(page, image);
      frames += 1;
    };
    const framesInSlice = (1 << 20) / head.pageSizeBytes;
    for (const { page, image } of wanted.pages()) {
      append(page, image);
      if (frames % framesInSlice === 0) await turn();
    }
    table.resize(head.state.pageCount);
    if (table.checksum !== head.state.checksum) {
      throw violation(
        `snapshot ${head.generation} has database checksum ${hex64(head.state.checksum)}, its pages ${hex64(table.checksum)}`,
      );
    }
    for (const [page, image] of pagesOfLog(files, head, goal)) {
      append(page, image);
      if (frames % framesInSlice === 0) await turn();
    }
    table.resize(pageCount);
    if (table.checksum !== goal.state.checksum) {
      throw violation(
        `transaction ${goal.state.txid} ends at ${hex64(goal.state.checksum)}, the pages amount to ${hex64(table.checksum)}`,
      );
    }
    if (frames > 0) {
      appender.commit({ databasePageCount: pageCount, isDurable: true });
      failpoint("resync.published");
    } else {
      // Nothing differs, but what is there may be in the memory of the machine alone.
      appender.sync();
    }
  } finally {
    appender.abort();
  }
}

/** The pages of each record from the snapshot to the goal, in order. */
function* pagesOfLog(
  { resyncLog: folder }: ReplicaFiles,
  { state, pageSizeBytes }: SnapshotHead,
  goal: Goal,
): Generator<readonly [PageNumber, Buffer]> {
  const lock = lockPage(pageSizeBytes);
  const reader = new FragmentReader({ folder, start: state.cursor, end: () => goal.state.cursor });
  try {
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
      const { pageNumbers, images } = placed.fragment;
      for (const [index, page] of pageNumbers.entries())
        if (page !== lock) yield [page, images.subarray(index * pageSizeBytes, (index + 1) * pageSizeBytes)];
    }
  } finally {
    reader.close();
  }
}

/** The position of a replica that is exactly at the state of a snapshot. */
export function landed(head: SnapshotHead, left: LeftMark, file: string, bootId: string): Position {
  return {
    pageSizeBytes: head.pageSizeBytes,
    logId: head.logId,
    epoch: head.epoch,
    applied: head.state,
    intent: head.state,
    // The image is in the file and synced, or the commit was made durable before it was published.
    floor: head.state,
    left,
    intended: NO_MARK,
    phase: "following",
    isClean: false,
    isStamped: false,
    stamp: stampOf(file),
    bootId,
    commitTimeMs: 0,
  };
}

function assertCompatible(head: SnapshotHead, pageSizeBytes: number): void {
  if (head.pageSizeBytes !== pageSizeBytes) {
    throw new TailraceError(
      "page_size_changed",
      `the primary's pages have ${head.pageSizeBytes} bytes now, the replica's ${pageSizeBytes}`,
      { hint: "Stop the replica's readers and remove its file: it is then fetched anew." },
    );
  }
  if (head.state.pageCount === 0)
    throw new TailraceError("not_ready", "the primary's database is empty yet", { retryable: true });
}
