import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { commands } from "../src/commands.ts";
import { Transcript } from "./harness/golden.ts";
import type { Naming, Outcome } from "./harness/golden.ts";
import { NodeProcess, ServingProcess } from "./harness/node-process.ts";
import { primaryStatus } from "./harness/status-documents.ts";

const cli = join(import.meta.dirname, "../src/cli.ts");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "tailrace-commands-")));
const path = (name: string): string => join(folder, name);
/** Where the demo makes its folder. */
const temporary = path("temporary");
mkdirSync(temporary);
const servers: Server[] = [];
const processes: NodeProcess[] = [];
afterAll(async () => {
  for (const server of servers) server.close();
  for (const process of processes) if (process.isRunning) await process.kill();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function tailrace(...words: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [cli, ...words],
      { timeout: 25_000, env: { ...process.env, TMPDIR: temporary } },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }),
    );
  });
}

/** Within this process: without the start of another. */
function within(...words: readonly string[]): Promise<Outcome> {
  return new Transcript("").run(commands, words);
}

const NAMINGS: readonly Naming[] = [
  [/\bin \d[\d.]* m?s\b/g, "in TIME"],
  [/"(\w*Ms)":[\d.]+/g, '"$1":TIME'],
  [/"time":[\d.]+/g, '"time":TIME'],
  [/[0-9a-f]{32}/g, "LOG-ID"],
];

interface Spoken {
  readonly process: ServingProcess;
  readonly words: readonly string[];
  readonly texts: { stdout: string; stderr: string };
}

/** A serving node whose two streams are kept apart. */
async function spoken(...words: readonly string[]): Promise<Spoken> {
  const process = ServingProcess.launch(words);
  processes.push(process);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    process.child[name].on("data", (more: string) => (texts[name] += more));
  await process.ready();
  return { process, words, texts };
}

async function serving(...words: readonly string[]): Promise<ServingProcess> {
  const process = ServingProcess.launch(words);
  processes.push(process);
  await process.ready();
  return process;
}

/** A node that stands still at one state. */
async function stillNode(logId: string, txid: number, databaseChecksum: string): Promise<string> {
  const { log } = primaryStatus() as { log: object };
  const status = primaryStatus({ log: { ...log, logId, headTxid: txid, databaseChecksum } });
  const server = createServer((_, response) => response.end(JSON.stringify(status))).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a primary and a replica from the command line", () => {
  test("are seen identical while they move, say what they are, and stop when told", async () => {
    const primary = await serving("primary", path("app.db"));
    expect((await fetch(`${primary.url}/readyz`)).status).toBe(200);
    const replicaWords = ["replica", primary.url, path("edge.db"), "--id", "edge-1"];
    const replica = await serving(...replicaWords);
    const application = new DatabaseSync(path("app.db"));
    application.exec("CREATE TABLE t (x)");
    const timer = setInterval(() => application.exec("INSERT INTO t VALUES (randomblob(100))"), 5);
    const moving = await tailrace("verify", primary.url, replica.url);
    clearInterval(timer);
    application.close();
    expect(moving.stderr).toBe("");
    expect(moving.stdout).toMatch(/^identical at txid \d+\n/);
    expect(moving.code).toBe(0);

    const json = await within("status", replica.url, "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ role: "replica", isReady: true });
    expect((await within("status", primary.url)).stdout).toMatch(/^primary, ready$/m);
    const looks = ["replicas", "wal", "snapshots"];
    for (const { url } of [primary, replica])
      for (const name of looks) expect(await within(name, url)).toMatchObject({ code: 0, stderr: "" });
    expect((await within("replicas", primary.url)).stdout).toMatch(/^edge-1 .* (streaming|catching up) /m);
    expect((await within("snapshot", primary.url)).stdout).toMatch(/^snapshot 2 at txid \d+, .* taken in /);
    expect((await within("snapshot", replica.url)).stdout).toMatch(/^snapshot 1 at txid /);
    for (const { url } of [primary, replica])
      expect((await within("checkpoint", url)).stdout).toMatch(/^complete: /);
    expect((await within("verify", primary.url, replica.url, "--deep")).stdout).toMatch(
      /^identical at txid \d+\n(.*\n){2}sound: /,
    );
    const unknown = await within("forget", primary.url, "edge1");
    expect(unknown.stderr).toMatch(/^error replica_unknown: .*\n {2}Is edge-1 meant\?/);
    expect((await within("forget", primary.url, "edge-1")).stdout).toMatch(/^forgotten: edge-1 /);

    await replica.stop();
    await primary.stop();

    // It comes back before its primary does: it serves what it has, and says that all is not well.
    const alone = await serving(...replicaWords);
    await alone.waitFor(/unreachable/);
    const ready = async (): Promise<number> => (await fetch(`${alone.url}/readyz`)).status;
    await expect.poll(ready, { timeout: 10_000 }).toBe(200);
    const { code, stdout } = await tailrace("status", alone.url);
    expect(stdout).toMatch(/^replica edge-1, \S+, ready\n/);
    expect(stdout).toMatch(/^error +the source .*cannot be reached/m);
    expect(code).toBe(3);
    await alone.stop();
  });

  test("tell of their life in lines, also when they come back", async () => {
    const transcript = new Transcript("A primary and a replica, from their first start to the last end.", [
      ...NAMINGS,
      [folder, "FOLDER"],
    ]);
    const life = async (...flags: readonly string[]): Promise<void> => {
      const primary = await spoken("primary", path("quiet.db"), "--port", "0", ...flags);
      const line = ["replica", primary.process.url, path("quiet-edge.db"), "--id", "edge-1", "--port", "0"];
      const replica = await spoken(...line, ...flags);
      await replica.process.waitFor(/can be read|"ready"/);
      if (flags.length === 0) await primary.process.waitFor(/edge-1 at \S+ follows/);
      await replica.process.stop();
      await primary.process.stop();
      for (const { words, texts } of [primary, replica]) transcript.note(words, { code: 0, ...texts });
    };
    await life();
    transcript.say("Once more, as a script that reads JSON sees it.");
    await life("--json");
    transcript.expectGolden("serving/a-primary-and-a-replica");
  });
});

