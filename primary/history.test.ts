import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { setLogAside } from "./history.ts";

test("a log that the system does not let be set aside is a failure of the disk, not of Tailrace", () => {
  const path = temporaryFolder();
  const pageTableFile = join(path, "pages.sum");
  // Stands for whatever cannot be removed; root may remove all files.
  mkdirSync(pageTableFile);
  const folder = { path, pageTableFile, logFolder: join(path, "log") } as DataFolder;

  expect(() => setLogAside(folder, "1")).toThrow(expect.objectContaining({ code: "storage_failed" }));
});

test("a start that ends before its new log has begun: the next one keeps the old log, not what there is of the new", () => {
  const path = temporaryFolder();
  const folder = { path, pageTableFile: join(path, "pages.sum"), logFolder: join(path, "log") } as DataFolder;
  const header = "0000000000000001.log";
  mkdirSync(folder.logFolder);
  writeFileSync(join(folder.logFolder, header), "all that was ever logged".repeat(100));
  const kept = setLogAside(folder, "1");
  // Killed here, or after the first segment of the new log.
  expect(setLogAside(folder, "1")).toBe(kept);
  mkdirSync(folder.logFolder);
  writeFileSync(join(folder.logFolder, header), "its header");
  expect(setLogAside(folder, "1")).toBe(kept);
  expect(readFileSync(join(kept, header), "utf8")).toContain("all that was ever logged");
  expect(existsSync(folder.logFolder)).toBe(false);
});
