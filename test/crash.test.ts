import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeWalHeader, frameOffset } from "../shared/format/wal.ts";
import { decodeWalIndexHeader, readBackfill } from "../shared/format/wal-index.ts";
import { Cleanup } from "./harness/cleanup.ts";
import { NodeProcess, ServingProcess, until } from "./harness/node-process.ts";
import { Chance } from "./harness/seed.ts";
import { assertSameBytes, shell, stepOf } from "./harness/shell.ts";
import { StepWriter } from "./harness/step-writer.ts";
import { Watcher } from "./harness/watcher.ts";

/*
 * kill -9, everywhere. Failpoints (shared/failpoint.ts) are hit under load, one after the other; a reader in another
 * process and another SQLite watches the replica through all of them: no torn read, no step back, and in the end the
 * files are the same byte for byte.
 */
const OWN_PRIMARY = fileURLToPath(new URL("./programs/own-primary.ts", import.meta.url));
/** More of the random kills: TAILRACE_CRASH_ROUNDS=200. */
const RANDOM_ROUNDS = Number(process.env["TAILRACE_CRASH_ROUNDS"] ?? 6);

/** Hit by a replica that exists and follows. */
const FOLLOWING = [
  "receive.chunk-written",
  "apply.intent-written",
  "append.frames-written",
  "append.index-written",
  "append.header-copy-1",
  "append.published",
  "apply.published",
  "apply.position-written",
];
/** Hit while a replica's checkpoint policy does its work, or its WAL begins anew. */
const CHECKPOINTING = ["append.wal-header", "checkpoint.before", "checkpoint.after"];
/** Hit by a replica that has no database yet. */
const BOOTSTRAP = ["bootstrap.part-written", "bootstrap.verified", "bootstrap.published"];
/** Hit when a replica mends itself by fetching the pages that differ. */
const RESYNC = ["resync.pages-fetched", "resync.intent-written", "resync.published"];
/** Hit by a primary under load. */
const PRIMARY = [
  "capture.frames-read",
  "capture.recorded",
  "log.fragment-written",
  "log.record-written",
  "log.synced",
  "log.segment-sealed",
  "log.segment-created",
];
/** Hit by a primary that takes its first snapshot. */
const SNAPSHOT = ["snapshot.image-written", "snapshot.sums-written", "snapshot.published"];
/** Only where a replica's durability asks for an fsync of its WAL; tested beside the appender. */
const ELSEWHERE = ["append.synced"];

/** Starts it to die at a failpoint, and proves that it did. */
async function dieAt(point: string, launch: (env: Record<string, string>) => NodeProcess): Promise<void> {
  const process = launch({ TAILRACE_FAILPOINT: point });
  const ending = await Promise.race([process.exited, pause(15_000, undefined, { ref: false })]);
  if (ending === undefined) await process.kill();
  expect(ending, `never came to ${point}; it printed:\n${process.text}`).toEqual({
    code: null,
    signal: "SIGKILL",
  });
}

it("every failpoint in the product is in one of the lists here", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const found = execFileSync(
    "grep",
    [
      "-rhoE",
      "--include=*.ts",
      "--exclude=*.test.ts",
      'failpoint\\("[a-z0-9.-]+"\\)',
      "primary",
      "replica",
      "shared",
      "src",
    ],
    { cwd: root, encoding: "utf8" },
  );
  const names = new Set(found.match(/"[^"]+"/g)!.map((text) => text.slice(1, -1)));
  const listed = [FOLLOWING, CHECKPOINTING, BOOTSTRAP, RESYNC, PRIMARY, SNAPSHOT, ELSEWHERE].flat();
  expect([...names].toSorted()).toEqual(listed.toSorted());
});

describe("a replica killed while it follows a database that Python writes", () => {
  const cleanup = new Cleanup();
  let file: string;
  let edge: string;
  let primary: ServingProcess;
  let writer: StepWriter;
  let watcher: Watcher;
  const replicaArguments = (): string[] => ["replica", primary.url, edge, "--on-foreign-write", "resync"];

  beforeAll(async () => {
    file = join(cleanup.folder, "app.db");
    edge = join(cleanup.folder, "edge.db");
    writer = await StepWriter.start(file, 100);
    primary = cleanup.owns(await ServingProcess.start(["primary", file, "--durability", "os"]));
  });

  afterAll(() => cleanup.run());

  const launch = (env: Record<string, string>): NodeProcess =>
    cleanup.owns(ServingProcess.launch(replicaArguments(), { env }));

  /** A new life: it must get to a step that was only made after the crash. */
  async function recoversAndFollows(): Promise<void> {
    const goal = stepOf(file) + 1;
    const replica = cleanup.owns(await ServingProcess.start(replicaArguments()));
    await until(
      "replica goes on",
      () => stepOf(edge),
      (step) => step >= goal,
    );
    await replica.stop();
    expect(shell(edge, "PRAGMA integrity_check")).toBe("ok");
  }

  it.each(BOOTSTRAP)("at %s: the next start ends with a whole database", async (point) => {
    for (const suffix of ["", "-wal", "-shm", "-tailrace"])
      rmSync(edge + suffix, { recursive: true, force: true });
    await dieAt(point, launch);
    await recoversAndFollows();
  });

  it("(from here on a reader watches)", async () => {
    watcher = await Watcher.start(edge);
  });

  it.each(FOLLOWING)("at %s", async (point) => {
    await dieAt(`${point}:3`, launch);
    await recoversAndFollows();
  });

  it.each(CHECKPOINTING)("at %s", async (point) => {
    await dieAt(point, launch);
    await recoversAndFollows();
  });

  it.each(RESYNC)("at %s, after someone else wrote to its file", async (point) => {
    shell(
      edge,
      "CREATE TABLE IF NOT EXISTS foreign_write(x); INSERT INTO foreign_write VALUES (randomblob(9000))",
    );
    await dieAt(point, launch);
    await recoversAndFollows();
    expect(shell(edge, "SELECT count(*) FROM sqlite_schema WHERE name = 'foreign_write'")).toBe("0");
  });

  it("never showed a torn state or an older one, and ends byte-identical", async () => {
    const replica = cleanup.owns(await ServingProcess.start(replicaArguments()));
    const last = await writer.stop();
    await until(
      "replica has caught up",
      () => stepOf(edge),
      (step) => step === last,
    );
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    expect(watched.states).toBeGreaterThan(20);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });
});

