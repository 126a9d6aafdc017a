import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { firstDifference } from "./compare-files.ts";
import { copyDatabase } from "./copy-database.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-demo-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

describe("comparing files", () => {
  const big = Buffer.alloc(2 * 1024 * 1024 + 5, "x");

  test.each([
    ["the same", big, big, undefined],
    ["both empty", Buffer.alloc(0), Buffer.alloc(0), undefined],
    [
      "one byte late in the file",
      big,
      Buffer.concat([big.subarray(0, -1), Buffer.from("y")]),
      big.length - 1,
    ],
    ["one shorter at a block's end", big, big.subarray(0, 1024 * 1024), 1024 * 1024],
    ["one empty", big, Buffer.alloc(0), 0],
  ])("%s", async (_, a, b, difference) => {
    writeFileSync(path("a"), a);
    writeFileSync(path("b"), b);
    expect(await firstDifference(path("a"), path("b"))).toBe(difference);
  });
});

describe("copying the user's database", () => {
  test("that is in use brings what is in its WAL", async () => {
    const database = new DatabaseSync(path("app.db"));
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (42)");
    await copyDatabase(path("app.db"), path("copy.db"));
    database.close();
    const copy = new DatabaseSync(path("copy.db"));
    expect(copy.prepare("SELECT x FROM t").all()).toEqual([{ x: 42 }]);
    copy.close();
  });

  test.each(["WAL", "DELETE"])(
    "in mode %s that nobody uses leaves nothing behind and changes nothing",
    async (mode) => {
      const database = new DatabaseSync(path("app.db"));
      database.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (x)`);
      database.close();
      const before = readFileSync(path("app.db"));
      await copyDatabase(path("app.db"), path("copy.db"));
      expect(readFileSync(path("app.db")).equals(before)).toBe(true);
      expect(readdirSync(folder).toSorted()).toEqual(["app.db", "copy.db"]);
    },
  );

  test("that is none is refused", async () => {
    writeFileSync(path("app.db"), "not a database, but long enough to be taken for one".repeat(50));
    await expect(copyDatabase(path("app.db"), path("copy.db"))).rejects.toMatchObject({
      code: "not_a_database",
    });
    await expect(copyDatabase(path("missing.db"), path("copy.db"))).rejects.toMatchObject({
      code: "invalid_configuration",
    });
    expect(existsSync(path("missing.db"))).toBe(false);
  });
});
