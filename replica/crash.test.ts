import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFollowing } from "./follow-thread.ts";
import { LogPrimary } from "../test/harness/log-primary.ts";

let folder: string;
let primary: LogPrimary;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "tailrace-crash-"));
  primary = new LogPrimary(path.join(folder, "primary"));
  primary.insert(3000, 1000);
  await primary.listen();
});
afterEach(async () => {
  await primary.close();
  rmSync(folder, { recursive: true, force: true });
});

const edge = (): string => path.join(folder, "edge.db");

/**
 * A replica in a process that kills itself at the failpoint.
 *
 * @param act when it is ready, and again with each transaction that it has applied, by how often before
 * @returns once it is dead
 */
async function crashAt(failpoint: string, act: (times: number) => void): Promise<void> {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "../test/programs/follow.ts"), primary.url, edge(), "os", "resync"],
    { env: { ...process.env, TAILRACE_FAILPOINT: failpoint }, stdio: ["pipe", "pipe", "pipe"] },
  );
  let said = "";
  let times = 0;
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  child.stdout.on("data", () => act(times++));
  const [, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect(signal, said).toBe("SIGKILL");
}

/** The same replica, started again without a failpoint, has to end identical, and to say nothing of divergence. */
async function recoverAndCompare(): Promise<string[]> {
  const replica = await startFollowing({
    primary: primary.url,
    file: edge(),
    dataDir: `${edge()}-tailrace`,
    driverName: "node:sqlite",
    durability: "os",
    onForeignWrite: "stop",
  });
  const messages: string[] = [];
  replica.on("message", (text) => messages.push(text));
  try {
    primary.insert(1);
    await replica.sync();
    expect(replica.status()).toMatchObject({ position: { databaseChecksum: primary.checksum } });
  } finally {
    await replica.close();
  }
  primary.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  execFileSync("sqlite3", [edge(), "PRAGMA wal_checkpoint(TRUNCATE)"]);
  execFileSync("cmp", [primary.file, edge()]);
  expect(execFileSync("sqlite3", [edge(), "PRAGMA integrity_check"], { encoding: "utf8" }).trim()).toBe("ok");
  return messages;
}

describe("a replica killed", () => {
  test.each(["bootstrap.part-written:2", "bootstrap.verified", "bootstrap.published"])(
    "at %s finishes its bootstrap",
    async (failpoint) => {
      await crashAt(failpoint, () => undefined);
      await recoverAndCompare();
    },
  );

  test.each([
    "receive.chunk-written:2",
    "apply.intent-written",
    "apply.intent-written:3",
    "append.frames-written:2",
    "append.index-written:2",
    "append.published:2",
    "apply.published",
    "apply.position-written:2",
  ])("at %s goes on where it was, without a resync", async (failpoint) => {
    await crashAt(failpoint, () => void primary.insert(50));
    const messages = await recoverAndCompare();
    expect(messages.join("\n")).not.toMatch(/resync|diverged|foreign/);
  });

  test.each(["apply.intent-written", "append.frames-written", "apply.published"])(
    "within a transaction larger than its memory, at %s, applies it again",
    async (failpoint) => {
      await crashAt(failpoint, (times) => void (times === 0 && primary.insert(2500, 10_000)));
      const messages = await recoverAndCompare();
      expect(messages.join("\n")).not.toMatch(/resync|diverged|foreign/);
    },
  );

  test.each(["checkpoint.before", "checkpoint.after"])("at %s loses nothing", async (failpoint) => {
    await crashAt(failpoint, (times) => void (times === 0 && primary.insert(2500, 10_000)));
    const messages = await recoverAndCompare();
    expect(messages.join("\n")).not.toMatch(/resync|diverged|foreign/);
  });

  test.each([
    "resync.pages-fetched",
    "resync.log-fetched",
    "resync.intent-written",
    "resync.published",
    "resync.log-replaced",
  ])("at %s resyncs again, and ends identical", async (failpoint) => {
    await crashAt(failpoint, (times) => {
      if (times > 0) return;
      primary.commitInSecret("UPDATE t SET body = randomblob(100) WHERE id % 7 = 0");
      primary.beginHistory();
      // What is committed after the snapshot comes along.
      const comeBack = async (): Promise<void> => {
        await primary.unlisten();
        await primary.listen();
        await (await fetch(`${primary.url}/snapshot/latest`)).arrayBuffer();
        primary.insert(20);
      };
      void comeBack();
    });
    const messages = await recoverAndCompare();
    expect(messages.join("\n")).toMatch(/resync/);
  });
});
