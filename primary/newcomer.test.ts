import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { get } from "../test/harness/http.ts";
import { serving } from "../test/harness/serve-captured.ts";

const MIB = 1 << 20;
const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";

/** Of one row, again and again: the log grows, the database does not. */
const overwrite = (mib: number, row: number): string =>
  `for i in range(${2 * mib}): c.execute('insert or replace into t values(?,?)', (${row}, os.urandom(${MIB / 2})))`;

/** What a newcomer fetches: the newest snapshot, and the log after it up to the end. */
async function arrive(url: string): Promise<{ readonly imageBytes: number; readonly logBytes: number }> {
  const image = await get(`${url}/snapshot/latest`);
  expect(image.status).toBe(200);
  let place = [image.headers["wal-segment"], image.headers["wal-offset"]];
  let logBytes = 0;
  for (let isEof = false; !isEof;) {
    const [segment, offset] = place;
    const chunk = await get(
      `${url}/wal?segment=${String(segment)}&offset=${String(offset)}&max_bytes=${MIB}`,
    );
    expect(chunk.status).toBe(200);
    logBytes += chunk.body.length;
    place = [chunk.headers["wal-next-segment"], chunk.headers["wal-next-offset"]];
    isEof = chunk.headers["wal-eof"] === "1";
  }
  return { imageBytes: image.body.length, logBytes };
}

test("whenever a newcomer arrives, the log that it fetches is no longer than the snapshot, or short", async () => {
  // By its own policy the primary would not renew a snapshot.
  const database = new CapturedDatabase({ segmentSizeBytes: 4 * MIB, snapshotAfterBytes: 2 ** 40 });
  database.python(SETUP);
  await database.start();
  const url = await serving(database);
  const logs: number[] = [];
  for (const mib of [0, 1, 12, 17, 3]) {
    database.python(overwrite(mib, 1));
    await database.capture.durable();
    const { imageBytes, logBytes } = await arrive(url);
    expect(logBytes).toBeLessThanOrEqual(Math.max(imageBytes, 16 * MIB));
    logs.push(logBytes);
  }
  // It is fetched rather than avoided by a snapshot for everybody.
  expect(logs.some((bytes) => bytes > MIB)).toBe(true);
  // Somebody clears them away.
  rmSync(join(database.dataDir, "snapshots"), { recursive: true });
  await arrive(url);
  // A large database: a log as long as that is no reason for copying it again.
  database.python(
    `for i in range(2, 162): c.execute('insert into t values(?,?)', (i, os.urandom(${MIB / 2})))`,
  );
  await database.capture.snapshot();
  const { snapshots } = await database.status();
  database.python(overwrite(12, 1));
  await database.capture.durable();
  const { imageBytes, logBytes } = await arrive(url);
  expect(logBytes).toBeGreaterThan(16 * MIB);
  expect(logBytes).toBeLessThanOrEqual(imageBytes);
  expect((await database.status()).snapshots.at(-1)).toMatchObject({
    generation: snapshots.at(-1)!.generation,
  });
});

test("also one that arrives while a snapshot is being taken of a state that many commits have left behind", async () => {
  const database = new CapturedDatabase({ segmentSizeBytes: 4 * MIB, snapshotAfterBytes: MIB });
  database.python(SETUP);
  await database.start();
  const url = await serving(database);
  await arrive(url);
  for (let round = 1; round <= 3; round++) {
    // The first of them make the primary renew its snapshot, unasked.
    database.python(overwrite(17, 1));
    await database.capture.durable();
    const { imageBytes, logBytes } = await arrive(url);
    expect(logBytes).toBeLessThanOrEqual(Math.max(imageBytes, 16 * MIB));
  }
});
