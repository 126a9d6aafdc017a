import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commands } from "../src/commands.ts";
import { Transcript } from "./harness/golden.ts";
import { asLesserUser } from "./harness/lesser-user.ts";

/*
 * Wrong input, as whoever types it sees it. The transcripts are golden files: a message is part of what we promise.
 * After each, nothing on the disk has changed.
 */

const cli = join(import.meta.dirname, "../src/cli.ts");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "tailrace-wrong-")));
const environment = {
  PATH: process.env["PATH"],
  NO_COLOR: "1",
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
};
const web = createServer((_, response) => response.end("<h1>Not what you think</h1>"));
let primaryUrl = "";
let webUrl = "";
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  writeFileSync(join(folder, "notes.txt"), "Dear diary, this is not a database. ".repeat(100));
  writeFileSync(join(folder, "encrypted.db"), Buffer.alloc(8192, "\u0093\u001f\u00e7\u0055", "latin1"));
  const database = new DatabaseSync(join(folder, "app.db"));
  database.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('mine')");
  database.close();
  execFileSync("cp", [join(folder, "app.db"), join(folder, "corrupt.db")]);
  execFileSync(
    "dd",
    [`of=${join(folder, "corrupt.db")}`, "bs=1", "seek=100", "count=64", "conv=notrunc", "if=/dev/zero"],
    { stdio: "ignore" },
  );
  mkdirSync(join(folder, "served"));
  mkdirSync(join(folder, "locked"));
  execFileSync("cp", [join(folder, "app.db"), join(folder, "locked/app.db")]);
  chmodSync(join(folder, "locked/app.db"), 0o444);
  chmodSync(join(folder, "locked"), 0o555);
  chmodSync(folder, 0o755);

  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  webUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;

  const primary = spawn(process.execPath, [cli, "primary", "served/app.db", "--port", "0", "--json"], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  cleanups.push(async () => {
    primary.kill("SIGTERM");
    await once(primary, "exit");
  });
  for await (const line of createInterface({ input: primary.stdout })) {
    const event = JSON.parse(line) as { event: string; url?: string };
    if (event.event === "serving") primaryUrl = event.url ?? "";
    if (event.event === "serving") break;
  }
});
afterAll(async () => {
  web.close();
  for (const cleanup of cleanups) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

type Variables = Readonly<Record<string, string>>;

interface Outcome {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** As a process of its own, where files and ports come into it. */
function apart(
  words: readonly string[],
  variables: Variables,
  as: typeof asLesserUser = (command, args) => ({ command, args }),
): Promise<Outcome> {
  const { command, args } = as(process.execPath, [cli, ...words]);
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { cwd: folder, env: { ...environment, ...variables }, timeout: 20_000 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }),
    );
  });
}

/** Within this process: the same words take no time to refuse. */
function within(words: readonly string[], variables: Variables): Promise<Outcome> {
  return new Transcript("").run(commands, words, variables);
}

