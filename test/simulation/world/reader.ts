import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { readContent } from "./content.ts";
import type { Content } from "./content.ts";

interface Schema {
  readonly count: number;
  readonly text: string;
}

/**
 * Somebody else's process that reads a database with ordinary SQLite, over one connection that it keeps, with all that such
 * a connection remembers between two transactions.
 */
export class Reader {
  readonly file: string;
  private connection: DatabaseSync | undefined;
  private inode = 0;
  /** What its transaction before found. */
  private schema: Schema | undefined;
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
    const database = this.begin();
    try {
      return readContent(database);
    } finally {
      database.exec("COMMIT");
    }
  }

  /** Begins a transaction that stays open. */
  hold(): Content {
    const database = this.begin();
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
    this.schema = undefined;
    this.connection?.close();
    this.connection = undefined;
  }

  /**
   * Begins a transaction. SQLite knows a changed schema by its count alone: where a resync onto another history has brought
   * another schema of the same count, who reads has to open the file anew (docs/operations.md).
   */
  private begin(): DatabaseSync {
    const database = this.database();
    database.exec("BEGIN");
    const before = this.schema;
    this.schema = readSchema(database);
    const isAnother = before?.count === this.schema.count && before.text !== this.schema.text;
    if (!isAnother) return database;
    this.close();
    return this.begin();
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

/** The count, and what stands in the first table of the file: both are read from there, whatever the connection has in mind. */
function readSchema(database: DatabaseSync): Schema {
  const [version] = database.prepare("PRAGMA schema_version").all() as [{ schema_version: number }];
  const rows = database.prepare("SELECT name, rootpage, sql FROM sqlite_schema").all();
  return { count: version.schema_version, text: JSON.stringify(rows) };
}