/** A primary that owns its database, a replica of it, and what has been acknowledged so far. */
class OwnedCluster {
  readonly file: string;
  readonly edge: string;
  private readonly cleanup: Cleanup;
  private port = "0";
  private acknowledged = -1;
  primary!: NodeProcess;
  replica!: ServingProcess;

  constructor(cleanup: Cleanup) {
    this.cleanup = cleanup;
    this.file = join(cleanup.folder, "owned.db");
    this.edge = join(cleanup.folder, "owned-edge.db");
  }

  launchPrimary(env: Record<string, string> = {}): NodeProcess {
    return this.cleanup.owns(new NodeProcess(OWN_PRIMARY, [this.file, this.port, "commit"], { env }));
  }

  async startPrimary(): Promise<void> {
    this.primary = this.launchPrimary();
    const [, port] = await this.primary.waitFor(/http:\/\/127\.0\.0\.1:(\d+)\n/);
    this.port = port!;
    // The first step after a start stands on the last one that the database still has.
    const [, step] = await this.primary.waitFor(/^ack (\d+) \d+$/m);
    expect(Number(step), `what was acknowledged is lost\n${this.primary.text}`).toBeGreaterThan(
      this.acknowledged,
    );
  }

  async startReplica(env: Record<string, string> = {}): Promise<void> {
    const argv = ["replica", `http://127.0.0.1:${this.port}`, this.edge];
    this.replica = this.cleanup.owns(await ServingProcess.start(argv, { env }));
  }

  /** Remembers what a primary, now dead, had acknowledged. */
  note(primary: NodeProcess): void {
    for (const [, step] of primary.text.matchAll(/^ack (\d+) \d+$/gm))
      this.acknowledged = Math.max(this.acknowledged, Number(step));
  }

  /** The database has every acknowledged step, and the replica gets to it and beyond. */
  async replicaGoesOn(): Promise<void> {
    expect(stepOf(this.file), "the primary's database has what was acknowledged").toBeGreaterThanOrEqual(
      this.acknowledged,
    );
    const goal = this.acknowledged + 1;
    await until(
      "replica goes on",
      () => stepOf(this.edge),
      (step) => step >= goal,
    );
  }

  async end(watcher: Watcher, what: string): Promise<void> {
    this.primary.child.stdin.end();
    const { code } = await this.primary.exited;
    expect(code, `${what}\n${this.primary.text.slice(-2000)}`).toBe(0);
    this.note(this.primary);
    const watched = await watcher.stop();
    expect(watched.problem, what).toBeNull();
    expect(watched.states, what).toBeGreaterThan(10);
  }
}

describe("a primary killed while it commits", () => {
  const cleanup = new Cleanup();
  const cluster = new OwnedCluster(cleanup);
  let watcher: Watcher;

  beforeAll(async () => {
    await cluster.startPrimary();
    await cluster.startReplica();
    await until(
      "replica is there",
      () => stepOf(cluster.edge),
      (step) => step >= 0,
    );
    watcher = await Watcher.start(cluster.edge);
    await cluster.primary.kill();
    cluster.note(cluster.primary);
  });

  afterAll(() => cleanup.run());

  it.each(PRIMARY)("at %s: nothing acknowledged is lost, and replicas go on", async (point) => {
    await dieAt(`${point}:${point.startsWith("log.segment") ? 1 : 5}`, (env) => {
      cluster.primary = cluster.launchPrimary(env);
      return cluster.primary;
    });
    cluster.note(cluster.primary);
    await cluster.startPrimary();
    await cluster.replicaGoesOn();
    await cluster.primary.kill();
    cluster.note(cluster.primary);
  });

  it("loses nothing acknowledged when the machine takes the unsynced end of the SQLite WAL with it", async () => {
    const chance = new Chance();
    for (let round = 0; round < 3; round++) {
      const what = `TEST_SEED=${chance.seed}, round ${round}`;
      await cluster.startPrimary();
      await pause(chance.integer(50, 300));
      await cluster.primary.kill();
      cluster.note(cluster.primary);
      const { cut, from } = cutWal(cluster.file, chance);
      await cluster.startPrimary().catch((error: unknown) => {
        throw new Error(`${what}: WAL cut from frame ${from} to ${cut}`, { cause: error });
      });
      await cluster.replicaGoesOn();
      await cluster.primary.kill();
      cluster.note(cluster.primary);
    }
  });

  it("never showed readers of the replica a torn state or an older one", async () => {
    await cluster.startPrimary();
    await cluster.end(watcher, "at named points");
  });
});

