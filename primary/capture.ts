import { TailraceError } from "../shared/errors.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import { failpoint } from "../shared/failpoint.ts";
import { DatabaseView } from "../shared/pages/database-view.ts";
import type { LogWriter } from "../shared/log/log-writer.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { isSameMark, judgeWal, markOf } from "../shared/plan/wal-continuity.ts";
import type { WalMark } from "../shared/format/record.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { isBusy } from "../shared/sqlite/driver.ts";
import type { PrimaryMeta } from "../shared/storage/meta-file.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { recordDifference } from "./difference.ts";
import { establish } from "./establish.ts";
import type { EstablishOptions } from "./establish.ts";
import { openPageTable } from "./history.ts";
import { Pin } from "./pin.ts";
import { Recorder } from "./recorder.ts";
import { BrokenWalError, WalTail } from "./wal-tail.ts";

/** Read from the WAL between two looks at what else there is to do. */
export const SLICE_BYTES: number = 8 << 20;

export type CaptureOptions = Omit<EstablishOptions, "pin">;

/**
 * - `end`: everything that is committed is recorded.
 * - `more`: there is more; ask again.
 * - `missed`: commits may have been missed. {@link Capture.captureDifference} has to come next.
 */
export type CaptureProgress = "end" | "more" | "missed";

/** Turns the commits of one database, whoever makes them, into records of one log. */
export class Capture {
  readonly database: AttachedDatabase;
  readonly meta: PrimaryMeta;
  readonly log: LogWriter;
  readonly pin: Pin;
  /** Pages read at the start to bring log and database to one state. */
  readonly comparedPages: number;
  private readonly options: CaptureOptions;
  private pageTable: PageTable;
  private recorder: Recorder;
  private readonly tail: WalTail;
  /** Why commits may have been missed; undefined while none were. */
  private gap: string | undefined;
  private differences = 0;
  private published = 0;
  /** An error has left log, page table and tail within a record, each somewhere else. */
  private isWithinError = false;

  /** Attaches to the database, and brings log and database to one state. @throws what {@link establish} throws */
  static async open(options: CaptureOptions): Promise<Capture> {
    const { database } = options;
    const pin = new Pin(database.driver, database.file, database.index);
    try {
      pin.take();
      const { log, table, meta, mark, comparedPages } = await establish({ ...options, pin });
      return new Capture(
        options,
        pin,
        log,
        table,
        meta,
        new WalTail(database.walFile, meta.pageSizeBytes, mark),
        comparedPages,
      );
    } catch (error) {
      pin.close();
      throw error;
    }
  }

  private constructor(
    options: CaptureOptions,
    pin: Pin,
    log: LogWriter,
    table: PageTable,
    meta: PrimaryMeta,
    tail: WalTail,
    comparedPages: number,
  ) {
    this.options = options;
    this.database = options.database;
    this.pin = pin;
    this.log = log;
    this.pageTable = table;
    this.meta = meta;
    this.tail = tail;
    this.comparedPages = comparedPages;
    this.recorder = this.newRecorder();
  }

  get table(): PageTable {
    return this.pageTable;
  }

  /** Number of differences logged since the start because commits were missed. */
  get differenceCount(): number {
    return this.differences;
  }

  /** Whether commits may have been missed, so that nothing can be captured before all pages are compared. */
  get isMissing(): boolean {
    return this.gap !== undefined;
  }

  /** Where the last captured commit stands in the SQLite WAL. */
  get mark(): WalMark {
    return this.tail.mark;
  }

  /** Frames of the SQLite WAL that are captured. */
  get capturedFrames(): number {
    return this.tail.mark.frame;
  }

  /** Frames of the SQLite WAL, captured or not, when it was last looked at. */
  get publishedFrames(): number {
    return this.published;
  }

  /** Frames of the SQLite WAL: all that are committed, those captured, and those of them that are in the database file. */
  wal(): {
    readonly publishedFrames: number;
    readonly capturedFrames: number;
    readonly backfilledFrames: number;
  } {
    const { header, backfill } = this.database.index.read();
    const isSame = header.salts === this.tail.mark.salts;
    return {
      publishedFrames: header.mxFrame,
      capturedFrames: this.tail.mark.frame,
      backfilledFrames: isSame ? backfill : 0,
    };
  }

  /** Whether there is anything to capture. One small read. */
  hasNews(): boolean {
    return this.gap !== undefined || !isSameMark(markOf(this.database.index.read().header), this.tail.mark);
  }

  /** Whether frames may have been written that no commit has published yet. One small read. */
  isNewsComing(): boolean {
    return this.tail.mark.frame === 0 || this.tail.isFollowed || this.hasNews();
  }

  /** Whether all that is committed is captured, and in the database file as well. */
  isCheckpointed(): boolean {
    const { header, backfill } = this.database.index.read();
    return isSameMark(markOf(header), this.tail.mark) && backfill >= header.mxFrame;
  }

  /**
   * Captures what is committed by now.
   *
   * @param budgetBytes about how much to read of the WAL
   * @throws storage_failed; the next call goes back to the last whole record first
   */
  capture(budgetBytes: number): CaptureProgress {
    return this.captureTo(this.database.index.read().header, budgetBytes);
  }

