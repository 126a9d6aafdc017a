import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { NodeHead } from "../shared/serve/engine.ts";
import type { Cursor } from "../shared/units.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import type { CaptureProgress } from "./capture.ts";
import { CaptureLoop } from "./capture-loop.ts";

/* What the loop tells, and when, over a log of made-up commits: what it captures in each turn is the test's to say. */

const HOUR_MS = 3_600_000;
const nothing = (): void => undefined;

/** A log of so many transactions, of which some are on disk, each as long as one byte. */
class MadeUpLog {
  headTxid = 0;
  durableTxid = 0;
  headCommitTimeMs = null;
  headChecksum = 0n;
  recordedBytes = 0;
  start: Cursor = { segment: 1, offset: 0 };

  get end(): Cursor {
    return { segment: 1, offset: this.headTxid };
  }

  get durableEnd(): Cursor {
    return { segment: 1, offset: this.durableTxid };
  }
}

interface Told {
  readonly isBehind: boolean;
  readonly shown: number;
  /** Where the disk was at that moment. */
  readonly durable: number;
}

/** A loop in mode `group` whose capture does that in each turn. It ends with the test. */
function looping(log: MadeUpLog, capture: () => CaptureProgress): { loop: CaptureLoop; told: Told[] } {
  const file = join(temporaryFolder(), "app.db");
  const told: Told[] = [];
  let nowMs = 0;
  const loop = new CaptureLoop({
    capture: {
      log,
      meta: { logId: "0".repeat(32), epoch: 1, pageSizeBytes: 4096 },
      database: { file, identity: "", walFile: `${file}-wal` },
      sync: () => (log.durableTxid = log.headTxid),
      hasNews: () => false,
      isNewsComing: () => false,
      capture,
    },
    cycle: { noteCommit: nothing, giveWay: nothing, startIfDue: nothing, isPressing: false, giveWayInMs: 1 },
    snapshots: { isDue: () => false },
    retention: { headChanged: nothing, limits: {} },
    upkeep: { try: nothing },
    metrics: {
      commits: { inc: nothing },
      commitBytes: { inc: nothing },
      captureDelaySeconds: { observe: nothing },
    },
    isGrouping: true,
    // Time flies: whoever is behind has been so for long.
    clock: () => (nowMs += HOUR_MS),
    onHead: ({ end, freshAsOfMs }: NodeHead) =>
      told.push({ isBehind: freshAsOfMs !== null, shown: end.offset, durable: log.durableTxid }),
    onTrouble: nothing,
  } as unknown as ConstructorParameters<typeof CaptureLoop>[0]);
  const running = Promise.resolve().then(() => loop.run());
  onTestFinished(async () => {
    loop.stop();
    await running;
  });
  return { loop, told };
}

test("who asks for durability is answered when all is captured that was committed by then, and on disk", async () => {
  const log = new MadeUpLog();
  const progress: CaptureProgress[] = ["more", "more", "end"];
  const { loop } = looping(log, () => {
    if (progress.length > 0) log.headTxid += 1;
    return progress.shift() ?? "end";
  });
  expect(await loop.durable()).toEqual({ txid: 3, cursor: { segment: 1, offset: 3 } });
});

test("in mode group, who asks for durability is not answered before the sync, however soon after the last one", async () => {
  const log = new MadeUpLog();
  const { loop } = looping(log, () => {
    log.headTxid += 1;
    return "end";
  });
  for (let asked = 0; asked < 20; asked++) {
    const before = log.headTxid;
    const { txid, cursor } = await loop.durable();
    expect(txid).toBeGreaterThan(before);
    expect(cursor.offset).toBe(txid);
  }
});

test("nobody is shown what is not on disk, neither who asks nor who is told that the loop falls behind", async () => {
  const log = new MadeUpLog();
  const done = Promise.withResolvers<void>();
  const asked: [shown: Cursor, durable: Cursor][] = [];
  const { loop, told } = looping(log, () => {
    log.headTxid += 1;
    asked.push([loop.head.end, log.durableEnd]);
    if (log.headTxid === 20) done.resolve();
    return log.headTxid % 2 === 0 ? "more" : "end";
  });
  await done.promise;
  for (const [shown, durable] of asked) expect(shown).toEqual(durable);
  expect(told.some(({ isBehind }) => isBehind)).toBe(true);
  expect(told.filter(({ shown, durable }) => shown > durable)).toEqual([]);
});
