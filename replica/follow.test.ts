import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { MessageChannel } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFollowing } from "./follow-thread.ts";
import type { FollowOptions, FollowThread } from "./follow-thread.ts";
import { MAX_BATCH_IMAGE_BYTES } from "../shared/plan/merge.ts";
import type { Notice } from "../shared/notice.ts";
import { runServer } from "../shared/serve/server.ts";
import { LogPrimary } from "../test/harness/log-primary.ts";

let folder: string;
let primary: LogPrimary;
const opened: FollowThread[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "tailrace-follow-"));
  primary = new LogPrimary(path.join(folder, "primary"));
  await primary.listen();
});

afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close();
  await primary.close();
  rmSync(folder, { recursive: true, force: true });
});

const edge = (): string => path.join(folder, "edge.db");

async function follow(
  change: Partial<FollowOptions> = {},
): Promise<FollowThread & { messages: string[]; notices: Notice[] }> {
  const replica = await startFollowing({
    primary: primary.url,
    file: edge(),
    dataDir: `${edge()}-tailrace`,
    driverName: "node:sqlite",
    durability: "os",
    onForeignWrite: "stop",
    ...change,
  });
  opened.push(replica);
  const messages: string[] = [];
  const notices: Notice[] = [];
  replica.on("message", (text) => messages.push(text));
  replica.on("notice", (notice) => notices.push(notice));
  return Object.assign(replica, { messages, notices });
}

async function close(replica: FollowThread): Promise<void> {
  opened.splice(opened.indexOf(replica), 1);
  await replica.close();
}

/** What another process sees. */
function read(sql: string): string {
  return execFileSync("sqlite3", [edge(), sql], { encoding: "utf8" }).trim();
}

/** Both files, checkpointed, byte for byte: by another process, so that no lock of this one is lost. */
function expectIdentical(): void {
  primary.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  // Busy (1) while the replica itself is at it.
  const isWhole = (): boolean => read("PRAGMA wal_checkpoint(TRUNCATE)").startsWith("0|");
  expect(Array.from({ length: 50 }).some(isWhole)).toBe(true);
  execFileSync("cmp", [primary.file, edge()]);
  expect(read("PRAGMA integrity_check")).toBe("ok");
}

async function failure(replica: FollowThread): Promise<{ code: string; message: string }> {
  return await new Promise((resolve) => replica.on("failed", resolve));
}

