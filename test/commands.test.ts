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
import { NodeProcess, ServingProcess } from "./harness/node-process.ts";

const cli = join(import.meta.dirname, "../src/cli.ts");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "tailrace-commands-")));
const path = (name: string): string => join(folder, name);
/** Where the demo makes its folder. */
const temporary = path("temporary");
mkdirSync(temporary);
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
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

/** A node that stands still at one state. */
async function stillNode(logId: string, txid: number, databaseChecksum: string): Promise<string> {
  const cursor = { segment: 1, offset: 80 };
  const log = {
    logId,
    epoch: 0,
    pageSizeBytes: 4096,
    start: cursor,
    end: cursor,
    headTxid: txid,
    headTimeMs: 1,
  };
  const status = {
    protocol: 1,
    role: "primary",
    isReady: true,
    unready: null,
    startedMs: 1,
    nowMs: 2,
    log: { ...log, databaseChecksum },
    waitingRequests: 0,
    downloads: 0,
    replicas: [],
  };
  const server = createServer((_, response) => response.end(JSON.stringify(status))).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a primary and a replica from the command line", () => {
  test("are seen identical while they move, say what they are, and stop when told", async () => {
    const primary = await ServingProcess.start(["primary", path("app.db")]);
    expect((await fetch(`${primary.url}/readyz`)).status).toBe(200);
    const replica = await ServingProcess.start(["replica", primary.url, path("edge.db")]);
    const application = new DatabaseSync(path("app.db"));
    application.exec("CREATE TABLE t (x)");
    const timer = setInterval(() => application.exec("INSERT INTO t VALUES (randomblob(100))"), 5);
    const moving = await tailrace("verify", primary.url, replica.url);
    clearInterval(timer);
    application.close();
    expect(moving.stderr).toBe("");
    expect(moving.stdout).toMatch(/^identical at txid \d+\n/);
    expect(moving.code).toBe(0);

    const json = await tailrace("status", replica.url, "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ role: "replica", isReady: true });
    expect((await tailrace("status", primary.url)).stdout).toMatch(/^primary, ready$/m);

    await replica.stop();
    await primary.stop();
  });

  test("a replica that comes back before its primary does serves what it has, and says that all is not well", async () => {
    const primary = await ServingProcess.start(["primary", path("alone.db")]);
    const words = ["replica", primary.url, path("alone-edge.db")];
    const before = await ServingProcess.start(words);
    await before.waitFor(/can be read/);
    await before.stop();
    await primary.stop();

    const replica = await ServingProcess.start(words);
    await replica.waitFor(/unreachable/);
    expect((await fetch(`${replica.url}/readyz`)).status).toBe(200);
    const { code, stdout } = await tailrace("status", replica.url);
    expect(stdout).toMatch(/^replica \w+, \S+, ready\n/);
    expect(stdout).toMatch(/^last error: unreachable: /m);
    expect(code).toBe(3);
    await replica.stop();
  });
});

describe("verify", () => {
  test("two nodes that differ at one txid: exit 3, and both checksums", async () => {
    const a = await stillNode("1".repeat(32), 7, "00000000000000aa");
    const b = await stillNode("1".repeat(32), 7, "00000000000000bb");
    const { code, stdout } = await tailrace("verify", a, b);
    expect(stdout).toBe(`different at txid 7\n  00000000000000aa  ${a}\n  00000000000000bb  ${b}\n`);
    expect(code).toBe(3);
  });

  test("two nodes with different logs: exit 3", async () => {
    const a = await stillNode("1".repeat(32), 7, "00000000000000aa");
    const b = await stillNode("2".repeat(32), 7, "00000000000000aa");
    const { code, stdout } = await tailrace("verify", a, b, "--json");
    expect(JSON.parse(stdout)).toEqual({ isIdentical: false, logIds: ["1".repeat(32), "2".repeat(32)] });
    expect(code).toBe(3);
  });

  test("two nodes that never meet: a timeout that says where they are", async () => {
    const a = await stillNode("1".repeat(32), 7, "00000000000000aa");
    const b = await stillNode("1".repeat(32), 8, "00000000000000aa");
    const { code, stderr } = await tailrace("verify", a, b, "--timeout-ms", "300");
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
    const { code, stdout } = await tailrace(
      "demo",
      "--seconds",
      "1",
      "--replicas",
      "1",
      "--database",
      path("own.db"),
    );
    expect(stdout).toMatch(/^identical {2}replica-1: all [\d,]+ bytes are the primary's$/m);
    expect(code).toBe(0);
    expect(hash()).toBe(before);
  });

  test("ends its processes when it is itself killed", async () => {
    const demo = new NodeProcess(cli, ["demo", "--seconds", "30"], { env: { TMPDIR: temporary } });
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