/** What a shell shows of one command; what differs from run to run is replaced by a name. */
async function transcript(
  words: readonly string[],
  run: (words: readonly string[], variables: Variables) => Promise<Outcome>,
  variables: Variables = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(words, variables);
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${value} `);
  return named(`$ ${settings.join("")}tailrace ${words.join(" ")}\n${stdout}${stderr}exit ${String(code)}\n`);
}

function named(text: string): string {
  return text
    .replaceAll(folder, "FOLDER")
    .replaceAll(primaryUrl, "http://PRIMARY")
    .replaceAll(webUrl, "http://ELSEWHERE")
    .replaceAll(new URL(primaryUrl).port, "PORT")
    .replaceAll(/127\.0\.0\.1:\d{5}/g, "127.0.0.1:PORT");
}

/** Every file of the folder but the served one's, with its content: by another process, for the sake of POSIX locks. */
function contents(): string {
  const script = `find . -path ./served -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; find . | grep -v served | sort`;
  return execFileSync("sh", ["-c", script], { cwd: folder, encoding: "utf8" });
}

type Case = readonly [name: string, words: () => readonly string[], variables?: Variables];
const casesApart: readonly Case[] = [
  ["not-a-database", () => ["primary", "notes.txt", "--port", "0"]],
  ["an-encrypted-database", () => ["primary", "encrypted.db", "--port", "0"]],
  ["a-corrupt-database", () => ["primary", "corrupt.db", "--port", "0"]],
  ["a-missing-folder", () => ["primary", "nowhere/app.db", "--port", "0"]],
  ["a-folder-for-a-file", () => ["primary", "served", "--port", "0"]],
  ["a-port-in-use", () => ["primary", "app.db", "--port", new URL(primaryUrl).port]],
  [
    "a-data-folder-in-use",
    () => ["primary", "app.db", "--port", "0", "--data-dir", "served/app.db-tailrace"],
  ],
  ["a-database-served-already", () => ["primary", "served/app.db", "--port", "0"]],
  ["an-address-that-others-reach", () => ["primary", "app.db", "--host", "0.0.0.0"]],
  ["a-replica-onto-another-database", () => ["replica", primaryUrl, "app.db", "--port", "0"]],
  ["a-replica-of-no-url", () => ["replica", "127.0.0.1:4800", "new.db", "--port", "0"]],
  ["a-replica-of-no-node", () => ["replica", webUrl, "new.db", "--port", "0"]],
  ["a-demo-of-no-database", () => ["demo", "--database", "missing.db"]],
];

const casesWithin: readonly Case[] = [
  ["a-port-that-is-none", () => ["primary", "app.db", "--port", "http"]],
  ["a-port-that-is-none-by-variable", () => ["primary", "app.db"], { TAILRACE_PORT: "tcp://10.0.0.1:80" }],
  ["a-durability-that-is-none", () => ["primary", "app.db", "--durability", "hopefully"]],
  ["an-unknown-flag", () => ["primary", "app.db", "--prot", "1"]],
  ["an-unknown-command", () => ["primry", "app.db"]],
  ["a-missing-operand", () => ["replica", "http://127.0.0.1:4800"]],
  ["status-of-no-node", () => ["status", webUrl]],
  ["status-of-nobody", () => ["status", "http://127.0.0.1:9"]],
  ["verify-of-no-node", () => ["verify", primaryUrl, webUrl]],
];

test.each([
  ...casesApart.map(([name, words, variables = {}]) => ({ name, words, variables, run: apart })),
  ...casesWithin.map(([name, words, variables = {}]) => ({ name, words, variables, run: within })),
])("$name is refused, and nothing has changed", async ({ name, words, variables, run }) => {
  const before = contents();
  const text = await transcript(words(), run, variables);
  expect(contents()).toBe(before);
  await expect(text).toMatchFileSnapshot(`golden/wrong-input/${name}.txt`);
});

test("a-file-that-cannot-be-written is refused, and nothing has changed", async () => {
  const before = contents();
  const text = await transcript(["primary", "locked/app.db", "--port", "0"], (words, variables) =>
    apart(words, variables, asLesserUser),
  );
  expect(contents()).toBe(before);
  await expect(text).toMatchFileSnapshot("golden/wrong-input/a-file-that-cannot-be-written.txt");
});

test.each([
  "max_bytes=0",
  "max_bytes=-1",
  "max_bytes=1e12",
  "max_bytes=many",
  "segment=0",
  "segment=one",
  "offset=-1",
  "offset=0000000000000001:0000000000000050",
  "wait_ms=3600000",
])("a request for log bytes with %s is refused", async (wrong) => {
  const query = new URLSearchParams("segment=1&offset=0");
  const [key = "", value = ""] = wrong.split("=");
  query.set(key, value);
  const response = await fetch(`${primaryUrl}/wal?${query.toString()}`);
  const text = `GET /wal?${query.toString()}\n${response.status} ${response.headers.get("content-type")}\n${JSON.stringify(await response.json(), undefined, 2)}\n`;
  await expect(named(text)).toMatchFileSnapshot(`golden/wrong-input/wal-${wrong.replaceAll(/\W/g, "-")}.txt`);
});
