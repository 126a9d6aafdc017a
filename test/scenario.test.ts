import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openPrimary } from "../src/primary.ts";
import type { Primary } from "../src/primary.ts";
import { openReplica } from "../src/replica.ts";
import type { Replica } from "../src/replica.ts";
import { Cleanup } from "./harness/cleanup.ts";
import { contentDigest } from "./harness/digest.ts";
import { NodeProcess } from "./harness/node-process.ts";
import { assertSameBytes, shell } from "./harness/shell.ts";

/*
 * Random lives of a database: SQL of every kind, VACUUM, checkpoints, other processes, restarts of either side. After
 * each step, at the txid it led to, the replica's content is the primary's; what a reader saw in between was always
 * some state of the primary, in order; and at the end the files are the same byte for byte.
 */
const DIGEST_READER = fileURLToPath(new URL("./programs/digest-reader.ts", import.meta.url));
const RUNS = Number(process.env["TAILRACE_SCENARIO_RUNS"] ?? 8);

type Step =
  | { readonly do: "sql"; readonly sql: string }
  | { readonly do: "shell"; readonly sql: string }
  | { readonly do: "restart primary" }
  | { readonly do: "restart replica" }
  | { readonly do: "write while primary is away"; readonly sql: string };

const table = fc.constantFrom("t0", "t1", "t2");
const key = fc.integer({ min: 1, max: 40 });
const size = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 3_000, max: 70_000 }));

const change: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(table, key, size)
    .map(([t, k, n]) => `INSERT OR REPLACE INTO ${t}(k, v) VALUES (${k}, randomblob(${n}))`),
  fc.tuple(table, key, size).map(([t, k, n]) => `UPDATE ${t} SET v = zeroblob(${n}) WHERE k % 3 = ${k % 3}`),
  fc.tuple(table, key).map(([t, k]) => `DELETE FROM ${t} WHERE k > ${k}`),
  fc
    .tuple(table, fc.integer({ min: 1, max: 400 }))
    .map(
      ([t, n]) =>
        `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${n}) INSERT OR IGNORE INTO ${t}(k, v) SELECT n * 7, 'row ' || n FROM i`,
    ),
  table.map((t) => `CREATE INDEX IF NOT EXISTS ${t}_v ON ${t}(substr(v, 1, 20))`),
  table.map((t) => `DROP INDEX IF EXISTS ${t}_v`),
  fc
    .nat(1e9)
    .map((n) => `CREATE TABLE x${n}(a, b); INSERT INTO x${n} VALUES (1, randomblob(5000)); DROP TABLE x${n}`),
  fc.nat(99).map((n) => `PRAGMA user_version = ${n}`),
);

const transaction: fc.Arbitrary<string> = fc.oneof(
  // One transaction each, so that every state a reader may see is one after a step.
  { weight: 5, arbitrary: change.map((each) => `BEGIN; ${each}; COMMIT`) },
  {
    weight: 4,
    arbitrary: fc
      .array(change, { minLength: 1, maxLength: 6 })
      .map((each) => `BEGIN; ${each.join("; ")}; COMMIT`),
  },
  { weight: 1, arbitrary: change.map((each) => `BEGIN; ${each}; ROLLBACK`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(change, change)
      .map(([a, b]) => `BEGIN; ${a}; SAVEPOINT s; ${b}; ROLLBACK TO s; COMMIT`),
  },
  { weight: 1, arbitrary: fc.constantFrom("VACUUM", "PRAGMA incremental_vacuum(5)", "REINDEX", "ANALYZE") },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("PASSIVE", "FULL", "RESTART", "TRUNCATE")
      .map((mode) => `PRAGMA busy_timeout=100; PRAGMA wal_checkpoint(${mode})`),
  },
);

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 16, arbitrary: transaction.map((sql): Step => ({ do: "sql", sql })) },
    { weight: 4, arbitrary: transaction.map((sql): Step => ({ do: "shell", sql })) },
    { weight: 1, arbitrary: fc.constant<Step>({ do: "restart primary" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ do: "restart replica" }) },
    { weight: 1, arbitrary: transaction.map((sql): Step => ({ do: "write while primary is away", sql })) },
  ),
  { minLength: 5, maxLength: 25 },
);

