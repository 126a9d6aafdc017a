import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "./harness/folder.ts";

const UNITS = join(import.meta.dirname, "../deploy/systemd");

test.each(["primary", "replica"])("systemd finds nothing wrong with the unit of a %s", (role) => {
  const name = `tailrace-${role}@.service`;
  // What it starts need not be installed here.
  const text = readFileSync(join(UNITS, name), "utf8").replace("/usr/local/bin/tailrace", "/bin/true");
  const folder = join(temporaryFolder(), "units");
  mkdirSync(folder);
  writeFileSync(join(folder, name), text);
  const found = execFileSync("systemd-analyze", ["verify", join(folder, name)], {
    encoding: "utf8",
    stdio: "pipe",
  });
  expect(found).toBe("");
});
