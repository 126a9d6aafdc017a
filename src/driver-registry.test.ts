import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { claimFile } from "./driver-registry.ts";

const folder = mkdtempSync(join(tmpdir(), "tailrace-drivers-"));
const file = join(folder, "app.db");
new DatabaseSync(file).exec("CREATE TABLE t (x)");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// A process of its own: which libraries are loaded is a fact of the process.
const claimAfter = (setup: string, driver: string): string =>
  execFileSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { createRequire } from "node:module";
       const require = createRequire(${JSON.stringify(import.meta.url)});
       const file = ${JSON.stringify(file)};
       ${setup}
       const { claimFile } = await import(${JSON.stringify(new URL("driver-registry.ts", import.meta.url).href)});
       try { claimFile(file, ${JSON.stringify(driver)}); console.log("claimed"); } catch (error) { console.log(error.code); }`,
    ],
    { encoding: "utf8" },
  ).trim();

describe("one SQLite library per process and file", () => {
  test("the same driver may open a file twice, the other not before both are closed", () => {
    const first = claimFile(file, "node:sqlite");
    const second = claimFile(file, "node:sqlite");
    const conflict = expect.objectContaining({ code: "driver_conflict" });
    expect(() => claimFile(file, "better-sqlite3")).toThrow(conflict);
    first();
    first();
    expect(() => claimFile(file, "better-sqlite3")).toThrow(conflict);
    second();
    claimFile(file, "better-sqlite3")();
  });

  test("a file that does not exist is nobody's", () => {
    claimFile(join(folder, "missing.db"), "node:sqlite")();
    claimFile(join(folder, "missing.db"), "better-sqlite3")();
  });

  const openByBetter = `const held = new (require("better-sqlite3"))(file); held.prepare("SELECT * FROM t").all();`;
  const openByNode = `const held = new (require("node:sqlite").DatabaseSync)(file); held.exec("SELECT * FROM t");`;

  test.runIf(process.platform === "linux")(
    "the user's own connection through the other library is seen",
    () => {
      expect(claimAfter(openByBetter, "node:sqlite")).toBe("driver_conflict");
      expect(claimAfter(openByNode, "better-sqlite3")).toBe("driver_conflict");
    },
  );

  test("the user's own connection through the same library is no conflict", () => {
    expect(claimAfter(openByBetter, "better-sqlite3")).toBe("claimed");
    expect(claimAfter(openByNode, "node:sqlite")).toBe("claimed");
  });
});
