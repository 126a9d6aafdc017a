import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const RULES = join(import.meta.dirname, "../deploy/prometheus");

function promtool(...given: readonly string[]): string {
  return execFileSync("promtool", given, { cwd: RULES, encoding: "utf8", stdio: "pipe" });
}

test("promtool takes the rules", () => {
  expect(promtool("check", "rules", "--lint=all", "--lint-fatal", "tailrace-rules.yml")).toMatch(
    /SUCCESS: \d+ rules found/,
  );
});

test("promtool takes the scrape job", () => {
  expect(promtool("check", "config", "--syntax-only", "tailrace-scrape.yml")).toContain("SUCCESS");
});

test("each alert fires when it should, and stays silent when all is well", () => {
  expect(promtool("test", "rules", "tailrace-rules.test.yml")).toContain("SUCCESS");
});