describe("a replica", () => {
  test("bootstraps, follows each commit, and ends byte-identical", async () => {
    primary.insert(1000);
    const replica = await follow();
    await replica.ready;
    expect(replica.notices.map(({ name }) => name)).toEqual(["bootstrap_started", "bootstrap_done"]);
    expect(read("SELECT count(*) FROM t")).toBe("1000");
    for (let commit = 0; commit < 20; commit++) {
      const txid = primary.insert(10);
      await replica.waitFor(txid);
      expect(read("SELECT count(*) FROM t")).toBe(String(1000 + (commit + 1) * 10));
    }
    primary.commit("DELETE FROM t WHERE id % 2");
    primary.commit("VACUUM");
    expect(await replica.sync()).toBe(primary.txid);
    expectIdentical();
    expect(replica.status()).toMatchObject({
      state: "following",
      lag: { transactions: 0 },
      position: { txid: primary.txid, databaseChecksum: primary.checksum },
      lastError: null,
    });
  });

  test("that was away merges the backlog, resyncs where its place was trimmed, and survives a damaged position", async () => {
    primary.insert(100);
    const replica = await follow();
    await replica.ready;
    await close(replica);

    for (let commit = 0; commit < 50; commit++) primary.insert(20);
    const merging = await follow();
    let commits = 0;
    merging.on("applied", () => commits++);
    await merging.sync();
    expect(commits).toBeLessThan(10);
    expect(merging.messages).toEqual([]);
    expectIdentical();
    await close(merging);

    for (let commit = 0; commit < 5; commit++) primary.insert(200, 4000);
    primary.trim();
    primary.insert(1);
    const trimmed = await follow();
    await trimmed.sync();
    expect(trimmed.messages.join("\n")).toMatch(/segment_trimmed/);
    expectIdentical();
    await close(trimmed);

    writeFileSync(`${edge()}-tailrace/position`, Buffer.alloc(1024, 7));
    primary.insert(1);
    const damaged = await follow();
    await damaged.sync();
    expect(damaged.messages.join("\n")).toMatch(/neither slot/);
    expectIdentical();
  });

  test("applies a transaction larger than its batch memory as one commit", async () => {
    const replica = await follow();
    await replica.ready;
    const rows = Math.ceil(MAX_BATCH_IMAGE_BYTES / 10_000);
    const txid = primary.insert(rows, 10_000);
    await replica.waitFor(txid);
    expect(read("SELECT count(*) FROM t")).toBe(String(rows));
    primary.insert(1);
    await replica.sync();
    expectIdentical();
  });

  test("keeps up across a primary that goes away and comes back, and says so", async () => {
    const replica = await follow();
    await replica.ready;
    await primary.unlisten();
    await expect.poll(() => replica.status().lastError?.code, { timeout: 10_000 }).toBe("unreachable");
    primary.insert(5);
    await primary.listen();
    await replica.waitFor(primary.txid);
    const { lastError, errors } = replica.status();
    // A primary that has just come back may say that it is starting.
    const code = expect.stringMatching(/^(unreachable|not_ready)$/) as string;
    expect(lastError).toMatchObject({ code });
    expect(errors).toContainEqual(expect.objectContaining({ code: "unreachable", hint: null }));
    expect(errors.at(-1)).toEqual(lastError);
    await expect
      .poll(() => replica.notices.at(-1), { timeout: 10_000 })
      .toMatchObject({ level: "info", name: "caught_up", fields: { code, txid: primary.txid } });
    expect(replica.notices).toContainEqual(
      expect.objectContaining({
        level: "warn",
        name: "retrying",
        fields: expect.objectContaining({ code: "unreachable" }) as object,
      }),
    );
    expect(replica.messages.filter((text) => text.startsWith("unreachable"))).toHaveLength(1);
    expectIdentical();
  });

  test("of a primary with another log fetches only the pages that differ, under an open reader", async () => {
    primary.insert(5000);
    const replica = await follow();
    await replica.ready;
    primary.commitInSecret("UPDATE t SET body = randomblob(100) WHERE id = 7");
    primary.beginHistory();
    await primary.unlisten();
    await primary.listen();
    primary.insert(1);
    await replica.waitFor(1);
    await replica.sync();
    const fetched = replica.messages.find((text) => text.startsWith("resync:"));
    expect(Number(/(\d+) pages differed/.exec(fetched ?? "")?.[1])).toBeLessThan(10);
    expect(replica.messages.join("\n")).toMatch(/log_diverged/);
    expectIdentical();
  });

  test("whose file somebody has written to stops and says so, and keeps what was written; told to resync, undoes it", async () => {
    const replica = await follow();
    await replica.ready;
    read("CREATE TABLE mine(x)");
    const failed = failure(replica);
    primary.insert(1);
    expect(await failed).toMatchObject({ code: "foreign_write" });
    // The end is told once, by that event.
    expect(replica.messages.join("\n")).not.toMatch(/foreign_write/);
    expect(read("SELECT count(*) FROM mine")).toBe("0");
    await expect
      .poll(() => replica.status(), { timeout: 10_000 })
      .toMatchObject({ state: "stopped", lastError: { code: "foreign_write" } });
    await close(replica);

    const resyncing = await follow({ onForeignWrite: "resync" });
    await resyncing.sync();
    expect(resyncing.messages.join("\n")).toMatch(/foreign_write/);
    primary.insert(1);
    await resyncing.sync();
    expectIdentical();
    // While it runs, too.
    const before = resyncing.messages.length;
    read("CREATE TABLE mine(x)");
    primary.insert(1);
    await resyncing.sync();
    expect(resyncing.messages.slice(before).join("\n")).toMatch(/foreign_write/);
    expectIdentical();
    await close(resyncing);

    read("CREATE TABLE mine(x)");
    const again = await follow();
    await expect(again.ready).rejects.toMatchObject({ code: "foreign_write" });
  });

  test("whose file was deleted while it was not running, or while it was, fetches it again", async () => {
    primary.insert(10);
    const replica = await follow();
    await replica.ready;
    await close(replica);
    rmSync(edge());
    const again = await follow();
    await again.sync();
    expect(again.messages.join("\n")).toMatch(/is gone: it is fetched again/);
    for (const end of ["", "-wal", "-shm"]) rmSync(edge() + end, { force: true });
    primary.insert(1);
    const hasPages = (): boolean => existsSync(edge()) && statSync(edge()).size > 0;
    await expect.poll(hasPages, { timeout: 10_000 }).toBe(true);
    await again.sync();
    expectIdentical();
  });

  test("whose file is deleted while it cannot be compared fetches it again", async () => {
    const replica = await follow({ onForeignWrite: "resync" });
    await replica.ready;
    await primary.unlisten();
    await close(replica);
    read("CREATE TABLE mine(x)");
    const again = await follow({ onForeignWrite: "resync" });
    await expect
      .poll(async () => again.status()["receiver"], { timeout: 10_000 })
      .toMatchObject({ state: "pausing-resync" });
    for (const end of ["", "-wal", "-shm"]) rmSync(edge() + end, { force: true });
    await primary.listen();
    await again.sync();
    expect(again.status()).toMatchObject({ bootstraps: 1, resyncs: 0 });
    expectIdentical();
  });

  test("never overwrites a database that it did not make", async () => {
    execFileSync("sqlite3", [edge(), "CREATE TABLE mine(x)"]);
    await expect(follow()).rejects.toMatchObject({ code: "unrelated_database" });
    expect(existsSync(`${edge()}-tailrace`)).toBe(false);
    expect(read("SELECT count(*) FROM mine")).toBe("0");
  });

  test("never overwrites a database that was put in its place", async () => {
    const replica = await follow();
    await replica.ready;
    await close(replica);
    rmSync(edge());
    execFileSync("sqlite3", [edge(), "CREATE TABLE mine(x)"]);
    const again = await follow();
    await expect(again.ready).rejects.toMatchObject({ code: "unrelated_database" });
    expect(read("SELECT count(*) FROM mine")).toBe("0");
  });

  test("feeds another replica", async () => {
    primary.insert(100);
    const replica = await follow();
    await replica.ready;
    const { port1, port2 } = new MessageChannel();
    const logFolder = `${edge()}-tailrace/log`;
    const options = { host: "127.0.0.1", port: 0, logFolder, enginePort: port2 };
    const server = await runServer({ ...options, role: "replica", version: "1.2.3" }, Date.now);
    await replica.connectServe(port1);
    const file = path.join(folder, "second.db");
    const second = await follow({
      primary: `http://127.0.0.1:${server.port}`,
      file,
      dataDir: `${file}-tailrace`,
    });
    await second.ready;
    const txid = primary.insert(7);
    await second.waitFor(txid);
    expect(execFileSync("sqlite3", [file, "SELECT count(*) FROM t"], { encoding: "utf8" }).trim()).toBe(
      "107",
    );
    await close(second);
    await server.close(0);
    port2.close();
  });
});
