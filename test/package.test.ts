import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** The package as a user gets it: packed from this checkout, installed by npm in an empty folder. */

const root = join(import.meta.dirname, "..");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "tailrace-package-")));
const PATIENCE_MS = 180_000;

function run(command: string, words: readonly string[], cwd: string = folder): string {
  return execFileSync(command, words, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      // The Node that runs this test, also for the scripts that npm and npx start.
      PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
      // What is installed here is never run again: to keep it compiled costs more than it saves.
      ...(command === "npm" ? {} : { NODE_DISABLE_COMPILE_CACHE: "1" }),
    },
  });
}

beforeAll(() => {
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], root)) as [
    { filename: string },
  ];
  writeFileSync(join(folder, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", `./${packed.filename}`]);
}, PATIENCE_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the published package", () => {
  test("gives the library: a primary and a replica, from compiled workers, do what the README's ten lines say", () => {
    const [, code = ""] = /^```ts\n(.*?)^```$/ms.exec(run("cat", [join(root, "README.md")])) ?? [];
    const anyPort = code
      .replace("{ port: 4800 }", "{ port: 0 }")
      .replace('"http://127.0.0.1:4800"', 'primary.address ?? ""');
    expect(anyPort).not.toContain("4800");
    writeFileSync(join(folder, "readme.ts"), `${anyPort}await replica.close();\nawait primary.close();\n`);
    expect(run(process.execPath, ["readme.ts"])).toContain("{ text: 'hello' }");
    expect(
      code
        .trim()
        .split("\n")
        .filter((line) => line !== "").length,
    ).toBeLessThanOrEqual(10);
  });

  test("gives the command", () => {
    expect(run("npx", ["--no-install", "tailrace", "--help"])).toContain("Usage: tailrace");
    const { version } = JSON.parse(run("cat", [join(root, "package.json")])) as { version: string };
    expect(run(join(folder, "node_modules/.bin/tailrace"), ["--version"])).toBe(`${version}\n`);
  });

  test("gives types that need nothing else, under the strictest settings", () => {
    writeFileSync(
      join(folder, "consumer.ts"),
      `import { openPrimary, TailraceError } from "tailrace/primary";
       import { openReplica } from "tailrace/replica";
       import type { DatabaseSync } from "node:sqlite";
       const primary = await openPrimary({ file: "app.db", listen: { port: 4800 } });
       const database: DatabaseSync = primary.database;
       const { txid } = await primary.durable();
       const replica = await openReplica({ primary: "http://localhost:4800", file: "edge.db" });
       await replica.waitFor(txid, { timeoutMs: 1000 });
       replica.on("applied", ({ txid }) => { const n: number = txid; void n; });
       class Better { pragma(): void {} }
       const other = await openReplica<Better>({ primary: "http://localhost:4800", file: "b.db", driver: "better-sqlite3" });
       other.database.pragma();
       // @ts-expect-error: no such option
       await openPrimary({ file: "app.db", lisen: {} });
       await replica.close();
       export const code = (error: unknown): string => error instanceof TailraceError ? error.code : String(database);`,
    );
    const settings = {
      module: "nodenext",
      target: "es2024",
      lib: ["es2024", "esnext.disposable"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
    };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: settings, files: ["consumer.ts", "readme.ts"] }),
    );
    expect(run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."])).toBe("");
  });

  test("says what is the matter to a Node that is too old", () => {
    const script = `Object.defineProperty(process.versions, "node", { value: "20.1.0" });
                    await import("./node_modules/tailrace/dist/src/cli.js");`;
    expect(() => run(process.execPath, ["--input-type=module", "--eval", script])).toThrow(
      /Run Node 24\.15 or later/,
    );
  });

  test("is well formed", async () => {
    const { messages } = await publint({
      pkgDir: join(folder, "node_modules/tailrace"),
      strict: true,
      pack: false,
    });
    expect(messages).toEqual([]);
  });
});
