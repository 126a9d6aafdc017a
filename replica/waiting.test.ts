import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import type { ChunkRequest } from "./receiver.ts";
import { Waiting } from "./waiting.ts";

/** Time does not pass: nobody's patience ends. */
function waiting(appliedTxid: number): Waiting {
  return new Waiting({
    appliedTxid: () => appliedTxid,
    sleep: () => new Promise<void>(() => undefined),
  } as unknown as ConstructorParameters<typeof Waiting>[0]);
}

test("who waits for a transaction is told when readers see it, not one sooner", async () => {
  const waiters = waiting(4);
  const told: number[] = [];
  const all = [4, 5, 6, 7].map(async (txid) => {
    await waiters.waitFor(txid, 1000);
    told.push(txid);
  });
  await turn();
  expect(told).toEqual([4]);
  waiters.applied(5);
  await turn();
  expect(told).toEqual([4, 5]);
  waiters.applied(7);
  await Promise.all(all);
  expect(told).toEqual([4, 5, 6, 7]);
});

test("asking for the head vouches for nothing: what has come may be on its way to the disk", async () => {
  const asked: ChunkRequest[] = [];
  const cursor = { segment: 1, offset: 80 };
  const applied = { txid: 7, cursor, checksum: 1n, pageCount: 1 };
  const waiters = new Waiting({
    local: { received: cursor, position: { logId: "0".repeat(32), epoch: 1, applied } },
    receiver: { fetch: (request: ChunkRequest) => (asked.push(request), { head: { txid: 7 } }) },
    appliedTxid: () => 7,
    wallMs: () => 0,
  } as unknown as ConstructorParameters<typeof Waiting>[0]);
  expect(await waiters.sync(1000)).toBe(7);
  expect(asked).toMatchObject([{ cursor, isAhead: true }]);
});

test("who waits when it ends, or comes after that, is told why", async () => {
  const waiters = waiting(4);
  const before = waiters.waitFor(5, 1000);
  waiters.end(new TailraceError("closed", "the replica was closed"));
  await expect(before).rejects.toMatchObject({ code: "closed" });
  await expect(waiters.waitFor(5, 1000)).rejects.toMatchObject({ code: "closed" });
  await waiters.waitFor(4, 1000);
});
