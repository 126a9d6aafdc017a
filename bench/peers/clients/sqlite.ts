import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { Client, Row, Target } from "../contract.ts";

const BUSY_MS = 10_000;
export const CREATE = "CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, v BLOB)";
export const INSERT = "INSERT INTO rows VALUES (?, ?)";
export const NEWEST = "SELECT max(id) AS n FROM rows";
export const READ = "SELECT v FROM rows WHERE id = ?";

/** An application's own connection, with the setting that makes each commit survive a power loss. */
export class SqliteClient implements Client {
  private readonly target: Target;
  private readonly database: DatabaseSync | undefined;
  private readonly statements = new Map<string, StatementSync>();

  constructor(target: Target) {
    this.target = target;
    if (target.isReopened !== true) this.database = this.open();
  }

  create(): void {
    this.database!.exec(`PRAGMA journal_mode=WAL; ${CREATE}`);
  }

  commit(rows: readonly Row[]): void {
    const insert = this.prepared(INSERT);
    if (rows.length === 1) insert.run(rows[0]!.id, rows[0]!.value);
    else {
      this.database!.exec("BEGIN IMMEDIATE");
      for (const { id, value } of rows) insert.run(id, value);
      this.database!.exec("COMMIT");
    }
  }

  newest(): number {
    return Number(this.first(NEWEST)?.["n"] ?? 0);
  }

  read(id: number): void {
    if (this.first(READ, id) === undefined) throw new Error(`no row ${id}`);
  }

  close(): void {
    this.database?.close();
  }

  private first(sql: string, ...values: number[]): Record<string, unknown> | undefined {
    if (this.database !== undefined) return this.prepared(sql).get(...values);
    const database = this.open();
    try {
      return database.prepare(sql).get(...values);
    } finally {
      database.close();
    }
  }

  private prepared(sql: string): StatementSync {
    const known = this.statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.database!.prepare(sql);
    this.statements.set(sql, statement);
    return statement;
  }

  private open(): DatabaseSync {
    const { address, isReadOnly = false } = this.target;
    const database = new DatabaseSync(address, { readOnly: isReadOnly, timeout: BUSY_MS });
    database.exec("PRAGMA synchronous=FULL");
    return database;
  }
}
