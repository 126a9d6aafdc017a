import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { readContent } from "./content.ts";
import type { Content } from "./content.ts";

/**
 * Somebody else's process that reads a database with ordinary SQLite, over one connection that it keeps, with all that such
 * a connection remembers between two transactions.
 */
export class Reader {
  readonly file: string;
  private connection: DatabaseSync | undefined;
  private inode = 0;
  private held: Content | undefined;

  constructor(file: string) {
    this.file = file;
  }

  get isOpen(): boolean {
    return this.connection !== undefined;
  }

  /** Whether it is in the midst of a transaction. */
  get isHolding(): boolean {
    return this.held !== undefined;
  }

  /** What one transaction sees. Another file at the path is opened anew. @throws where it cannot read, or sees nonsense */
  look(): Content {
    const database = this.database();
    database.exec("BEGIN");
    try {
      return readContent(database);
    } finally {
      database.exec("COMMIT");
    }
  }

  /** Begins a transaction that stays open. */
  hold(): Content {
    const database = this.database();
    database.exec("BEGIN");
    this.held = readContent(database);
    return this.held;
  }

  /** What the open transaction sees now, which is to be what it saw at its beginning. */
  lookAgain(): { readonly before: Content; readonly now: Content } {
    return { before: this.held!, now: readContent(this.connection!) };
  }

  release(): void {
    if (this.held === undefined) return;
    this.held = undefined;
    this.connection?.exec("COMMIT");
  }

  close(): void {
    this.held = undefined;
    this.connection?.close();
    this.connection = undefined;
  }

  private database(): DatabaseSync {
    const { ino } = statSync(this.file);
    if (this.connection !== undefined && ino !== this.inode) this.close();
    if (this.connection === undefined) {
      // Whoever can write would checkpoint as the last to close, and the simulated disk would not know.
      this.connection = new DatabaseSync(this.file, { readOnly: true });
      this.inode = ino;
    }
    return this.connection;
  }
}
