import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareCursors } from "../shared/format/cursor.ts";
import { statusSchema } from "../shared/status.ts";
import type { ReplicaStatus, StatusDocument } from "../shared/status.ts";
import { Cleanup } from "./harness/cleanup.ts";
import { CountingProxy } from "./harness/counting-proxy.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import { assertSameBytes } from "./harness/shell.ts";

const MIB = 1 << 20;
/** What is written again and again; the rest of the database stays as it is. */
const HOT_ROWS = 64;
const COLD_ROWS = 12_000;
const MAX_LOG_BYTES = 4 * MIB;

const PRIMARY_FLAGS =
  `--durability os --segment-size-bytes 256KiB --keep-log-bytes 512KiB --max-log-bytes ${MAX_LOG_BYTES} --snapshot-after-bytes 1MiB`.split(
    " ",
  );

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.run());

describe("a replica that hangs under write load", () => {
  it(
    "is announced as endangered, then lost, and comes back by page difference",
    { timeout: 90_000 },
    async () => {
      const file = join(cleanup.folder, "app.db");
      const edge = join(cleanup.folder, "edge.db");
      using database = new DatabaseSync(file);
      fill(database);
      const primary = cleanup.owns(await ServingProcess.start(["primary", file, ...PRIMARY_FLAGS]));
      await using proxy = await CountingProxy.start(primary.url);
      const replica = cleanup.owns(
        await ServingProcess.start(["replica", proxy.url, edge, "--id", "edge-1"]),
      );
      const seen = async (): Promise<ReplicaStatus | undefined> =>
        (await statusOf(primary)).replicas.find(({ id }) => id === "edge-1");
      await until(
        "the replica streams",
        seen,
        (now) => now?.state === "streaming" && now.lagTransactions === 0,
      );
      // To have asked once, at the end, is no following yet: no place is held for who never comes back. So it takes a commit, too.
      const first = (await seen())!;
      write(database, 0);
      await until(
        "the replica follows",
        seen,
        (now) => compareCursors(now!.received, first.received) > 0 && now!.lagTransactions === 0,
      );

      replica.child.kill("SIGSTOP");
      // At the pace at which the log is looked at, not faster: each stage has to be seen by somebody who looks now and then.
      const stages: string[] = [];
      let endangered: ReplicaStatus | undefined;
      for (let round = 0; stages.at(-1) !== "lost"; round++) {
        expect(round, `stages seen: ${stages.join(", ")}`).toBeLessThan(600);
        write(database, round);
        const now = await seen();
        if (now === undefined) throw new Error("the primary has forgotten the replica");
        if (stages.at(-1) !== now.retention) stages.push(now.retention);
        if (now.retention === "endangered") endangered ??= now;
        await pause(20);
      }
      expect(stages).toEqual(
        ["reserved", "extended", "endangered", "lost"].filter((stage) => stages.includes(stage)),
      );
      // Where the machine lets a whole stage pass between two looks, the log has it all the same: see below.
      expect(endangered?.bytesUntilLost ?? 0).toBeGreaterThanOrEqual(0);
      expect(endangered?.bytesUntilLost ?? 0).toBeLessThan(MAX_LOG_BYTES);
      expect(await seen()).toMatchObject({ state: "lost", timesLost: 1, bytesUntilLost: null });
      // Told ahead and after, by name, to whoever reads the log of the primary or its metrics.
      await primary.waitFor(/replica edge-1 will be lost in .*/);
      await primary.waitFor(/replica edge-1 (is|was) lost.*/);
      expect(await metric(primary, "tailrace_replicas_lost_total")).toBe(1);
      await until(
        "the log is back within its limit",
        async () => (await statusOf(primary)).log!.sizeBytes,
        (sizeBytes) => sizeBytes <= MAX_LOG_BYTES,
      );

      const before = proxy.receivedBytes;
      replica.child.kill("SIGCONT");
      await until(
        "the replica is back",
        seen,
        (now) => now?.state === "streaming" && now.lagTransactions === 0 && now.retention === "reserved",
        30_000,
      );
      const moved = proxy.receivedBytes - before;
      const snapshot = (await statusOf(primary)).snapshots.at(-1)!;
      expect(moved, "bytes moved by the resync, all in all").toBeLessThan(snapshot.sizeBytes / 2);
      const { resyncs, bootstraps } = (await replica.status()) as { resyncs: number; bootstraps: number };
      expect({ resyncs, bootstraps }).toEqual({ resyncs: 1, bootstraps: 1 });

      await replica.stop();
      await primary.stop();
      database.close();
      assertSameBytes(file, edge);
    },
  );
});

function fill(database: DatabaseSync): void {
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF");
  database.exec("CREATE TABLE data (id INTEGER PRIMARY KEY, round INTEGER, filler BLOB)");
  database.exec("BEGIN");
  const insert = database.prepare("INSERT INTO data VALUES (?, 0, randomblob(900))");
  for (let id = 1; id <= COLD_ROWS; id++) insert.run(id);
  database.exec("COMMIT");
}

function write(database: DatabaseSync, round: number): void {
  database.prepare("UPDATE data SET round = ?, filler = randomblob(900) WHERE id <= ?").run(round, HOT_ROWS);
}

async function statusOf(node: ServingProcess): Promise<StatusDocument> {
  return statusSchema.parse(await node.status());
}

/** The value of a metric without labels. */
async function metric(node: ServingProcess, name: string): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN);
}
