import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Edge } from "../test/harness/edge.ts";
import { NodeProcess } from "../test/harness/node-process.ts";
import { shell } from "../test/harness/shell.ts";
import { CREATE_SPREAD, STEP_SPREAD, Watcher } from "../test/harness/watcher.ts";

const program = (name: string): string => path.join(import.meta.dirname, "../test/programs", name);

let edge: Edge;
const processes: NodeProcess[] = [];
afterEach(async () => {
  for (const child of processes.splice(0)) if (child.isRunning) await child.kill();
  await edge.close();
});

interface Status {
  readonly state: string;
  readonly applier: { readonly state: string; readonly blockedBy: { readonly code: string } | null };
  readonly receiver: { readonly state: string; readonly nextTryMs: number | null };
  readonly position: { readonly txid: number; readonly databaseChecksum: string };
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

/** Another process takes the replica's write lock. @returns gives the lock back */
async function takeLock(): Promise<() => Promise<void>> {
  const holder = spawn("python3", [program("hold-write-lock.py"), edge.file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  return async () => {
    holder.stdin.end();
    await once(holder, "close");
  };
}

describe("another writer that keeps the replica's write lock", () => {
  test("blocks it, which its status says; what comes meanwhile is received, and applied afterwards", async () => {
    edge = new Edge();
    const { primary } = edge;
    await primary.listen();
    const replica = await edge.start();
    await replica.sync();
    const unlock = await takeLock();
    const before = primary.txid;
    for (let commit = 0; commit < 20; commit++) primary.insert(10);
    const status = (): Status => replica.status() as unknown as Status;
    await expect
      .poll(() => status().applier, { timeout: 10_000 })
      .toMatchObject({
        state: "blocked",
        blockedBy: { code: "database_busy" },
      });
    await expect
      .poll(() => status().receiver, { timeout: 10_000 })
      .toMatchObject({
        state: "receiving",
        primaryTxid: primary.txid,
      });
    expect(status()).toMatchObject({ state: "following", position: { txid: before }, lastError: null });
    await expect(replica.waitFor(primary.txid, { timeoutMs: 50 })).rejects.toMatchObject({ code: "timeout" });
    await unlock();
    await replica.waitFor(primary.txid);
    expect(status()).toMatchObject({ applier: { state: "idle", blockedBy: null }, lastError: null });
    expect(edge.messages.join("\n")).not.toMatch(/foreign|resync/);
    await edge.expectIdentical();
  });

  test("holds up a resync as long as it is there, and no longer", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary, messages } = edge;
    primary.insert(100);
    await primary.listen();
    await (await edge.start()).sync();
    await edge.stop();
    shell(edge.file, "CREATE TABLE mine(x)");
    const unlock = await takeLock();
    primary.insert(1);
    const replica = await edge.start();
    await expect
      .poll(() => replica.status(), { timeout: 10_000 })
      .toMatchObject({ receiver: { state: "pausing-resync" }, lastError: { code: "database_busy" } });
    await unlock();
    await replica.sync();
    expect(messages.join("\n")).toMatch(/database_busy: .* is locked by another writer/);
    await edge.expectIdentical();
  });
});

/** No file of the process may grow past this, as if the disk were full; undefined: there is room again. */
function limit(child: NodeProcess, bytes: number | undefined): void {
  execFileSync("prlimit", [`--pid=${child.pid}`, `--fsize=${bytes ?? "unlimited"}:unlimited`]);
}

/** Room for one file of a process, far below what is to come. */
const LIMIT_BYTES = 2_500_000;

describe.skipIf(process.platform !== "linux")("a disk that is full", () => {
  test.each([
    // What ten transactions changed; a segment of the log is sealed at 1 MiB, and never grows to the limit.
    { what: "the SQLite WAL", commits: 10, sizeBytes: 500_000 },
    // However large, a transaction is in one segment.
    { what: "the log copy", commits: 1, sizeBytes: 5_000_000 },
  ])(
    "for $what stops it, as it says; nothing is torn, and it goes on by itself",
    async ({ commits, sizeBytes }) => {
      edge = new Edge();
      const { primary, file } = edge;
      primary.commit(CREATE_SPREAD);
      await primary.listen();
      const child = new NodeProcess(program("follow.ts"), [primary.url, file]);
      processes.push(child);
      await child.waitFor(/ready/);
      const watcher = await Watcher.start(file);
      limit(child, LIMIT_BYTES);
      for (let commit = 0; commit < commits; commit++)
        primary.commit(
          `BEGIN; ${STEP_SPREAD}; INSERT INTO t(body) VALUES (randomblob(${sizeBytes})); COMMIT`,
        );
      await child.waitFor(/storage_failed/);
      child.send("status");
      const [, text] = await child.waitFor(/^status (.*)$/m);
      const { lastError, receiver, position } = JSON.parse(text!) as Status;
      expect(lastError).toMatchObject({
        code: "storage_failed",
        message: expect.stringMatching(/EFBIG|full/),
      });
      expect(receiver.state).toMatch(/pausing|receiving/);
      expect(position.txid).toBeLessThan(primary.txid);
      limit(child, undefined);
      await child.waitFor(new RegExp(`^${primary.txid}$`, "m"));
      const watched = await watcher.stop();
      expect(watched.problem).toBeNull();
      child.child.stdin.end();
      expect(await child.exited).toMatchObject({ code: 0 });
      expect(child.text).not.toMatch(/resync:|diverged|foreign/);
      await edge.expectIdentical();
    },
  );
});
