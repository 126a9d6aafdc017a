import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { TailraceError } from "../shared/errors.ts";
import type { WalMark } from "../shared/format/record.ts";
import { DamagedLogError } from "../shared/log/damaged-log-error.ts";
import { LogWriter } from "../shared/log/log-writer.ts";
import type { Durability, LogStorage } from "../shared/log/log-writer.ts";
import { lackingAfter } from "../shared/log/power-loss.ts";
import { listSegments } from "../shared/log/segment-files.ts";
import { DatabaseView } from "../shared/pages/database-view.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import { fillTable, scanView } from "../shared/pages/scan.ts";
import { judgeDatabase } from "../shared/plan/reconcile.ts";
import type { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { readMeta, writeMeta } from "../shared/storage/meta-file.ts";
import type { PrimaryMeta as Meta } from "../shared/storage/meta-file.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { readCleanClose, wasClosedCleanly } from "./clean-close.ts";
import { inSlices, recordDifference } from "./difference.ts";
import { loggedStates, openPageTable, setLogAside } from "./history.ts";
import type { Pin } from "./pin.ts";
import { putBack } from "./put-back.ts";
import { Recorder } from "./recorder.ts";
import { tableFromSnapshot } from "./snapshot-table.ts";
import { WalTail } from "./wal-tail.ts";

const BUSY_TRIES = 200;
const BUSY_PAUSE_MS = 50;

export interface EstablishOptions {
  readonly database: AttachedDatabase;
  readonly folder: DataFolder;
  /** Taken, so that the WAL keeps what is in it. */
  readonly pin: Pin;
  readonly durability: Durability;
  /** Of the machine ({@link ../shared/storage/boot-id.ts!currentBootId}). */
  readonly bootId: string;
  readonly segmentSizeBytes: number;
  /** Unix ms. */
  readonly clock: () => number;
  /** Tells the user something, in a sentence. */
  readonly say: (text: string) => void;
  /** The database is known to be another one than the log's. */
  readonly isNewDatabase: boolean;
  /** Of the data folder, where the caller has them open: those past the end of the log are let go of. */
  readonly snapshots?: SnapshotStore;
  /** Where the log is written; a test's own, to fill its disk. */
  readonly storage?: LogStorage;
}

/** Log, page table and database at one and the same state. */
export interface Established {
  readonly log: LogWriter;
  readonly table: PageTable;
  readonly meta: Meta;
  /** Where that state stands in the SQLite WAL: the capture goes on from here. */
  readonly mark: WalMark;
  /** Pages that had to be read for it: all of the database, or none. */
  readonly comparedPages: number;
}

/**
 * Opens log and page table, and brings log and database to one state: whichever is behind catches up.
 *
 * When the log's last commit stands in the WAL, what follows it there follows it in the log, and nothing is to be done;
 * nor when the database file has not been touched since Tailrace was stopped.
 * Otherwise all pages are compared: equal; or the database lost what the log still has, which is put back; or it has
 * moved on unseen, which is logged as one difference. A log that cannot be continued is set aside for a new one.
 */
export async function establish(options: EstablishOptions): Promise<Established> {
  const { folder, isNewDatabase } = options;
  const meta = readMeta(folder.metaFile);
  if (meta?.role === "replica") {
    throw new TailraceError("invalid_configuration", `${folder.path} is the data folder of a replica`, {
      hint: "Give the primary a data folder of its own with --data-dir.",
    });
  }
  if (meta === undefined) return await beginLog(options, 1);
  const opened = isNewDatabase ? "the database file was replaced by another" : openLog(options, meta);
  if (typeof opened === "string") return await replaceLog(options, meta, opened);
  const established = await reconcileInTime(options, meta, opened);
  if (typeof established !== "string") return established;
  opened.close();
  return await replaceLog(options, meta, established);
}

/** As {@link reconcile}, again and again while something passing is in the way. On an error the log is closed. */
async function reconcileInTime(
  options: EstablishOptions,
  meta: Meta,
  log: LogWriter,
): Promise<Established | string> {
  for (let tries = 1; ; tries++) {
    try {
      const established = await reconcile(options, meta, log);
      if (typeof established !== "string") keepMeta(options, meta, established);
      return established;
    } catch (error) {
      if (!(error instanceof TailraceError) || !error.retryable || tries === BUSY_TRIES) {
        log.close();
        throw error;
      }
      if (tries === 1) options.say(`waiting: ${error.message}`);
      await setTimeout(BUSY_PAUSE_MS);
    }
  }
}

function keepMeta({ folder }: EstablishOptions, before: Meta, { meta, table }: Established): void {
  if (isDeepStrictEqual(before, meta)) return;
  try {
    writeMeta(folder.metaFile, meta);
  } catch (error) {
    table.close();
    throw error;
  }
}

/** @returns why it cannot be continued, where it cannot */
function openLog(options: EstablishOptions, meta: Meta): LogWriter | string {
  const { database, folder, bootId, say } = options;
  if (meta.pageSizeBytes !== database.pageSizeBytes) {
    return `the database's page size changed from ${meta.pageSizeBytes} to ${database.pageSizeBytes}`;
  }
  // With the log's number a new one would be taken for the old one by whoever has followed that.
  if (!existsSync(folder.logFolder) || listSegments(folder.logFolder).length === 0)
    return "its segments are gone";
  try {
    const closed = readCleanClose(folder);
    const lacking = lackingAfter(meta, bootId, closed);
    const { log, cut } = LogWriter.open({
      ...logOptions(options, meta, { txid: 0, checksum: 0n, pageCount: 0 }),
      // All of a slice is synced at once: some of it may be there without what comes before. Nobody was told of it.
      lackingAfter: lacking,
      syncedTxid: closed?.logId === meta.logId ? closed.txid : undefined,
    });
    if (cut !== undefined) {
      const what = lacking === undefined ? "an unfinished record" : "what the machine went down over";
      say(`cut ${cut.bytes} bytes of ${what} off log segment ${cut.segment}`);
    }
    // Nobody may begin at a state that the log had, and will not have again.
    const beyond = options.snapshots?.removeBeyond(meta.logId, log.end) ?? [];
    if (beyond.length > 0)
      say(`the log ends at transaction ${log.headTxid}: removed the snapshots past it, ${beyond.join(", ")}`);
    return log;
  } catch (error) {
    if (error instanceof DamagedLogError) return error.message;
    throw error;
  }
}

/** @returns why the log cannot be continued, where it cannot */
async function reconcile(
  options: EstablishOptions,
  meta: Meta,
  log: LogWriter,
): Promise<Established | string> {
  const { database, folder, pin, say } = options;
  const isSameFile = meta.databaseFile === database.identity;
  const here = { ...meta, databaseFile: database.identity, bootId: options.bootId };
  let table = openPageTable(folder, log);
  const source = log.lastSource;
  if (table !== undefined && source !== undefined && holds(database, source)) {
    return { log, table, meta: here, mark: source, comparedPages: 0 };
  }

  const view = DatabaseView.open(database);
  try {
    // The view is what will be captured: a writer may begin the WAL anew while its pages are compared.
    pin.move(view.mark);
    const isUntouched = view.mark.frame === 0 && wasClosedCleanly(database.file, folder, meta.logId, log);
    if (table !== undefined && isUntouched)
      return { log, table, meta: here, mark: view.mark, comparedPages: 0 };
    const head = { txid: log.headTxid, checksum: log.headChecksum };
    const found = await inSlices(scanView(view, () => {}));
    if (found === head.checksum && view.pageCount === log.headPageCount) {
      table ??= await newTable(options, log, view);
      return { log, table, meta: here, mark: view.mark, comparedPages: view.pageCount };
    }
    if (!isSameFile) return "the database file was replaced by another";
    table ??= tableFromSnapshot(folder, log, meta.logId);
    if (table === undefined) return "the page checksum table is lost, and no snapshot has it";

    const earlier = loggedStates(log, folder.logFolder, table.mark.cursor);
    const verdict = judgeDatabase(found, head, earlier);
    if (verdict.kind === "put-back") {
      const mark = putBack({
        driver: database.driver,
        file: database.file,
        logFolder: folder.logFolder,
        log,
        from: table.mark.cursor,
        txid: verdict.txid,
        header: view.header,
      });
      if (mark === undefined) throw busy(database.file);
      const count = log.headTxid - verdict.txid;
      say(`the database had lost its newest ${count} transactions; they were put back from the log`);
      pin.move(mark);
      return { log, table, meta: here, mark, comparedPages: view.pageCount };
    }
    const pages = await recordDifference(
      view,
      table,
      new Recorder({ ...options, log, table, epoch: meta.epoch }),
    );
    log.sync();
    say(
      `the database changed while Tailrace was away: ${pages} pages, logged as transaction ${log.headTxid}`,
    );
    return { log, table, meta: here, mark: view.mark, comparedPages: view.pageCount };
  } catch (error) {
    table?.close();
    log.abandonRecord();
    throw error;
  } finally {
    view.close();
  }
}

/** Whether the WAL still has the commit, so that what follows it there is all that has happened since. */
function holds(database: AttachedDatabase, source: WalMark): boolean {
  const { header } = database.index.read();
  if (header.salts !== source.salts || header.mxFrame < source.frame) return false;
  const tail = new WalTail(database.walFile, database.pageSizeBytes, source);
  try {
    return tail.holds(source);
  } finally {
    tail.close();
  }
}

async function replaceLog(options: EstablishOptions, meta: Meta, reason: string): Promise<Established> {
  const target = setLogAside(options.folder, meta.logId);
  options.say(
    `a new log begins, because ${reason}; the old one is kept in ${target}. Replicas will compare pages.`,
  );
  return await beginLog(options, meta.epoch);
}

/** Begins the log of the database as it is now. */
async function beginLog(options: EstablishOptions, epoch: number): Promise<Established> {
  const { database, folder, pin } = options;
  // Without meta.json, a log in the folder is one whose making was interrupted.
  if (existsSync(folder.logFolder)) setLogAside(folder, "unfinished");
  const view = DatabaseView.open(database);
  try {
    pin.move(view.mark);
    const meta: Meta = {
      role: "primary",
      logId: randomBytes(16).toString("hex"),
      epoch,
      databaseFile: database.identity,
      pageSizeBytes: view.pageSizeBytes,
      bootId: options.bootId,
    };
    const table = PageTable.create(folder.pageTableFile);
    await inSlices(fillTable(table, view));
    const { checksum, pageCount } = table;
    const { log } = LogWriter.open(logOptions(options, meta, { txid: 0, checksum, pageCount }));
    table.flush({ txid: log.headTxid, cursor: log.end });
    writeMeta(folder.metaFile, meta);
    return { log, table, meta, mark: view.mark, comparedPages: view.pageCount };
  } finally {
    view.close();
  }
}

async function newTable(
  { folder }: EstablishOptions,
  log: LogWriter,
  view: DatabaseView,
): Promise<PageTable> {
  const table = PageTable.create(folder.pageTableFile);
  await inSlices(fillTable(table, view));
  table.flush({ txid: log.headTxid, cursor: log.end });
  return table;
}

function logOptions(
  { folder, segmentSizeBytes, durability, clock, storage }: EstablishOptions,
  { logId, epoch, pageSizeBytes }: Meta,
  initial: { txid: number; checksum: bigint; pageCount: number },
): Parameters<typeof LogWriter.open>[0] {
  return {
    folder: folder.logFolder,
    logId,
    epoch,
    pageSizeBytes,
    segmentSizeBytes,
    durability,
    clock,
    initial,
    ...(storage === undefined ? {} : { storage }),
  };
}

function busy(file: string): TailraceError {
  return new TailraceError("database_busy", `${file} is being written to`, { retryable: true });
}
