import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_BATCH_IMAGE_BYTES } from "../shared/plan/merge.ts";
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

/** Many processes, one after the other: also where the machine has much else to do. */
const STORY_LIMIT_MS = 120_000;
const UNWANTED = /resync|diverged|foreign/;
const edge = (): string => path.join(folder, "edge.db");

/**
 * A replica that dies at each of these points in turn: in each life it has to find its way from the death before, without
 * a word of what `never` forbids.
 *
 * @param act when it is up, and again with each transaction that it has applied
 */
async function dieAtEach(points: readonly string[], act: () => void, never = UNWANTED): Promise<void> {
  for (const [index, point] of points.entries()) {
    const { said, signal } = await liveUntil(point, act);
    const where = `${point}, after ${points.slice(0, index).join(", ") || "no other"}: ${said}`;
    expect(signal, where).toBe("SIGKILL");
    expect(said, where).not.toMatch(never);
  }
}

function atMost(times: number, act: () => void): () => void {
  let done = 0;
  return () => {
    if (done++ < times) act();
  };
}

/** One life of a replica, in a process that kills itself at the failpoint. */
async function liveUntil(
  failpoint: string,
  act: () => void,
): Promise<{ readonly said: string; readonly signal: string | null }> {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "../test/programs/follow.ts"), primary.url, edge(), "os", "resync"],
    { env: { ...process.env, TAILRACE_FAILPOINT: failpoint }, stdio: ["pipe", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  child.stdout.on("data", act);
  const [, signal] = (await once(child, "exit")) as [number | null, string | null];
  return { said, signal };
}

/** Started again without a failpoint, it has to end identical. @returns what it said */
async function recoverAndCompare(): Promise<string> {
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
  return messages.join("\n");
}

describe("a replica killed", { timeout: STORY_LIMIT_MS }, () => {
  test("at each step of its bootstrap finishes it", async () => {
    await dieAtEach(
      ["bootstrap.part-written:2", "bootstrap.verified", "bootstrap.published"],
      () => undefined,
    );
    await recoverAndCompare();
  });

  test("at each step of following goes on where it was, without a resync", async () => {
    await dieAtEach(
      [
        "receive.chunk-written:2",
        "apply.intent-written",
        "apply.intent-written:3",
        "append.frames-written:2",
        "append.index-written:2",
        "append.published:2",
        "apply.published",
        "apply.position-written:2",
      ],
      () => void primary.insert(50),
    );
    expect(await recoverAndCompare()).not.toMatch(UNWANTED);
  });

  test("within a transaction larger than its memory, and within the checkpoint after it, loses nothing", async () => {
    await dieAtEach(
      [
        "apply.published",
        "apply.intent-written",
        // While it applies that again.
        "append.frames-written",
        "checkpoint.before",
        "checkpoint.after",
      ],
      atMost(2, () => void primary.insert(MAX_BATCH_IMAGE_BYTES / 10_000, 10_000)),
    );
    expect(await recoverAndCompare()).not.toMatch(UNWANTED);
  });

  test("at each step of a resync resyncs again, and ends identical", async () => {
    await dieAtEach(
      [
        "resync.pages-fetched",
        "resync.log-fetched",
        "resync.intent-written",
        "resync.published",
        "resync.log-replaced",
      ],
      atMost(1, () => {
        primary.commitInSecret("UPDATE t SET body = randomblob(100) WHERE id % 7 = 0");
        const comeBack = async (): Promise<void> => {
          await primary.unlisten();
          primary.beginHistory();
          await primary.takeSnapshot();
          // What is committed after the snapshot comes along.
          primary.insert(20);
          await primary.listen();
        };
        void comeBack();
      }),
      /foreign/,
    );
    expect(await recoverAndCompare()).toMatch(/resync/);
  });
});
