import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commands } from "../commands.ts";
import { configurationPage } from "./configuration-page.ts";
import { describeSettings } from "./configuration.ts";

const PAGE = new URL("../../docs/configuration.md", import.meta.url);

test("docs/configuration.md is what the schemas say", () => {
  const page = configurationPage(commands);
  if ((process.env["UPDATE_GOLDEN"] ?? "") !== "") writeFileSync(PAGE, page);
  expect(
    readFileSync(PAGE, "utf8"),
    "stale: UPDATE_GOLDEN=1 npx vitest run src/configuration/configuration-page.test.ts",
  ).toBe(page);
});

test("it names every setting of every command", () => {
  const page = configurationPage(commands);
  for (const { name, settings } of commands) {
    const [, section = ""] = page.split(new RegExp(`\\n## tailrace ${name}(?= |\\n)`));
    for (const { flag } of describeSettings(settings)) expect(section).toContain(`| \`--${flag}`);
  }
});
