import { createHash } from "node:crypto";

/** What is read of a database by whichever SQLite connection: the real one's, or that of a simulated process. */
export interface Queries {
  exec(sql: string): unknown;
  prepare(sql: string): { all(): unknown[] };
}

/** What one read transaction sees. */
export interface Content {
  /** Counts the application's transactions. */
  readonly step: number;
  /** Of all rows of all tables, and of the schema. */
  readonly digest: string;
}

export const TABLES = `
  CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), step INTEGER NOT NULL);
  CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, step INTEGER NOT NULL, note BLOB);
  CREATE INDEX account_by_balance ON account (balance, step);
  CREATE TABLE entry (step INTEGER NOT NULL, account INTEGER NOT NULL, amount INTEGER NOT NULL, filling BLOB);
`;

/** Of a table: its values, but of a BLOB the length alone; and the BLOBs, one after the other. */
interface Parts {
  readonly columns: string;
  readonly bytes?: string;
}

const TABLE_PARTS: Readonly<Record<string, Parts>> = {
  progress: { columns: "id, step" },
  account: { columns: "id, balance, step, length(note)", bytes: "note" },
  entry: { columns: "step, account, amount, length(filling)", bytes: "filling" },
};
const EXTRA_PARTS: Parts = { columns: "rowid, value" };

/**
 * Reads all there is, within the transaction that is open.
 *
 * @throws where the rows contradict each other: money was made, or a row is newer than the progress
 */
export function readContent(database: Queries): Content {
  const [progress] = database.prepare("SELECT step FROM progress").all() as [{ step: number }];
  const [sums] = database
    .prepare(
      "SELECT total(balance) AS balance, max(step) AS step, (SELECT total(amount) FROM entry) AS amount FROM account",
    )
    .all() as [{ balance: number; step: number; amount: number }];
  if (sums.balance !== 0) throw new Error(`the balances add up to ${sums.balance}`);
  if (sums.amount !== 0) throw new Error(`the entries add up to ${sums.amount}`);
  if (sums.step > progress.step) throw new Error(`a row of step ${sums.step}, progress is ${progress.step}`);
  const hash = createHash("sha256");
  const schema = database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all() as {
    type: string;
    name: string;
    sql: string | null;
  }[];
  hash.update(JSON.stringify(schema));
  for (const { type, name } of schema) {
    if (type !== "table" || name.startsWith("sqlite_")) continue;
    const { columns, bytes = "NULL" } = TABLE_PARTS[name] ?? EXTRA_PARTS;
    // One row, whatever the table has: each row that SQLite hands over costs more than what is in it.
    const [all] = database
      .prepare(
        `SELECT json_group_array(json_array(${columns})) AS rows, CAST(group_concat(${bytes}, '') AS BLOB) AS bytes FROM "${name}"`,
      )
      .all() as [{ rows: string; bytes: Uint8Array | null }];
    hash.update(all.rows);
    if (all.bytes !== null) hash.update(all.bytes);
  }
  return { step: progress.step, digest: hash.digest("hex").slice(0, 16) };
}
