import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { viewNow } from "../../test/harness/snapshot-now.ts";
import { PageTable } from "./page-table.ts";
import { differingPages, fillTable, runToEnd, scanView } from "./scan.ts";

function sqlite(file: string, sql: string): void {
  execFileSync("sqlite3", [file, sql]);
}

const CREATE = `
PRAGMA journal_mode=WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, filler BLOB);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
INSERT INTO t SELECT i, 0, randomblob(3000) FROM n;`;

test("a table filled from a view has its checksum, and no page of it differs", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "app.db");
  sqlite(file, CREATE);
  const view = await viewNow(file);
  const table = PageTable.create(join(folder, "pages.sum"));
  const checksum = runToEnd(fillTable(table, view));
  expect(table.checksum).toBe(checksum);
  expect(table.pageCount).toBe(view.pageCount);
  expect(runToEnd(scanView(view, () => {}))).toBe(checksum);
  expect(runToEnd(differingPages(view, table, () => expect.unreachable()))).toBe(checksum);
  table.close();
  view.close();
});

test("the pages that differ are those that changed, and setting them makes the table that of the view", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "app.db");
  sqlite(file, CREATE);
  const table = PageTable.create(join(folder, "pages.sum"));
  const before = await viewNow(file);
  runToEnd(fillTable(table, before));
  before.close();
  sqlite(file, "UPDATE t SET a = 1 WHERE id % 100 = 0; DELETE FROM t WHERE id > 900; VACUUM");

  const view = await viewNow(file);
  const buffer = Buffer.alloc(view.pageSizeBytes);
  const found: { page: number; hash: bigint }[] = [];
  const checksum = runToEnd(
    differingPages(view, table, (page, hash, image) => {
      view.readRun(page, 1, buffer);
      expect(image.equals(buffer)).toBe(true);
      found.push({ page, hash });
    }),
  );
  expect(found.length).toBeGreaterThan(9);
  expect(table.checksum).not.toBe(checksum);
  for (const { page, hash } of found) table.set(page, hash);
  table.resize(view.pageCount);
  expect(table.checksum).toBe(checksum);
  table.close();
  view.close();
});

test("a scan pauses after each mebibyte, and can be left there", async () => {
  const file = join(temporaryFolder(), "app.db");
  sqlite(file, CREATE);
  const view = await viewNow(file);
  let pages = 0;
  const scan = scanView(view, () => pages++);
  expect(scan.next()).toEqual({ done: false, value: (1 << 20) / view.pageSizeBytes });
  expect(pages).toBe((1 << 20) / view.pageSizeBytes);
  expect(view.pageCount).toBeGreaterThan(pages);
  view.close();
  expect(() => scan.next()).toThrow(/a closed view is not read/);
});