/**
 * What a power loss may leave of the SQLite WAL, whose frames were not forced to disk: any prefix that holds at least
 * the frames which a checkpoint has copied (SQLite syncs the WAL before it does).
 */
function cutWal(file: string, chance: Chance): { readonly from: number; readonly cut: number } {
  // No process has the database open: reading its files here breaks nobody's locks.
  const shm = readFileSync(`${file}-shm`);
  const wal = readFileSync(`${file}-wal`);
  const { mxFrame } = decodeWalIndexHeader(shm)!;
  const { pageSizeBytes } = decodeWalHeader(wal)!;
  const cut = chance.integer(Math.min(readBackfill(shm), mxFrame), mxFrame);
  truncateSync(`${file}-wal`, cut === 0 ? 0 : frameOffset(cut + 1, pageSizeBytes));
  rmSync(`${file}-shm`);
  return { from: mxFrame, cut };
}

describe("a primary killed while it takes a snapshot", () => {
  it.each(SNAPSHOT)("at %s: a replica then gets a whole one", async (point) => {
    const cleanup = new Cleanup();
    try {
      const file = join(cleanup.folder, "app.db");
      shell(
        file,
        "PRAGMA journal_mode=WAL; CREATE TABLE spread(id INTEGER PRIMARY KEY, n INT); INSERT INTO spread VALUES (1, 7);",
      );
      const dying = cleanup.owns(
        await ServingProcess.start(["primary", file], { env: { TAILRACE_FAILPOINT: point } }),
      );
      await expect(fetch(`${dying.url}/snapshot/latest`)).rejects.toThrow();
      expect(await dying.exited).toEqual({ code: null, signal: "SIGKILL" });
      const primary = cleanup.owns(await ServingProcess.start(["primary", file]));
      const edge = join(cleanup.folder, "edge.db");
      const replica = cleanup.owns(await ServingProcess.start(["replica", primary.url, edge]));
      await until(
        "replica is there",
        () => stepOf(edge),
        (step) => step === 7,
      );
      const left = readdirSync(`${file}-tailrace/snapshots`).filter(
        (name) => !/^\d{8}\.(db|json|sums)$/.test(name),
      );
      expect(left, "nothing half-made stays").toEqual([]);
      await replica.stop();
      await primary.stop();
      assertSameBytes(file, edge);
    } finally {
      await cleanup.run();
    }
  });
});

describe("primary and replica killed at random moments", () => {
  it(
    "lose nothing acknowledged, never show a torn or older state, and end byte-identical",
    { timeout: 30_000 + RANDOM_ROUNDS * 10_000 },
    async () => {
      const chance = new Chance();
      const cleanup = new Cleanup();
      const cluster = new OwnedCluster(cleanup);
      try {
        await cluster.startPrimary();
        await cluster.startReplica();
        await until(
          "replica is there",
          () => stepOf(cluster.edge),
          (step) => step >= 0,
        );
        const watcher = await Watcher.start(cluster.edge);
        for (let round = 0; round < RANDOM_ROUNDS; round++) {
          const victims = chance.integer(1, 3); // 1: primary, 2: replica, 3: both
          await pause(chance.integer(0, 400));
          if ((victims & 1) !== 0) await cluster.primary.kill();
          if ((victims & 2) !== 0) await cluster.replica.kill();
          cluster.note(cluster.primary);
          if ((victims & 1) !== 0) await cluster.startPrimary();
          if ((victims & 2) !== 0) await cluster.startReplica();
          await cluster.replicaGoesOn().catch((error: unknown) => {
            throw new Error(`TEST_SEED=${chance.seed}, round ${round}, victims ${victims}`, { cause: error });
          });
        }
        await cluster.end(watcher, `TEST_SEED=${chance.seed}`);
        // The primary is gone for good; one without load serves the rest.
        const quiet = cleanup.owns(await ServingProcess.start(["primary", cluster.file]));
        await cluster.replica.stop();
        const replica = cleanup.owns(await ServingProcess.start(["replica", quiet.url, cluster.edge]));
        await until(
          "replica has all",
          () => stepOf(cluster.edge),
          (step) => step === stepOf(cluster.file),
        );
        await replica.stop();
        await quiet.stop();
        assertSameBytes(cluster.file, cluster.edge);
      } finally {
        await cleanup.run();
      }
    },
  );
});
