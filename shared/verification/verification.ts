import { setTimeout as pause } from "node:timers/promises";
import { TailraceError, asTailraceError, toErrorData } from "../errors.ts";
import { hashPage } from "../format/page-hash.ts";
import type { DatabaseView } from "../pages/database-view.ts";
import { recentError } from "../recent-errors.ts";
import type { VerificationStatus } from "../status.ts";
import { hex64 } from "../units.ts";
import type { DatabaseChecksum, PageNumber, Txid } from "../units.ts";
import { VerificationThread } from "./verification-thread.ts";

/** Different pages that are named. */
const MAX_NAMED_PAGES = 100;
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
  startedMs: null,
  endedMs: null,
  error: null,
};

/**
 * Re-reads every page from the files, on demand, while writers go on. It belongs to an engine, on the engine's thread:
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
 * While it runs it is a reader of the database like any other: the SQLite WAL cannot restart.
 */
export class Verification {
  private readonly options: VerificationOptions;
  private readonly stopping = new AbortController();
  private latest: VerificationStatus = NEVER;
  private thread: VerificationThread | undefined;
  private running: Promise<void> | undefined;
  /** Pages of the first pass, once the second has begun. */
  private firstPassPages = 0;

  constructor(options: VerificationOptions) {
    this.options = options;
  }

  /** Begins; during another run, nothing. @throws closed after {@link close} */
  start(): VerificationStatus {
    if (this.stopping.signal.aborted) throw stopped();
    if (this.running === undefined) {
      this.latest = { ...NEVER, state: "running", startedMs: this.options.clock() };
      this.firstPassPages = 0;
      this.running = this.run().finally(() => (this.running = undefined));
    }
    return this.status();
  }

  /** Of the run under way, or the last one. Where the pages of a difference are looked for, they count twice. */
  status(): VerificationStatus {
    if (this.thread === undefined) return this.latest;
    return { ...this.latest, pagesDone: this.firstPassPages + this.thread.pagesDone };
  }

  /** Stops what is under way. */
  async close(): Promise<void> {
    this.stopping.abort();
    this.thread?.stop();
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      const state = await this.readAll();
      this.end({ state });
    } catch (error) {
      this.end({ state: "failed", error: recentError(toErrorData(error), this.options.clock()) });
    }
  }

  private async readAll(): Promise<"identical" | "different"> {
    const { view, txid, databaseChecksum } = await this.atNewest((subject) => subject);
    try {
      this.thread = new VerificationThread(view);
      if (this.stopping.signal.aborted) this.thread.stop();
      this.latest = {
        ...this.latest,
        txid,
        expectedChecksum: hex64(databaseChecksum),
        pagesTotal: view.pageCount,
      };
      const found = await this.thread.checksum();
      this.latest = { ...this.latest, foundChecksum: hex64(found) };
      if (found === databaseChecksum) return "identical";
      this.firstPassPages = view.pageCount;
      this.latest = { ...this.latest, pagesTotal: 2 * view.pageCount };
      await this.namePages(this.thread);
      return "different";
    } finally {
      this.latest = this.status();
      await this.thread?.close();
      this.thread = undefined;
      view.close();
    }
  }

  private async namePages(thread: VerificationThread): Promise<void> {
    const { hashOf } = this.options;
    for (let slice = await thread.nextHashes(); slice !== null; slice = await thread.nextHashes()) {
      const { pages, hashes } = slice;
      const suspects = [...pages].filter((page, index) => hashOf(page) !== hashes[index]);
      if (suspects.length === 0) continue;
      const named = await this.atNewest(({ view }) => {
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

  /** Opens the newest state and, before anything else can run here, uses it. */
  private async atNewest<T>(use: (subject: VerificationSubject) => T): Promise<T> {
    const { signal } = this.stopping;
    for (let tries = 1; ; tries++) {
      if (signal.aborted) throw stopped();
      try {
        return use(this.options.open());
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