test("watching goes on until SIGTERM, and ends with the exit code of the last look", async () => {
  const node = await stillNode("1".repeat(32), 7, "00000000000000aa");
  const watching = new NodeProcess(cli, ["status", node, "--watch", "0.1", "--json"]);
  processes.push(watching);
  await watching.waitFor(/\n\{.*\n/);
  // Of this node's replicas one is away.
  expect(await watching.kill("SIGTERM")).toEqual({ code: 3, signal: null });
  const lines = watching.text.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject(
    lines.map(() => ({ role: "primary" })),
  );
});

describe("verify", () => {
  test("two nodes that differ at one txid: exit 3, and both checksums", async () => {
    const a = await stillNode("1".repeat(32), 7, "00000000000000aa");
    const b = await stillNode("1".repeat(32), 7, "00000000000000bb");
    const { code, stdout } = await within("verify", a, b);
    expect(stdout).toBe(`different at txid 7\n  00000000000000aa  ${a}\n  00000000000000bb  ${b}\n`);
    expect(code).toBe(3);
  });

  test("two nodes with different logs: exit 3", async () => {
    const a = await stillNode("1".repeat(32), 7, "00000000000000aa");
    const b = await stillNode("2".repeat(32), 7, "00000000000000aa");
    const { code, stdout } = await within("verify", a, b, "--json");
    expect(JSON.parse(stdout)).toEqual({ isIdentical: false, logIds: ["1".repeat(32), "2".repeat(32)] });
    expect(code).toBe(3);
  });

  test("two nodes that never meet: a timeout that says where they are", async () => {
    const a = await stillNode("1".repeat(32), 7, "00000000000000aa");
    const b = await stillNode("1".repeat(32), 8, "00000000000000aa");
    const { code, stderr } = await within("verify", a, b, "--timeout-ms", "300");
    expect(stderr).toContain(`not seen at one txid within 300 ms: ${a} at 7, ${b} at 8`);
    expect(code).toBe(1);
  });
});

describe("the demo", () => {
  test("proves every replica byte-identical, and leaves nothing behind", async () => {
    const { code, stdout } = await tailrace("demo", "--seconds", "1", "--json");
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toEqual({
      event: "page",
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) as string,
    });
    expect(events.filter(({ event }) => event === "sample").length).toBeGreaterThan(0);
    expect(events.filter(({ event }) => event === "proof")).toMatchObject([
      { replica: "replica-1", isIdentical: true },
      { replica: "replica-2", isIdentical: true },
    ]);
    expect(code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("works on a copy of the user's database", async () => {
    const own = new DatabaseSync(path("own.db"));
    own.exec("PRAGMA page_size = 1024; CREATE TABLE mine (x); INSERT INTO mine VALUES (randomblob(100000))");
    own.close();
    const hash = (): string => execFileSync("sha256sum", [path("own.db")], { encoding: "utf8" });
    const before = hash();
    const words = ["demo", "--seconds", "1", "--replicas", "1", "--database", path("own.db")];
    const { code, stdout, stderr } = await tailrace(...words);
    expect(stdout).toMatch(/^identical {2}replica-1: all [\d,]+ bytes are the primary's$/m);
    expect(code).toBe(0);
    expect(hash()).toBe(before);
    // All of it but the figures, which are the machine's.
    const transcript = new Transcript("The demo on a copy of one's own database, into a pipe.", [
      [folder, "FOLDER"],
      [/tailrace-demo-\w+/g, "tailrace-demo-RANDOM"],
      [/(^.* s {2}primary txid .*\n)+/gm, "N s  (a line a second: txid, lag and rate of each node)\n"],
      [/all [\d,]+ bytes/g, "all N bytes"],
    ]);
    transcript.note(words, { code: Number(code), stdout, stderr });
    transcript.expectGolden("demo/on-a-copy");
  });

  test("ends its processes when it is itself killed", async () => {
    const demo = new NodeProcess(cli, ["demo", "--seconds", "30", "--replicas", "1"], {
      env: { TMPDIR: temporary },
    });
    const port = Number((await demo.waitFor(/primary +http:\/\/127\.0\.0\.1:(\d+)/))[1]);
    await demo.waitFor(/writer/);
    await demo.kill();
    // The pipe to the demo's stderr is gone with it; what is left of its processes shows by the primary's port.
    for (let attempt = 0; ; attempt++) {
      const answer = await fetch(`http://127.0.0.1:${port}/livez`).catch(() => undefined);
      if (answer === undefined) break;
      await answer.text();
      expect(attempt).toBeLessThan(1_000);
    }
  });
});
