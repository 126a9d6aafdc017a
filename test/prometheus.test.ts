import { execFileSync } from "node:child_process";
import type { ExecFileSyncOptionsWithStringEncoding } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scrapePair } from "./harness/scraped-pair.ts";

const RULES = join(import.meta.dirname, "../deploy/prometheus");

function promtool(given: readonly string[], input?: string): string {
  const options: ExecFileSyncOptionsWithStringEncoding = { cwd: RULES, encoding: "utf8", stdio: "pipe" };
  return execFileSync("promtool", given, { ...options, ...(input === undefined ? {} : { input }) });
}

test("promtool finds nothing to object to in what a primary and a replica tell", async () => {
  const { primary, replica } = await scrapePair(3);
  for (const node of [primary, replica]) expect(promtool(["check", "metrics"], node)).toBe("");
});

test("promtool takes the rules", () => {
  expect(promtool(["check", "rules", "--lint=all", "--lint-fatal", "tailrace-rules.yml"])).toMatch(
    /SUCCESS: \d+ rules found/,
  );
});

test("promtool takes the scrape job", () => {
  expect(promtool(["check", "config", "--syntax-only", "tailrace-scrape.yml"])).toContain("SUCCESS");
});

test("each alert fires when it should, and stays silent when all is well", () => {
  expect(promtool(["test", "rules", "tailrace-rules.test.yml"])).toContain("SUCCESS");
});
