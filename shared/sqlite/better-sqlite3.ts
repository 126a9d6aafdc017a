import BetterSqlite3 from "better-sqlite3";
import * as codes from "./driver.ts";
import type { Driver } from "./driver.ts";

/** better-sqlite3 names codes ("SQLITE_BUSY_SNAPSHOT"); the ones that Tailrace tells apart, by their primary name. */
const CODES: readonly (readonly [string, number])[] = [
  ["SQLITE_BUSY", codes.SQLITE_BUSY],
  ["SQLITE_LOCKED", codes.SQLITE_LOCKED],
  ["SQLITE_READONLY", codes.SQLITE_READONLY],
  ["SQLITE_CORRUPT", codes.SQLITE_CORRUPT],
  ["SQLITE_CANTOPEN", codes.SQLITE_CANTOPEN],
  ["SQLITE_NOTADB", codes.SQLITE_NOTADB],
];

export const driver: Driver = {
  name: "better-sqlite3",

  open(file, { readOnly = false, mustExist = false } = {}) {
    const database = new BetterSqlite3(file, { readonly: readOnly, fileMustExist: mustExist, timeout: 0 });
    return {
      handle: database,
      exec: (sql) => void database.exec(sql),
      row: (sql) => database.prepare(sql).raw().get() as readonly unknown[] | undefined,
      close: () => void database.close(),
    };
  },

  resultCode(error) {
    const name = (error as { code?: unknown } | null)?.code;
    if (typeof name !== "string") return undefined;
    return CODES.find(([prefix]) => name === prefix || name.startsWith(`${prefix}_`))?.[1];
  },
};
