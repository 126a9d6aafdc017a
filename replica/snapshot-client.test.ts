import { expect, test } from "vitest";
import { SnapshotClient } from "./snapshot-client.ts";
import type { BodySink, Transport } from "./transport.ts";

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

test("a place in the log that no file can begin at is refused", async () => {
  HEADERS.set("wal-offset", String(2 ** 50));
  await expect(dripping(0, 1).read({ from: 0 }, sink)).rejects.toMatchObject({ code: "protocol_violation" });
});
