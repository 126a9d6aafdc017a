import { setTimeout as pause } from "node:timers/promises";
import { TailraceError, asTailraceError, toErrorData } from "../errors.ts";
import { hashPage } from "../format/page-hash.ts";
import type { DatabaseView } from "../pages/database-view.ts";
import { recentError } from "../recent-errors.ts";
import type { VerificationStatus } from "./verification-status.ts";
import { hex64 } from "../units.ts";
import type { DatabaseChecksum, PageNumber, Txid } from "../units.ts";
import { eachDamage } from "./log-verification.ts";
import type { LogOnDisk } from "./log-verification.ts";
import { VerificationThread } from "./verification-thread.ts";

/** Different pages that are named. */
const MAX_NAMED_PAGES = 100;
/** Damaged segments that are named: the newest ones, for all before them is given up with them. */
const MAX_NAMED_SEGMENTS = 100;
/** While no state is known (a replica in the middle of a batch, a busy database), one is asked for again. */
const RETRY_PAUSE_MS = 20;
const MAX_TRIES = 500;

/** The database at one state, and what the log says of exactly that state. */
export interface VerificationSubject {
  /** Closed by the verification. */
  readonly view: DatabaseView;
  readonly txid: Txid;
  /** What the log says. */
  readonly databaseChecksum: DatabaseChecksum;
}

export interface VerificationOptions {
  /**
   * The newest state. View, log and page table are all at it, until the caller returns to the event loop at least.
   *
   * @throws a retryable error while there is no such state: it is asked for again, for some ten seconds
   */
  readonly open: () => VerificationSubject;
  /**
   * The log that is on disk, all of it durable.
   *
   * @throws as {@link open}
   */
  readonly openLog: () => LogOnDisk;
  /** What the page table has for a page, as it stands now. */
  readonly hashOf: (pageNumber: PageNumber) => bigint;
  /** Unix ms. */
  readonly clock: () => number;
  /** Told how each run has ended: for the log, the metrics, and whoever mends a difference. */
  readonly onEnd?: (status: VerificationStatus) => void;
}

const NEVER: VerificationStatus = {
  state: "none",
  txid: null,
  expectedChecksum: null,
  foundChecksum: null,
  pagesDone: 0,
  pagesTotal: 0,
  differentPages: [],
  logBytesDone: 0,
  logBytesTotal: 0,
  logDamage: [],
  startedMs: null,
  endedMs: null,
  error: null,
};

/**
 * Re-reads every page, and then the log, from the files, on demand, while writers go on. It belongs to an engine, on the engine's thread:
 *
 *     const verification = new Verification({
 *       clock,
 *       hashOf: (page) => capture.table.get(page),
 *       open: () => {
 *         const view = capture.openView();                  // captures to the view's very state, or throws not_ready
 *         const { log, table } = capture;
 *         return { view, txid: log.headTxid, databaseChecksum: table.checksum };
 *       },
 *     });
 *     // EngineMethods: startVerification: () => verification.start(), verification: () => verification.status()
 *     // on close, before the database is let go of: await verification.close()
 *
 * A first pass, in a thread of its own, comes to the XOR of all pages of one pinned state; the log says what that has to
 * be, so nothing races with the capture. Only if it is another does a second pass find the pages: it hands hashes over
 * slice by slice, and those that the page table does not have are suspects, for they are different or have been written
 * since. Each is then read again from a view of the newest state, to which the page table belongs, within one turn of
 * the engine's thread: what differs there differs on disk. A damaged page that has been written anew since is sound
 * again and not named, but for the checksum of the first pass. Both passes read through the system's page cache.
 *
 * While it reads pages it is a reader of the database like any other: the SQLite WAL cannot restart. What it finds in the
 * log is proved in log-verification.ts.
 */
export class Verification {
  private readonly options: VerificationOptions;
  private readonly stopping = new AbortController();
  private latest: VerificationStatus = NEVER;
  private thread: VerificationThread | undefined;
  private running: Promise<void> | undefined;
  /** Pages of the first pass, once the second has begun. */
  private firstPassPages = 0;
  /** Pages are done, and the log is read. */
  private isAtLog = false;

  constructor(options: VerificationOptions) {
    this.options = options;
  }

  /** Begins; during another run, nothing. @throws closed after {@link close} */
  start(): VerificationStatus {
    if (this.stopping.signal.aborted) throw stopped();
    if (this.running === undefined) {
      this.latest = { ...NEVER, state: "running", startedMs: this.options.clock() };
      this.firstPassPages = 0;
      this.isAtLog = false;
      this.running = this.run().finally(() => (this.running = undefined));
    }
    return this.status();
  }

