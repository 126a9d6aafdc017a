import { spawnSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holdFile, identityOf } from "./held-files.ts";
import { driver } from "./node-sqlite.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-held-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function newFile(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, name);
  return path;
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test("one file has one descriptor, by whichever path", () => {
  const file = newFile("a");
  symlinkSync(file, join(folder, "symbolic"));
  linkSync(file, join(folder, "hard"));
  const descriptor = holdFile(file);
  expect(holdFile(join(folder, "symbolic"))).toBe(descriptor);
  expect(holdFile(join(folder, "hard"))).toBe(descriptor);
});

test("a file put in another's place is another file; the one before stays held while it has a path", () => {
  const first = holdFile(newFile("a"));
  const identity = identityOf(join(folder, "a"));
  renameSync(join(folder, "a"), join(folder, "moved"));
  const second = holdFile(newFile("a"));
  expect(second).not.toBe(first);
  expect(identityOf(join(folder, "a"))).not.toBe(identity);
  expect(holdFile(join(folder, "moved"))).toBe(first);
});

test("files that are gone do not pile up", () => {
  const before = openDescriptors();
  for (let n = 0; n < 20; n++) {
    holdFile(newFile(`${n}`));
    rmSync(join(folder, `${n}`));
  }
  expect(openDescriptors()).toBeLessThanOrEqual(before + 1);
});

test("a missing file is the system's error", () => {
  expect(() => holdFile(join(folder, "missing"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
});

test("why it exists: closing any descriptor of the wal-index drops SQLite's locks; holding one does not", () => {
  const file = join(folder, "app.db");
  const writer = driver.open(file);
  writer.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(a); BEGIN IMMEDIATE");
  const isLocked = (): boolean =>
    spawnSync("sqlite3", [file, "BEGIN IMMEDIATE"], { encoding: "utf8" }).stderr.includes("locked");
  holdFile(`${file}-shm`);
  holdFile(`${file}-shm`);
  expect(isLocked()).toBe(true);
  closeSync(openSync(`${file}-shm`, "r"));
  expect(isLocked()).toBe(false);
  writer.close();
});