  /** Captures all that is committed by now. @throws as {@link capture} */
  captureAll(): CaptureProgress {
    for (;;) {
      const progress = this.capture(Number.POSITIVE_INFINITY);
      if (progress !== "more") return progress;
    }
  }

  /**
   * The database at the state that the log and the page table are at too. To be closed by the caller.
   *
   * @returns undefined when commits may have been missed
   */
  openView(): DatabaseView | undefined {
    if (this.captureAll() === "missed") return undefined;
    const view = DatabaseView.open(this.database);
    try {
      if (this.captureTo(view.header, Number.POSITIVE_INFINITY) === "end") return view;
    } catch (error) {
      view.close();
      throw error;
    }
    view.close();
    return undefined;
  }

  /** Makes what is captured durable, and so fit to be shown. */
  sync(): void {
    if (compareCursors(this.log.durableEnd, this.log.end) < 0) this.log.sync();
    failpoint("capture.synced");
  }

  /** Moves the pin to the last captured commit. Everything has just been captured. @returns whether it could */
  movePin(): boolean {
    try {
      this.pin.move(this.tail.mark);
    } catch (error) {
      if (!isBusy(this.database.driver, error)) throw error;
      return false;
    }
    failpoint("capture.pin-moved");
    return true;
  }

  /** Declares that commits may have been missed. */
  declareGap(reason: string): void {
    this.gap ??= reason;
  }

  /** Compares all pages, and records those that differ as one transaction: what was missed is then no longer missing. */
  async captureDifference(): Promise<void> {
    const reason = this.gap ?? "asked for";
    const view = DatabaseView.open(this.database);
    try {
      this.recover();
      const pages = await recordDifference(view, this.table, this.recorder);
      this.tail.restartAt(view.mark);
      this.gap = undefined;
      this.movePin();
      this.differences += 1;
      this.options.say(
        `commits may have been missed (${reason}); all pages were compared, ` +
          (pages === 0
            ? "none differ"
            : `${pages} differ and are logged as transaction ${this.log.headTxid}`),
      );
    } finally {
      view.close();
    }
  }

  /** Puts what the SQLite WAL has on disk where it is. */
  async syncWal(): Promise<void> {
    await this.tail.sync();
  }

  /** The database, or its WAL, is known to hold, on disk, the state of that transaction: it cannot come back older. */
  markDurable(mark: { readonly txid: Txid; readonly cursor: Cursor }): void {
    this.log.sync();
    // Entries of a transaction that is not in the log yet must not get to the disk.
    if (!this.tail.isWithinTransaction && this.gap === undefined) this.pageTable.flush(mark);
  }

  /** After an error: takes log and page table back to the last whole record. */
  recover(): void {
    this.log.abandonRecord();
    this.tail.restartAt(this.tail.mark);
    this.recorder = this.newRecorder();
    if (this.table.checksum !== this.log.headChecksum) this.reopenTable();
    this.isWithinError = false;
  }

  private reopenTable(): void {
    const table = openPageTable(this.options.folder, this.log);
    if (table === undefined) {
      throw new TailraceError(
        "damaged",
        `the page table ${this.options.folder.pageTableFile} cannot be restored`,
        {
          hint: "Start again: it is made anew from the database or a snapshot.",
        },
      );
    }
    this.pageTable.close();
    this.pageTable = table;
    this.recorder = this.newRecorder();
  }

  /** Releases everything but the database, which is the caller's. */
  close(): void {
    this.tail.close();
    this.pageTable.close();
    this.log.close();
    this.pin.close();
  }

  private captureTo(header: WalIndexHeader, budgetBytes: number): CaptureProgress {
    this.published = header.mxFrame;
    if (this.gap !== undefined) return "missed";
    if (this.isWithinError) this.recover();
    const verdict = judgeWal(this.tail.mark, header, this.pin.mayRestart);
    if (verdict === "missed") {
      this.declareGap("the SQLite WAL was restarted behind Tailrace's back");
      return "missed";
    }
    if (verdict !== "unchanged") {
      const progress = this.readTo(header, verdict, budgetBytes);
      if (progress !== "end") return progress;
    }
    // A pin that lets the WAL restart serves for one restart; from its first commit on, it would also make each of the
    // application's own checkpoints sort the whole WAL in vain. The first one serves for none.
    if (this.pin.isFirst || (verdict !== "unchanged" && this.pin.mayRestart)) this.movePin();
    return "end";
  }

  private readTo(
    header: WalIndexHeader,
    verdict: "grown" | "restarted",
    budgetBytes: number,
  ): CaptureProgress {
    try {
      if (verdict === "restarted") this.tail.restartWithin(header);
      return this.tail.read(header, this.recorder, budgetBytes) ? "end" : "more";
    } catch (error) {
      this.isWithinError = true;
      if (!(error instanceof BrokenWalError)) throw error;
      this.declareGap(error.message);
      return "missed";
    }
  }

  private newRecorder(): Recorder {
    const { log, pageTable: table, database, meta } = this;
    return new Recorder({ database, log, table, epoch: meta.epoch, clock: this.options.clock });
  }
}
