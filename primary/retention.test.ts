import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HEADER } from "../shared/protocol.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { serving } from "../test/harness/serve-captured.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
/** Half a MiB of log, and a database that stays as small as that. */
const CHURN =
  "for i in range(60): c.execute('insert or replace into t values(?,?)', (i % 10, os.urandom(5000)))";

const SMALL = { segmentSizeBytes: 65_536, keepLogBytes: 200_000, snapshotAfterBytes: 300_000 };

async function following(
  options: ConstructorParameters<typeof CapturedDatabase>[0],
): Promise<CapturedDatabase> {
  const database = new CapturedDatabase(options);
  database.python(SETUP);
  await database.start();
  return database;
}

const segments = ({ dataDir }: CapturedDatabase): string[] => readdirSync(join(dataDir, "log")).toSorted();

test("a log that outgrows its limits is cut, by a snapshot that nobody has asked for, and renewed", async () => {
  const database = await following(SMALL);
  const url = await serving(database);
  const first = await fetch(`${url}/wal?segment=1&offset=0&max_bytes=1048576`);
  expect(first.status).toBe(200);

  for (const generation of [1, 2, 3]) {
    database.python(CHURN);
    await expect
      .poll(() => existsSync(join(database.dataDir, "snapshots", `0000000${generation}.json`)), {
        timeout: 10_000,
        interval: 20,
      })
      .toBe(true);
  }
  // For the repair after a loss of power the log is kept from the last checkpoint that is known to be on disk.
  await database.capture.checkpoint();
  await expect.poll(() => segments(database).includes("0000000000000001.log")).toBe(false);

  // Whoever stands before the start is told so, and finds everything from the snapshot's cursor on.
  const trimmed = await fetch(`${url}/wal?segment=1&offset=0&max_bytes=1048576`);
  expect(trimmed.status).toBe(410);
  expect(await trimmed.json()).toMatchObject({ code: "segment_trimmed" });
  const snapshot = await fetch(`${url}/snapshot/latest`, { method: "HEAD" });
  expect(Number(snapshot.headers.get("snapshot-generation"))).toBeGreaterThanOrEqual(3);
  const [segment, offset] = [snapshot.headers.get("wal-segment"), snapshot.headers.get("wal-offset")];
  const next = await fetch(`${url}/wal?segment=${segment}&offset=${offset}&max_bytes=1048576`);
  expect(next.status).toBe(200);
  expect(next.headers.get(HEADER.logId)).toBe((await database.status()).log.logId);
  const { start } = (await database.status()).log;
  expect(start.segment).toBeGreaterThan(1);
  // Two generations are kept: the one that is served, and the one that somebody may be fetching.
  const kept = readdirSync(join(database.dataDir, "snapshots")).filter((name) => name.endsWith(".json"));
  expect(kept.length).toBeLessThanOrEqual(2);
});

test("with a snapshot that stays, segments go as the log grows past what is kept; never one that it needs", async () => {
  const database = await following({ ...SMALL, snapshotAfterBytes: 1 << 30 });
  const before = await database.capture.snapshot();
  database.python(CHURN);
  await database.capture.durable();
  const snapshot = await database.capture.snapshot();
  expect(segments(database)[0]).toBe("0000000000000001.log");
  expect(before.cursor.segment).toBe(1);
  // The older of the two generations is what the log is kept for.
  const third = await database.capture.snapshot();
  expect(third.generation).toBe(3);
  await database.capture.checkpoint();
  await database.stop();
  await database.start();
  const oldest = snapshot.cursor.segment;
  database.python(CHURN);
  await database.capture.durable();
  await expect
    .poll(() => Number.parseInt(segments(database)[0]!, 16), { timeout: 10_000, interval: 20 })
    .toBe(oldest);
  expect((await database.capture.snapshot()).generation).toBe(4);
});
