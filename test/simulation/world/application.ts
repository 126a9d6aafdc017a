import { ProcessDied, runIn } from "../core/process.ts";
import type { Machine } from "../core/machine.ts";
import type { SimulatedProcess } from "../core/process.ts";
import type { Random } from "../core/random.ts";
import { DatabaseSync } from "../edges/sqlite.ts";
import { readContent } from "./content.ts";
import type { Content } from "./content.ts";
import type { Counts } from "./counts.ts";
import type { DatabaseImage } from "./database-image.ts";
import type { Oracle } from "./oracle.ts";
import type { Settings } from "./settings.ts";
import { noteProgress } from "./transactions.ts";
import type { Draft } from "./transactions.ts";

const SQLITE_BUSY = 5;

export interface ApplicationOptions {
  readonly machine: Machine;
  readonly file: string;
  readonly settings: Settings;
  readonly oracle: Oracle;
  readonly counts: Counts;
  /** Of the file. */
  readonly image: DatabaseImage;
  /** The database is for a while another one than the application's. */
  readonly isStale: () => boolean;
  /** A transaction was let through, or refused with this code of SQLite. */
  readonly wrote: (refusedWith: number | undefined) => void;
}

/** Some of a transaction's statements. */
export type Work = (draft: Draft) => void;

/**
 * The application whose database is followed: a process of its own on the primary's machine, which knows nothing of
 * Tailrace. What it commits is entered in the oracle, whether or not it lives to hear of it.
 */
export class Application {
  private readonly options: ApplicationOptions;
  private owner: SimulatedProcess | undefined;
  private connection: DatabaseSync | undefined;
  /** Of the newest transaction that was begun; never used twice. */
  private step = 1;
  /** Of an open transaction: what it would commit. */
  private drafted: Content | undefined;

  constructor(options: ApplicationOptions) {
    this.options = options;
  }

  get isRunning(): boolean {
    return this.owner?.isAlive === true;
  }

  get process(): SimulatedProcess | undefined {
    return this.isRunning ? this.owner : undefined;
  }

  get isInTransaction(): boolean {
    return this.isRunning && this.connection?.isTransaction === true;
  }

  /** Starts the process, if it does not run, and opens its connection. */
  start(process: () => SimulatedProcess): void {
    if (this.isRunning) return;
    this.owner = process();
    this.connection = undefined;
    this.attempt(() => void this.open());
  }

  /** Closes the connection: as the last one, it checkpoints and removes the WAL. */
  stop(): void {
    this.attempt(() => {
      if (this.isInTransaction) this.connection?.exec("ROLLBACK");
      this.connection?.close();
      this.connection = undefined;
    });
    this.owner?.kill();
    this.note();
  }

  kill(): void {
    this.owner?.kill();
    this.note();
  }

  /** One transaction, whole; `rollback` undoes it in the end. */
  transact(random: Random, work: Work, options: { readonly isUndone?: boolean } = {}): void {
    if (this.isInTransaction) return this.extend(random, work);
    if (!this.begin(random, work)) return;
    this.end(options.isUndone === true);
  }

  /** Begins a transaction, and leaves it open. @returns whether it is */
  begin(random: Random, work: Work): boolean {
    return this.attempt((database) => {
      database.exec("BEGIN IMMEDIATE");
      this.options.wrote(undefined);
      this.step += 1;
      this.carryOut(database, random, work);
    });
  }

  /** More within the open transaction; now and then undone by a savepoint. */
  extend(random: Random, work: Work): void {
    this.attempt((database) => {
      if (!database.isTransaction) return;
      const isUndone = random.chance(0.4);
      database.exec("SAVEPOINT within");
      const { drafted } = this;
      this.carryOut(database, random, work);
      database.exec(isUndone ? "ROLLBACK TO within; RELEASE within" : "RELEASE within");
      if (isUndone) this.drafted = drafted;
    });
  }

  /** Ends the open transaction. */
  end(isUndone: boolean): void {
    this.attempt((database) => {
      if (!database.isTransaction) return;
      database.exec(isUndone ? "ROLLBACK" : "COMMIT");
      this.options.counts.add(isUndone ? "rollbacks" : "transactions");
    });
  }

  /** A statement outside of any transaction: a PRAGMA, VACUUM. */
  run(sql: string): void {
    this.attempt((database) => {
      if (database.isTransaction) return;
      this.drafted = { ...readContent(database) };
      database.exec(sql);
    });
  }

  /** Opens and closes a second connection, which reads, and perhaps writes. */
  visit(): void {
    this.attempt(() => {
      const second = new DatabaseSync(this.options.file);
      second.exec("BEGIN");
      readContent(second);
      second.exec("COMMIT");
      second.close();
    });
  }

  /** An older copy stands where the database was. */
  restored(): void {
    this.drafted = undefined;
    this.note();
  }

  /** Enters in the oracle what has become of the database. @returns whether that is something the application has done */
  note(): boolean {
    if (this.options.isStale()) return true;
    const { image, oracle, counts } = this.options;
    const before = image.mark;
    if (!image.refresh()) return true;
    const { checksum, pageCount } = image;
    const { present } = oracle;
    // The WAL was restarted, or recovered: no commit.
    if (present.checksum === checksum && present.pageCount === pageCount) return true;
    const known = oracle.find({ checksum, pageCount });
    // Whoever opened the database last may have found less of it than there was, whatever was about to be committed.
    const isKnown = known.length > 0 && known.every(({ digest }) => digest !== this.drafted?.digest);
    if (this.drafted === undefined || isKnown) return oracle.moveTo({ checksum, pageCount });
    if (image.mark === before) return true;
    oracle.commit({ checksum, pageCount, ...this.drafted });
    counts.add("commits");
    return true;
  }

  private open(): DatabaseSync {
    const { file, settings } = this.options;
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA synchronous = ${settings.synchronous}; PRAGMA cache_size = 20`);
    this.connection = database;
    return database;
  }

  private carryOut(database: DatabaseSync, random: Random, work: Work): void {
    const { settings } = this.options;
    const draft: Draft = {
      database,
      random,
      accounts: settings.accounts,
      pageSize: settings.pageSize,
      step: this.step,
    };
    work(draft);
    noteProgress(draft);
    this.drafted = readContent(database);
  }

  /** In the process; whatever comes of it, the oracle has it afterwards. @returns whether all of it was carried out */
  private attempt(work: (database: DatabaseSync) => void): boolean {
    const { owner } = this;
    if (owner === undefined || !owner.isAlive) return false;
    // The node may have put back what a loss of power took.
    if (this.drafted === undefined) this.note();
    try {
      runIn(owner, () => work(this.connection ?? this.open()));
      return true;
    } catch (error) {
      this.failed(error, owner);
      return false;
    } finally {
      this.note();
      if (!this.isInTransaction) this.drafted = undefined;
    }
  }

  private failed(error: unknown, owner: SimulatedProcess): void {
    if (error instanceof ProcessDied || !owner.isAlive) return;
    const code = (error as { errcode?: number }).errcode;
    if (code === undefined) throw error;
    this.options.counts.add(
      (code & 0xff) === SQLITE_BUSY ? "writers refused as busy" : `writers failed with ${code}`,
    );
    this.options.wrote(code);
    try {
      runIn(owner, () => {
        if (this.connection?.isTransaction === true) this.connection.exec("ROLLBACK");
      });
    } catch {
      owner.kill();
    }
  }
}