class Life {
  readonly file: string;
  readonly edge: string;
  /** Every state of the primary's content, in order. */
  readonly states: string[] = [];
  primary!: Primary;
  replica!: Replica;
  private port = 0;

  constructor(folder: string) {
    this.file = join(folder, "app.db");
    this.edge = join(folder, "edge.db");
  }

  async openPrimary(): Promise<void> {
    this.primary = await openPrimary({
      file: this.file,
      listen: { port: this.port },
      durability: "os",
      segmentSizeBytes: 128 * 1024,
      walSoftLimitBytes: 256 * 1024,
    });
    this.port = Number(new URL(this.primary.address!).port);
  }

  async openReplica(): Promise<void> {
    this.replica = await openReplica({ primary: this.primary.address!, file: this.edge, durability: "os" });
  }

  /** The replica at the txid to which the primary has come has the primary's content. */
  async agree(): Promise<void> {
    const { txid } = await this.primary.durable();
    const expected = contentDigest(this.primary.database);
    if (this.states.at(-1) !== expected) this.states.push(expected);
    await this.replica.waitFor(txid, { timeoutMs: 10_000 });
    expect(contentDigest(this.replica.database), `content at txid ${txid}`).toBe(expected);
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "sql":
        this.primary.database.exec(step.sql);
        break;
      case "shell":
        shell(this.file, step.sql);
        break;
      case "restart replica":
        await this.replica.close();
        await this.openReplica();
        break;
      case "restart primary":
        await this.primary.close();
        await this.openPrimary();
        break;
      case "write while primary is away":
        await this.primary.close();
        shell(this.file, step.sql);
        await this.openPrimary();
        break;
    }
  }
}

let livesLived = 0;
/** On a slow machine fewer lives begin; none is left in the middle, with its processes and its folder. */
const BEGIN_LIMIT_MS = 20_000;

async function live(pageSizeBytes: number, autoVacuum: string, story: readonly Step[]): Promise<void> {
  const cleanup = new Cleanup();
  const life = new Life(cleanup.folder);
  try {
    shell(
      life.file,
      `PRAGMA page_size=${pageSizeBytes}; PRAGMA auto_vacuum=${autoVacuum};
       CREATE TABLE t0(k INTEGER PRIMARY KEY, v); CREATE TABLE t1(k PRIMARY KEY, v) WITHOUT ROWID;
       CREATE TABLE t2(k INTEGER PRIMARY KEY AUTOINCREMENT, v, twice AS (k * 2));`,
    );
    await life.openPrimary();
    await life.openReplica();
    await life.agree();
    const reader = cleanup.owns(new NodeProcess(DIGEST_READER, [life.edge]));
    await reader.waitFor(/[0-9a-f]{64}\n/);
    for (const step of story) {
      await life.take(step);
      await life.agree();
    }
    reader.child.stdin.end();
    expect(await reader.exited).toEqual({ code: 0, signal: null });
    expectInOrder(life.states, reader.text.trim().split("\n"));
    await life.replica.close();
    await life.primary.close();
    assertSameBytes(life.file, life.edge);
    livesLived++;
  } finally {
    await life.replica?.close();
    await life.primary?.close();
    await cleanup.run();
  }
}

/** Each was some state of the primary, and none an older one than the one seen before. */
function expectInOrder(states: readonly string[], seen: readonly string[]): void {
  let at = 0;
  for (const [index, digest] of seen.entries()) {
    const found = states.indexOf(digest, at);
    expect(
      found,
      `the reader's state ${index} is none that the primary had from its state ${at} on`,
    ).not.toBe(-1);
    at = found;
  }
}

it(
  "whatever is done to the primary, the replica's content at a txid is the primary's",
  { timeout: 60_000 },
  async () => {
    const lastBegin = performance.now() + BEGIN_LIMIT_MS;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(512, 1024, 4096, 8192, 65536),
        fc.constantFrom("NONE", "FULL", "INCREMENTAL"),
        steps,
        async (pageSizeBytes, autoVacuum, story) => {
          if (performance.now() < lastBegin) await live(pageSizeBytes, autoVacuum, story);
        },
      ),
      { numRuns: RUNS, endOnFailure: process.env["CI"] !== undefined },
    );
    expect(livesLived).toBeGreaterThan(0);
  },
);
