import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import { CHUNK_BYTES, Receiver } from "./receiver.ts";
import type { Answer, Transport } from "./transport.ts";

const LOG_ID = "0123456789abcdef0123456789abcdef";
const NOW_MS = 1_800_000_000_000;

/** What a node answers, with these headers on top of the usual ones. */
function answerWith(headers: Readonly<Record<string, string>>): Answer {
  const body = Buffer.from("log bytes");
  return {
    status: 200,
    headers: new Map(
      Object.entries({
        "tailrace-protocol": "1",
        "wal-log-id": LOG_ID,
        "wal-epoch": "1",
        "wal-checksum": `crc32:${crc32(body).toString(16).padStart(8, "0")}`,
        "wal-next-segment": "1",
        "wal-next-offset": String(80 + body.length),
        "wal-eof": "1",
        "wal-head-txid": "7",
        "wal-head-segment": "1",
        "wal-head-offset": "89",
        ...headers,
      }),
    ),
    body,
  };
}

function receiver(get: Transport["get"]): Receiver {
  const transport = { get, stream: async () => {}, close: async () => {} };
  return new Receiver({ transport, replicaId: "edge", isCompressed: false });
}

const request = {
  cursor: { segment: 1, offset: 80 },
  logId: LOG_ID,
  epoch: 1,
  appliedTxid: 6,
  maxBytes: CHUNK_BYTES,
  waitMs: 0,
};

test("a request carries the replica's name, but where it is made ahead of what is on disk", async () => {
  const targets: string[] = [];
  const asking = receiver(async (target) => {
    targets.push(target);
    return answerWith({});
  });
  await asking.fetch(request);
  await asking.fetch({ ...request, isAhead: true });
  const common = "/wal?segment=1&offset=80&max_bytes=4194304&wait_ms=0";
  expect(targets).toEqual([`${common}&replica_id=edge&applied_txid=6`, `${common}&applied_txid=6`]);
});

async function headOf(headers: Readonly<Record<string, string>>): Promise<object> {
  return (await receiver(async () => answerWith(headers)).fetch(request)).head;
}

describe("an answer", () => {
  test("of a primary tells its clock, and that its head is all there is", async () => {
    expect(await headOf({ "wal-time": String(NOW_MS), "wal-head-time": String(NOW_MS - 5) })).toEqual({
      txid: 7,
      cursor: { segment: 1, offset: 89 },
      commitTimeMs: NOW_MS - 5,
      primaryTimeMs: NOW_MS,
      ageMs: 0,
    });
  });

  test("of a replica that has not heard the primary's clock does not tell how old it is", async () => {
    expect(await headOf({})).toMatchObject({ commitTimeMs: null, primaryTimeMs: null, ageMs: null });
  });

  test("of a replica that is behind tells for how long", async () => {
    const headers = { "wal-time": String(NOW_MS), "wal-fresh-time": String(NOW_MS - 30_000) };
    expect(await headOf(headers)).toMatchObject({ primaryTimeMs: NOW_MS, ageMs: 30_000 });
    const ahead = { "wal-time": String(NOW_MS), "wal-fresh-time": String(NOW_MS + 30_000) };
    expect(await headOf(ahead)).toMatchObject({ ageMs: 1 });
  });

  test("out of a cache is as old as the cache says, and what it tells of the clock is not believed", async () => {
    const headers = { "wal-time": String(NOW_MS), age: "90" };
    expect(await headOf(headers)).toMatchObject({ primaryTimeMs: null, ageMs: 91_000 });
    const ofReplica = { ...headers, "wal-fresh-time": String(NOW_MS - 30_000) };
    expect(await headOf(ofReplica)).toMatchObject({ primaryTimeMs: null, ageMs: 121_000 });
  });

  test.each<Record<string, string>>([
    { "wal-time": "noon" },
    { "wal-time": "8640000000000001" },
    { "wal-time": "-5" },
    { "wal-head-time": "9007199254740991" },
    { "wal-time": "5", "wal-fresh-time": "1e3" },
    { "wal-time": "5", age: "1e999" },
  ])("with a time that cannot be is refused: %j", async (headers) => {
    await expect(headOf(headers)).rejects.toMatchObject({ code: "protocol_violation" });
  });

  test.each<[string, string, Record<string, string>]>([
    ["of another history", "log_diverged", { "wal-log-id": LOG_ID.replace("0", "f") }],
    ["of an epoch before the one that was seen", "stale_epoch", { "wal-epoch": "0" }],
    ["whose bytes are not those that were sent", "protocol_violation", { "wal-checksum": "crc32:00000000" }],
  ])("%s is refused", async (_what, code, headers) => {
    await expect(headOf(headers)).rejects.toMatchObject({ code });
  });
});

test("what does not come in time is asked for in smaller pieces, which grow again while they come", async () => {
  const asked: number[] = [];
  const link = receiver(async (target) => {
    const bytes = Number(/max_bytes=(\d+)/.exec(target)![1]);
    asked.push(bytes);
    if (bytes > 150 << 10) throw new TailraceError("timeout", "the body was not complete in time");
    return answerWith({});
  });
  for (let time = 0; time < 7; time++) await link.fetch(request).catch(() => {});
  expect(asked.map((bytes) => bytes >> 10)).toEqual([4096, 1024, 256, 64, 128, 192, 64]);
});
