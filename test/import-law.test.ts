import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/**
 * The import law (DESIGN.md, "Layout"), as the linter enforces it: each line is a module that breaks it, linted in an
 * empty house that has the project's own rules.
 */
const violations = [
  ["primary may not import replica", "primary/x.ts", `import "../replica/y.ts";`],
  ["primary may not import src", "primary/deep/x.ts", `import "../../src/y.ts";`],
  [
    "primary may not import a type of replica",
    "primary/x.ts",
    `import type { Y } from "../replica/y.ts";\nexport type X = Y;`,
  ],
  ["primary may not re-export replica", "primary/x.ts", `export * from "../replica/y.ts";`],
  [
    "primary may not load replica later",
    "primary/x.ts",
    `export const y: unknown = await import("../replica/y.ts");`,
  ],
  ["primary's tests are under the law too", "primary/x.test.ts", `import "../replica/y.ts";`],
  ["replica may not import primary", "replica/x.ts", `import "../primary/y.ts";`],
  ["replica may not import src", "replica/x.ts", `import "../src/y.ts";`],
  [
    "replica may not load primary later",
    "replica/x.ts",
    `export const y: unknown = await import("../primary/y.ts");`,
  ],
  ["shared may not import primary", "shared/x.ts", `import "../primary/y.ts";`],
  ["shared may not import replica", "shared/log/x.ts", `import "../../replica/y.ts";`],
  ["shared may not import src", "shared/x.ts", `import "../src/y.ts";`],
  [
    "shared may not load primary later",
    "shared/x.ts",
    `export const y: unknown = await import("../primary/y.ts");`,
  ],
  ["format opens no file", "shared/format/x.ts", `import "node:fs";`],
  ["format opens no file by promise", "shared/format/x.ts", `import "node:fs/promises";`],
  ["format opens no file by the old name", "shared/format/x.ts", `import "fs";`],
  ["format opens no socket", "shared/format/x.ts", `import "node:net";`],
  ["format sends no request", "shared/format/x.ts", `import "undici";`],
  ["format reads no clock", "shared/format/x.ts", `export const x: number = Date.now();`],
  ["format measures no time", "shared/format/x.ts", `export const x: number = performance.now();`],
  ["plan sets no timer", "shared/plan/x.ts", `setTimeout(() => undefined, 1);`],
  ["plan sets no timer by import", "shared/plan/x.ts", `import "node:timers/promises";`],
  ["plan rolls no dice", "shared/plan/x.ts", `export const x: number = Math.random();`],
  ["plan rolls no dice with crypto", "shared/plan/x.ts", `export const x: string = crypto.randomUUID();`],
  ["plan reads no environment", "shared/plan/x.ts", `export const x: unknown = process.env;`],
  ["plan reaches nothing by globalThis", "shared/plan/x.ts", `export const x: unknown = globalThis.Date;`],
  ["plan may not use I/O of shared", "shared/plan/x.ts", `import "../sqlite/driver.ts";`],
  ["plan may not use a file of shared's own", "shared/plan/x.ts", `import "../rpc.ts";`],
  ["plan may not import primary", "shared/plan/x.ts", `import "../../primary/y.ts";`],
] as const;

const lawful = [
  [
    "src may import all",
    "src/x.ts",
    `import "../primary/y.ts";\nimport "../replica/y.ts";\nimport "../shared/y.ts";`,
  ],
  ["primary may import shared", "primary/x.ts", `import "../shared/y.ts";`],
  ["replica may import shared", "replica/x.ts", `import "../shared/log/y.ts";`],
  ["shared may import shared", "shared/log/x.ts", `import "../sqlite/y.ts";`],
  [
    "plan may import format, errors and units",
    "shared/plan/x.ts",
    `import "../format/y.ts";\nimport "../errors.ts";\nimport "../units.ts";\nimport "./z.ts";`,
  ],
  ["format may compute a CRC", "shared/format/x.ts", `import "node:zlib";\nimport "xxhash-wasm";`],
  ["a test of format may open files", "shared/format/x.test.ts", `import "node:fs";`],
] as const;

interface Finding {
  readonly code: string;
  readonly message: string;
}

describe("the import law", () => {
  const root = join(import.meta.dirname, "..");
  let house = "";

  beforeAll(async () => {
    house = await mkdtemp(join(tmpdir(), "tailrace-law-"));
    await copyFile(join(root, ".oxlintrc.json"), join(house, ".oxlintrc.json"));
  });
  afterAll(() => rm(house, { recursive: true, force: true }));

  async function lint(path: string, source: string): Promise<readonly Finding[]> {
    const file = join(house, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `${source}\n`);
    const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [oxlint, "--format=json", path], { cwd: house }, (_, stdout) =>
        resolve(stdout),
      );
    });
    await rm(file);
    return (JSON.parse(output) as { diagnostics: Finding[] }).diagnostics;
  }

  test.each(violations)("%s", async (_, path, source) => {
    const findings = await lint(path, source);
    expect(findings.map(({ code }) => code)).toContainEqual(expect.stringMatching(/no-restricted-/));
  });

  test.each(lawful)("%s", async (_, path, source) => {
    expect(await lint(path, source)).toEqual([]);
  });
});
