import { expect, test } from "vitest";
import { testsThatLackOutsiders } from "./harness/outsiders.ts";

const PATTERN = "{src,primary,replica,shared,test}/**/*.test.ts";

test("on a machine without the sqlite3 shell, the tests that need it are named; the others run", () => {
  const lacking = testsThatLackOutsiders(PATTERN, (program) => program !== "sqlite3");
  expect(lacking.get("test/outsiders.test.ts")).toEqual(["sqlite3"]);
  expect(lacking.has("shared/format/record.test.ts")).toBe(false);
});

test("where everything is there, nothing is left out", () => {
  expect(testsThatLackOutsiders(PATTERN, () => true).size).toBe(0);
});