  /** Of the run under way, or the last one. Where the pages of a difference are looked for, they count twice. */
  status(): VerificationStatus {
    const { thread, latest } = this;
    if (thread === undefined) return latest;
    if (!this.isAtLog) return { ...latest, pagesDone: this.firstPassPages + thread.pagesDone };
    return { ...latest, logBytesDone: Math.min(thread.logBytesDone, latest.logBytesTotal) };
  }

  /** Stops what is under way. */
  async close(): Promise<void> {
    this.stopping.abort();
    this.thread?.stop();
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      const pages = await this.readPages();
      await this.readLog();
      this.end({ state: this.latest.logDamage.length > 0 ? "different" : pages });
    } catch (error) {
      this.end({ state: "failed", error: recentError(toErrorData(error), this.options.clock()) });
    }
  }

  private async readPages(): Promise<"identical" | "different"> {
    const { view, txid, databaseChecksum } = await this.whenKnown(() => this.options.open());
    try {
      this.latest = {
        ...this.latest,
        txid,
        expectedChecksum: hex64(databaseChecksum),
        pagesTotal: view.pageCount,
      };
      return await this.inThread(async (thread) => {
        const found = await thread.checksum();
        this.latest = { ...this.latest, foundChecksum: hex64(found) };
        if (found === databaseChecksum) return "identical";
        this.firstPassPages = view.pageCount;
        this.latest = { ...this.latest, pagesTotal: 2 * view.pageCount };
        await this.namePages(thread);
        return "different";
      }, view);
    } finally {
      view.close();
    }
  }

  private async readLog(): Promise<void> {
    const { sizeBytes: logBytesTotal } = await this.lookAtLog();
    this.isAtLog = true;
    this.latest = { ...this.latest, logBytesTotal };
    await this.inThread(async (thread) => {
      for await (const damage of eachDamage(thread, () => this.lookAtLog())) {
        const logDamage = [...this.latest.logDamage, damage].slice(-MAX_NAMED_SEGMENTS);
        this.latest = { ...this.latest, logDamage };
      }
    });
    this.latest = { ...this.latest, logBytesDone: logBytesTotal };
  }

  private lookAtLog(): Promise<LogOnDisk> {
    return this.whenKnown(() => this.options.openLog());
  }

  private async inThread<T>(
    work: (thread: VerificationThread) => Promise<T>,
    view?: DatabaseView,
  ): Promise<T> {
    const thread = new VerificationThread(view);
    this.thread = thread;
    try {
      if (this.stopping.signal.aborted) thread.stop();
      return await work(thread);
    } finally {
      this.latest = this.status();
      await thread.close();
      this.thread = undefined;
    }
  }

  private async namePages(thread: VerificationThread): Promise<void> {
    const { hashOf } = this.options;
    for (let slice = await thread.nextHashes(); slice !== null; slice = await thread.nextHashes()) {
      const { pages, hashes } = slice;
      const suspects = [...pages].filter((page, index) => hashOf(page) !== hashes[index]);
      if (suspects.length === 0) continue;
      const named = await this.whenKnown(() => {
        const { view } = this.options.open();
        try {
          return suspects.filter((page) => isDifferent(view, page, hashOf));
        } finally {
          view.close();
        }
      });
      const differentPages = [...this.latest.differentPages, ...named].slice(0, MAX_NAMED_PAGES);
      this.latest = { ...this.latest, differentPages };
      if (differentPages.length === MAX_NAMED_PAGES) return;
    }
  }

  /** Looks again and again, while what is looked at is not known. */
  private async whenKnown<T>(look: () => T): Promise<T> {
    const { signal } = this.stopping;
    for (let tries = 1; ; tries++) {
      if (signal.aborted) throw stopped();
      try {
        return look();
      } catch (error) {
        if (!asTailraceError(error).retryable || tries === MAX_TRIES) throw error;
      }
      await pause(RETRY_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private end(how: Pick<VerificationStatus, "state"> & Partial<VerificationStatus>): void {
    this.latest = { ...this.latest, ...how, endedMs: this.options.clock() };
    this.options.onEnd?.(this.latest);
  }
}

function isDifferent(view: DatabaseView, page: PageNumber, hashOf: (page: PageNumber) => bigint): boolean {
  if (page > view.pageCount) return false;
  const image = Buffer.allocUnsafe(view.pageSizeBytes);
  view.readRun(page, 1, image);
  return hashPage(page, image) !== hashOf(page);
}

function stopped(): TailraceError {
  return new TailraceError("closed", "the verification was stopped before its end");
}
