import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { driver as betterSqlite3 } from "./better-sqlite3.ts";
import { SQLITE_CANTOPEN } from "./driver.ts";
import { driver as nodeSqlite } from "./node-sqlite.ts";
import { WalAppender } from "./wal-appender.ts";

describe.each([nodeSqlite, betterSqlite3])("with $name", (driver) => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = temporaryFolder();
    // What a URI would take for something else stays a name.
    file = join(folder, "50% of a #1 & ü?mode=memory.db");
  });

  function codeOf(work: () => unknown): number | undefined {
    try {
      work();
      return undefined;
    } catch (error) {
      return driver.resultCode(error);
    }
  }

  test.each([{ mustExist: true }, { readOnly: true }, { readOnly: true, mustExist: true }])(
    "a file that must exist (%j) is not made",
    (options) => {
      expect(codeOf(() => driver.open(file, options))).toBe(SQLITE_CANTOPEN);
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test("a file that must exist and does is opened by its very name", () => {
    const maker = driver.open(file);
    maker.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(n)");
    const connection = driver.open(file, { mustExist: true });
    connection.exec("INSERT INTO t VALUES (7)");
    const reader = driver.open(file, { mustExist: true, readOnly: true });
    expect(reader.row("SELECT n FROM t")).toEqual([7]);
    expect(() => reader.exec("DELETE FROM t")).toThrow(/readonly/);
    for (const one of [reader, connection, maker]) one.close();
    expect(readdirSync(folder)).toEqual([file.slice(folder.length + 1)]);
  });

  test("an appender makes no database where there is none, and takes no empty file for one", () => {
    expect(codeOf(() => new WalAppender({ driver, file }))).toBe(SQLITE_CANTOPEN);
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(file, "");
    expect(() => new WalAppender({ driver, file })).toThrow("is not in WAL mode");
  });
});
