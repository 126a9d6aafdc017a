import { expect, test } from "vitest";
import { SnapshotClient } from "./snapshot-client.ts";
import type { BodySink, RequestOptions, Transport } from "./transport.ts";

const HEADERS = new Map(
  Object.entries({
    "tailrace-protocol": "1",
    "wal-log-id": "0".repeat(32),
    "wal-epoch": "1",
    "wal-segment": "1",
    "wal-offset": "80",
    "snapshot-generation": "1",
    "snapshot-txid": "1",
    "snapshot-page-size": "4096",
    "snapshot-page-count": "1000",
    "snapshot-database-checksum": "0".repeat(16),
    etag: '"x"',
  }),
);

/** An answer whose bytes come one at a time, so far apart. */
function dripping(everyMs: number, bytes: number): SnapshotClient {
  let nowMs = 0;
  const transport = {
    stream: async (_target: string, _options: unknown, sink: BodySink) => {
      sink.start(200, HEADERS, () => {});
      for (let drop = 0; drop < 100; drop++) {
        nowMs += everyMs;
        sink.data(Buffer.alloc(bytes));
      }
    },
  } as unknown as Transport;
  return new SnapshotClient(transport, () => nowMs);
}

const sink = { start: () => true, data: () => {} };

test("a snapshot that comes byte by byte is given up, not waited for until the end of days", async () => {
  await expect(dripping(14_000, 1).read({ from: 0 }, sink)).rejects.toMatchObject({ code: "timeout" });
});

test("one that is slow, and comes, is received", async () => {
  await expect(dripping(1_000, 40_960).read({ from: 0 }, sink)).resolves.toBeUndefined();
});

test("a node is not made to read its image for a digest that nobody looks at", async () => {
  const asked: unknown[] = [];
  const transport = {
    get: async (_target: string, { headers }: RequestOptions) => {
      asked.push(headers?.["want-repr-digest"]);
      return Promise.resolve({ status: 200, headers: HEADERS, body: Buffer.alloc(0) });
    },
    stream: async (_target: string, { headers }: RequestOptions, body: BodySink) => {
      asked.push(headers?.["want-repr-digest"]);
      body.start(200, HEADERS, () => {});
    },
  } as unknown as Transport;
  const client = new SnapshotClient(transport, () => 0);
  await client.head();
  await client.read({ from: 0 }, { ...sink, start: () => false });
  expect(asked).toEqual(["sha-256=0", "sha-256=0"]);
});

test("a place in the log that no file can begin at is refused", async () => {
  HEADERS.set("wal-offset", String(2 ** 50));
  await expect(dripping(0, 1).read({ from: 0 }, sink)).rejects.toMatchObject({ code: "protocol_violation" });
});
