import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Field } from "../engine/byte-steps.ts";
import { shifted } from "./layouts.ts";

export const PAGE_BYTES = 512;
export const INDEX_BYTES = 32_768;

/** What SQLite leaves while a connection is open: a WAL of some commits, and its wal-index. */
export function realWal(folder: string, commits: number): { readonly wal: Buffer; readonly index: Buffer } {
  const file = join(folder, `real-${commits}.db`);
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0`);
  database.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
  for (let commit = 0; commit < commits; commit++)
    database.exec("INSERT INTO t(b) VALUES (zeroblob(300)), (zeroblob(700))");
  const read = { wal: readFileSync(`${file}-wal`), index: readFileSync(`${file}-shm`) };
  database.close();
  return read;
}

function big(...places: number[]): Field[] {
  return places.map((at) => ({ at, bytes: 4, isBigEndian: true }));
}

export const walHeaderFields: readonly Field[] = big(0, 4, 8, 12, 16, 20);

/** The header's numbers, and those of each frame's. */
export function walFields(wal: Buffer): readonly Field[] {
  const frames: Field[] = [];
  for (let at = 32; at + 24 <= wal.length; at += 24 + PAGE_BYTES)
    frames.push(...shifted(big(0, 4, 8, 12, 16, 20), at));
  return [...walHeaderFields, ...frames];
}

/** Of the first copy; sealing makes the second one the same. */
export const indexHeaderFields: readonly Field[] = [
  ...[0, 4, 8, 16, 20, 24, 28, 32, 36, 96].map((at): Field => ({ at, bytes: 4 })),
  { at: 12, bytes: 1 },
  { at: 13, bytes: 1 },
  { at: 14, bytes: 2 },
];
