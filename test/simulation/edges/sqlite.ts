import * as real from "node:sqlite";
import { fileURLToPath } from "node:url";
import { currentProcess } from "../core/process.ts";
import type { SimulatedProcess } from "../core/process.ts";
import { SYNCHRONOUS_FULL } from "../disk/connections.ts";
import type { OpenConnection } from "../disk/connections.ts";
import type { FaultCode } from "../disk/disk-faults.ts";
import { doingOf, withoutWaiting } from "./sqlite-statements.ts";
import type { Doing } from "./sqlite-statements.ts";

/*
 * node:sqlite as a simulated process has it: the real one, on real files. Each call is a crossing; after those that may
 * have written, the machine's disk records what was. What SQLite does within one call happens as a whole.
 */

/** SQLite's codes for what the disk refuses: SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_CANTOPEN, SQLITE_READONLY. */
const RESULT: Readonly<Record<FaultCode, readonly [code: number, text: string]>> = {
  ENOSPC: [13, "database or disk is full"],
  EIO: [1034, "disk I/O error"],
  EMFILE: [14, "unable to open database file"],
  EACCES: [14, "unable to open database file"],
  EROFS: [8, "attempt to write a readonly database"],
};

type Guard = <T>(sql: string, work: () => T) => T;

export class DatabaseSync implements Disposable {
  private readonly real: real.DatabaseSync;
  private readonly connection: OpenConnection | undefined;
  /** Something was written since the transaction began. */
  private isDirty = false;
  private hasRead = false;

  constructor(file: string | URL, options: real.DatabaseSyncOptions = {}) {
    const process = currentProcess();
    const path = file instanceof URL ? fileURLToPath(file) : file;
    process?.cross("sqlite.open");
    const disk = process?.machine.disk;
    if (process === undefined || disk?.owns(path) !== true) {
      this.real = new real.DatabaseSync(file, options);
      return;
    }
    const code = disk.faults.take("open", path);
    if (code !== undefined) throw sqliteError(code);
    this.real = new real.DatabaseSync(file, { ...options, timeout: 0 });
    this.connection = disk.connections.add(
      { process, path, database: this.real, synchronous: SYNCHRONOUS_FULL, hasSyncedFolder: false },
      process.machine.clock.nowMs(),
    );
  }

  get isOpen(): boolean {
    return this.real.isOpen;
  }

  get isTransaction(): boolean {
    return this.real.isTransaction;
  }

  location(): string | null {
    return this.real.location();
  }

  exec(sql: string): void {
    this.guard(sql, () => this.real.exec(withoutWaiting(sql)));
  }

  prepare(sql: string): StatementSync {
    this.connection?.process.cross("sqlite.prepare");
    return new StatementSync(this.real.prepare(withoutWaiting(sql)), sql, this.guard);
  }

  close(): void {
    const { connection } = this;
    if (connection === undefined) {
      this.real.close();
      return;
    }
    connection.process.cross("sqlite.close");
    const { disk, clock } = connection.process.machine;
    disk.connections.close(connection, clock.nowMs());
  }

  [Symbol.dispose](): void {
    if (this.isOpen) this.close();
  }

  private readonly guard: Guard = (sql, work) => {
    const { connection } = this;
    if (connection === undefined) return work();
    const { process } = connection;
    const { connections } = process.machine.disk;
    const nowMs = process.machine.clock.nowMs();
    const doing = doingOf(sql);
    if (process.isAboutToDie && (doing.writes || this.isDirty))
      connections.dieWithin(connection, work, () => process.kill(), nowMs);
    process.cross("sqlite");
    connection.synchronous = doing.synchronous ?? connection.synchronous;
    if (!doing.writes && !this.isDirty) return this.read(connection, nowMs, work);
    this.refuse(process, connection, doing);
    const before = connections.before(connection, nowMs);
    try {
      return work();
    } finally {
      this.isDirty = this.real.isTransaction;
      if (doing.isCheckpoint) connections.recordCheckpoint(connection, before, nowMs);
      else if (!this.isDirty) connections.recordCommit(connection, before, nowMs);
    }
  };

  /** The first read of all makes WAL and wal-index. */
  private read<T>({ path, process }: OpenConnection, nowMs: number, work: () => T): T {
    try {
      return work();
    } finally {
      if (!this.hasRead) process.machine.disk.connections.recordNames(path, nowMs);
      this.hasRead = true;
    }
  }

  /**
   * Nothing is done then; SQLite rolls a transaction back whose commit fails. What a failed sync of SQLite's own loses is not
   * simulated: SQLite has no answer to it either, and the application's database would be the one that breaks.
   */
  private refuse(process: SimulatedProcess, connection: OpenConnection, { isCheckpoint }: Doing): void {
    const { disk } = process.machine;
    const code = disk.faults.take("sqlite", connection.path) ?? (disk.freeBytes === 0 ? "ENOSPC" : undefined);
    if (code === undefined) return;
    if (!isCheckpoint && this.real.isTransaction) this.real.exec("ROLLBACK");
    this.isDirty = false;
    throw sqliteError(code);
  }
}

export class StatementSync {
  private readonly real: real.StatementSync;
  private readonly sql: string;
  private readonly guard: Guard;

  constructor(statement: real.StatementSync, sql: string, guard: Guard) {
    this.real = statement;
    this.sql = sql;
    this.guard = guard;
  }

  run(...parameters: real.SQLInputValue[]): real.StatementResultingChanges {
    return this.guard(this.sql, () => this.real.run(...parameters));
  }

  get(...parameters: real.SQLInputValue[]): Record<string, real.SQLOutputValue> | undefined {
    return this.guard(this.sql, () => this.real.get(...parameters));
  }

  all(...parameters: real.SQLInputValue[]): Record<string, real.SQLOutputValue>[] {
    return this.guard(this.sql, () => this.real.all(...parameters));
  }
}

function sqliteError(code: FaultCode): Error {
  const [errcode, errstr] = RESULT[code];
  return Object.assign(new Error(errstr), { code: "ERR_SQLITE_ERROR", errcode, errstr });
}
