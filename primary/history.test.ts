import { mkdirSync } from "node:fs";
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
