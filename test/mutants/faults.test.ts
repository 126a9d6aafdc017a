import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatCaught, isCaught, readCaught } from "./caught.ts";
import { FAULTS } from "./faults.ts";
import { CHECKOUT, withFault } from "./planted-tree.ts";

test.for(FAULTS)("$name can be planted, and its tests are there", (fault) => {
  const code = readFileSync(join(CHECKOUT, fault.file), "utf8");
  expect(withFault(code, fault)).not.toBe(code);
  expect(fault.tests.filter((file) => !existsSync(join(CHECKOUT, file)))).toEqual([]);
});

test("each fault was caught when it was last planted", () => {
  const table = readFileSync(new URL("caught.md", import.meta.url), "utf8");
  const rows = [...readCaught(table).values()];
  expect(rows.map(({ name, mistake }) => [name, mistake])).toEqual(
    FAULTS.map(({ name, mistake }) => [name, mistake]),
  );
  expect(rows.filter((row) => !isCaught(row))).toEqual([]);
  expect(formatCaught(rows)).toBe(table);
});
