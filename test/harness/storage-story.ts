import { execFileSync } from "node:child_process";
import type { ServingProcess } from "./node-process.ts";
import { until } from "./node-process.ts";
import { shell } from "./shell.ts";

/** An application's database, with so many rows of 3000 random bytes; nothing in its WAL. @returns the path */
export function application(path: string, rows = 0): string {
  shell(
    path,
    `PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${rows})
     INSERT INTO t(b) SELECT randomblob(3000) FROM n WHERE ${rows} > 0; PRAGMA wal_checkpoint(TRUNCATE)`,
  );
  return path;
}

/** The application, in another process: so many commits, each of one row. @returns the longest that one took, in ms */
export function commits(file: string, count: number, bytes = 3000): number {
  const program = `
import sqlite3, time, os
c = sqlite3.connect(${JSON.stringify(file)}, isolation_level=None, timeout=20)
worst = 0
for i in range(${count}):
    start = time.monotonic()
    c.execute("insert into t(b) values (?)", (os.urandom(${bytes}),))
    worst = max(worst, time.monotonic() - start)
print(int(worst * 1000))
`;
  return Number(execFileSync("python3", ["-c", program], { encoding: "utf8" }));
}

/** As any reader sees it. */
export function rowsOf(file: string): number {
  return Number(shell(`file:${file}?mode=ro`, "SELECT count(*) FROM t"));
}

export async function goesTo(file: string, rows: number): Promise<void> {
  await until(
    `${file} has ${rows} rows`,
    () => rowsOf(file),
    (found) => found === rows,
  );
}

/** Waits until a node's status, as text, says something. @returns the text */
export async function says(node: ServingProcess, pattern: RegExp): Promise<string> {
  return await until(
    `status says ${pattern}`,
    async () => JSON.stringify(await node.status()),
    (text) => pattern.test(text),
  );
}
