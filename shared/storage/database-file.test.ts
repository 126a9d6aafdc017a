import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { asLesserUser } from "../../test/harness/lesser-user.ts";
import { loadDriver } from "../sqlite/driver.ts";
import { identityOf } from "../sqlite/held-files.ts";
import { inspectDatabaseFile } from "./database-file.ts";

function failsWith(code: string, mentions: string): unknown {
  return expect.objectContaining({ code, message: expect.stringContaining(mentions) });
}

describe("a database file is told for what it is", () => {
  test.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])("with pages of %i bytes", (pageSizeBytes) => {
    const file = join(temporaryFolder(), "app.db");
    execFileSync("sqlite3", [file, `PRAGMA page_size=${pageSizeBytes}; CREATE TABLE t(a)`]);
    const identity = identityOf(file);
    expect(inspectDatabaseFile(file)).toEqual({ kind: "database", identity, pageSizeBytes, isWal: false });
    execFileSync("sqlite3", [file, "PRAGMA journal_mode=WAL"]);
    expect(inspectDatabaseFile(file)).toEqual({ kind: "database", identity, pageSizeBytes, isWal: true });
  });

  test("missing, and is not made", () => {
    const folder = temporaryFolder();
    expect(inspectDatabaseFile(join(folder, "app.db"))).toEqual({ kind: "missing" });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("empty", () => {
    const file = join(temporaryFolder(), "app.db");
    writeFileSync(file, "");
    expect(inspectDatabaseFile(file)).toEqual({ kind: "empty", identity: identityOf(file) });
  });
});

describe("what cannot be followed is refused, and left as it is", () => {
  test.each([
    ["text", "hello, world\n".repeat(100)],
    ["a short file", "SQLite format 3\0"],
    ["what an encrypted database looks like", Buffer.alloc(8192, 0xa7)],
    [
      "a header with an impossible page size",
      Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(4096)]),
    ],
  ])("%s", (_what, content) => {
    const file = join(temporaryFolder(), "app.db");
    writeFileSync(file, content);
    expect(() => inspectDatabaseFile(file)).toThrow(failsWith("not_a_database", file));
    expect(readFileSync(file).equals(Buffer.from(content))).toBe(true);
  });

  test("a folder, and a pipe (without waiting for its writer)", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "app.db"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(() => inspectDatabaseFile(join(folder, "app.db"))).toThrow(
      failsWith("not_a_database", "a folder"),
    );
    expect(() => inspectDatabaseFile(join(folder, "pipe"))).toThrow(failsWith("not_a_database", "pipe"));
  });

  test("a path in a folder that does not exist, or that is a file", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    for (const missing of [join(folder, "missing"), join(folder, "file")]) {
      expect(() => inspectDatabaseFile(join(missing, "app.db"))).toThrow(
        failsWith("folder_missing", missing),
      );
    }
    expect(existsSync(join(folder, "missing"))).toBe(false);
  });

  test("a file, or a folder, that this user may not write", () => {
    const folder = temporaryFolder();
    const file = join(folder, "app.db");
    execFileSync("sqlite3", [file, "CREATE TABLE t(a)"]);
    const module = JSON.stringify(resolve(import.meta.dirname, "database-file.ts"));
    const script = `
      const { inspectDatabaseFile } = await import(${module});
      try { console.log(inspectDatabaseFile(${JSON.stringify(file)}).kind); } catch (error) { console.log(error.code, error.message); }`;
    const { command, args } = asLesserUser(process.execPath, ["--input-type=module", "-e", script]);
    const tryIt = (): string => spawnSync(command, args, { encoding: "utf8" }).stdout;
    chmodSync(folder, 0o777);
    chmodSync(file, 0o444);
    expect(tryIt()).toContain(`read_only the database ${file}`);
    chmodSync(file, 0o666);
    chmodSync(folder, 0o555);
    expect(tryIt()).toContain(`read_only the folder ${folder}`);
    chmodSync(folder, 0o777);
    expect(tryIt()).toBe("database\n");
    chmodSync(folder, 0o755);
  });
});

test("looking at a database does not drop the locks that this process has on it", async () => {
  const file = join(temporaryFolder(), "app.db");
  execFileSync("sqlite3", [file, "PRAGMA journal_mode=DELETE; CREATE TABLE t(a)"]);
  const connection = (await loadDriver("node:sqlite")).open(file);
  connection.exec("BEGIN IMMEDIATE");
  inspectDatabaseFile(file);
  const other = spawnSync("sqlite3", [file, "BEGIN IMMEDIATE"], { encoding: "utf8" });
  expect(other.stderr).toContain("locked");
  connection.close();
});
