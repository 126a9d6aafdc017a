import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FAULTS } from "./faults.ts";
import { CHECKOUT, withFault } from "./planted-tree.ts";

test.for(FAULTS)("$name can be planted, and its tests are there", (fault) => {
  const code = readFileSync(join(CHECKOUT, fault.file), "utf8");
  expect(withFault(code, fault)).not.toBe(code);
  expect(fault.tests.filter((file) => !existsSync(join(CHECKOUT, file)))).toEqual([]);
});

test("each fault was caught when they were last planted", () => {
  const table = readFileSync(new URL("caught.md", import.meta.url), "utf8");
  const rows = [...table.matchAll(/^\| ([a-z-]+) \| .* \| (.*) \| (.*) \|$/gm)];
  expect(rows.map(([, name]) => name)).toEqual(FAULTS.map(({ name }) => name));
  expect(rows.filter(([, , simulated, tested]) => simulated === "–" && tested === "–")).toEqual([]);
});
