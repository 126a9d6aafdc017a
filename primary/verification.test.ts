import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Notice } from "../shared/notice.ts";
import { HEADER } from "../shared/protocol.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { get } from "../test/harness/http.ts";
import { serving } from "../test/harness/serve-captured.ts";
import { verificationStatusSchema } from "../shared/verification/verification-status.ts";
import type { VerificationStatus } from "../shared/verification/verification-status.ts";

const DAMAGED_PAGE = 300;
/** Some 500 pages that nothing writes to afterwards. */
const FILL = `
c.execute("PRAGMA journal_mode=WAL")
c.execute("CREATE TABLE still(v BLOB)")
c.execute("WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 500) INSERT INTO still SELECT randomblob(3500) FROM i")
c.execute("CREATE TABLE moving(v BLOB)")
`;
const COMMIT = `c.execute("INSERT INTO moving VALUES (randomblob(20000))")\n`;
/** In another process, by the file alone: what a disk does. */
const FLIP = `
import sys
with open(sys.argv[1], "r+b") as file:
    at = (int(sys.argv[2]) - 1) * 4096 + 2000
    file.seek(at); byte = file.read(1)[0] ^ 1
    file.seek(at); file.write(bytes([byte]))
`;

/** Begins, and has an application commit until it has ended. */
async function verify(
  url: string,
  database: CapturedDatabase,
  isWriting = true,
): Promise<VerificationStatus> {
  let answer = await get(`${url}/admin/verify`, { method: "POST" });
  expect(answer.status).toBe(202);
  for (;;) {
    const status = verificationStatusSchema.parse(JSON.parse(answer.body.toString()));
    if (status.state !== "running") return status;
    if (isWriting) database.python(COMMIT);
    answer = await get(`${url}/admin/verify`);
  }
}

/** Of the first record of a segment, on the disk: the byte of a page in it. */
function flipInLog({ dataDir }: CapturedDatabase, segment: number): void {
  const path = join(dataDir, "log", `${segment.toString(16).padStart(16, "0")}.log`);
  const bytes = readFileSync(path);
  bytes[2000]! ^= 1;
  writeFileSync(path, bytes);
}

async function ask(url: string, from: { segment: number; offset: number }): Promise<Response> {
  const { segment, offset } = from;
  return await fetch(`${url}/wal?segment=${segment}&offset=${offset}&max_bytes=1048576&wait_ms=10000`);
}

test("a log that rots is told of, and given up to there, after a new snapshot; who waits at its end goes on", async () => {
  const database = new CapturedDatabase({ segmentSizeBytes: 100_000 });
  database.python(FILL);
  await database.start();
  const notices: Notice[] = [];
  database.capture.on("notice", (told) => notices.push(told));
  const url = await serving(database);
  database.python(COMMIT.repeat(9));
  await database.capture.durable();
  const { log } = await database.status();
  expect(log.end.segment).toBeGreaterThan(1);
  expect(log.end.offset).toBeGreaterThan(4096);
  const waiting = ask(url, log.end);
  const { segment: rotten } = log.end;
  flipInLog(database, 1);
  flipInLog(database, rotten);
  const status = await verify(url, database, false);
  const damage = { segment: rotten, firstTxid: expect.any(Number), lastTxid: log.headTxid };
  expect(status).toMatchObject({
    state: "different",
    differentPages: [],
    foundChecksum: status.expectedChecksum,
    logDamage: [{ segment: 1, offset: 80, firstTxid: 1 }, damage],
    logBytesDone: log.sizeBytes,
    logBytesTotal: log.sizeBytes,
  });
  expect((await database.status()).errors).toMatchObject([{ code: "damaged" }, { code: "damaged" }]);
  // The next segment was begun, so that this one can go: with the first commit of that, and a snapshot.
  const { headers } = await waiting;
  expect([headers.get(HEADER.nextSegment), headers.get(HEADER.nextOffset)]).toEqual([`${rotten + 1}`, "0"]);
  expect((await database.status()).log.damagedThrough).toBe(rotten);
  expect((await get(`${url}/metrics`)).body.toString()).toMatch(
    /tailrace_verifications_total{result="different"} 1/,
  );
  database.python(COMMIT);
  await expect
    .poll(async () => (await database.status()).log, { timeout: 15_000 })
    .toMatchObject({ start: { segment: rotten + 1, offset: 0 }, damagedThrough: null });
  expect((await ask(url, { segment: 1, offset: 80 })).status).toBe(410);
  const said = (): Notice[] => notices.filter(({ name }) => /^(log|snapshot)_/.test(name));
  await expect.poll(() => said().at(-1)).toMatchObject({ fields: { firstSegment: rotten + 1 } });
  expect(said().slice(0, 4)).toMatchObject([
    { level: "error", name: "log_damaged", fields: { segment: 1, firstTxid: 1, damagedSegments: 2 } },
    { level: "error", name: "log_damaged", fields: damage },
    { level: "warn", name: "log_given_up", fields: { segment: rotten } },
    { name: "snapshot_taken" },
  ]);
  expect(await verify(url, database, false)).toMatchObject({ state: "identical", logDamage: [] });
});

test("POST /admin/verify while an application writes: identical; after one bit was flipped on the disk, its page is named", async () => {
  const database = new CapturedDatabase();
  database.python(FILL);
  await database.start();
  const notices: Notice[] = [];
  database.capture.on("notice", (told) => notices.push(told));
  const url = await serving(database);
  expect((await get(`${url}/admin/checkpoint`, { method: "POST" })).status).toBe(200);
  const sound = await verify(url, database);
  expect(sound).toMatchObject({ state: "identical", differentPages: [], error: null });
  expect(sound.pagesDone).toBeGreaterThan(500);
  execFileSync("python3", ["-c", FLIP, database.file, String(DAMAGED_PAGE)]);
  expect(await verify(url, database)).toMatchObject({ state: "different", differentPages: [DAMAGED_PAGE] });
  const told = (): Notice[] => notices.filter(({ name }) => name.startsWith("verification"));
  await expect.poll(told).toMatchObject([
    { level: "info", name: "verification_done", fields: { txid: sound.txid } },
    {
      level: "error",
      name: "verification_different",
      text: expect.stringContaining(`(page ${DAMAGED_PAGE})`),
      fields: { differentPages: 1 },
    },
  ]);
  expect((await database.status()).errors).toMatchObject([{ code: "damaged" }]);
});
