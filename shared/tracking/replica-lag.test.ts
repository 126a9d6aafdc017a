import { expect, test } from "vitest";
import { ReplicaLag } from "./replica-lag.ts";
import { TrackedReplica } from "./tracked-replica.ts";

const NOW_MS = 1_800_000_000_000;
const end = { segment: 1, offset: 900 };

function replica(appliedTxid: number): TrackedReplica {
  const seen = { id: "leaf", address: null, received: end, sent: end, isAsking: true, isAtEnd: true };
  return TrackedReplica.from({ ...seen, appliedTxid, lastSeenMs: NOW_MS, logId: "00" });
}

test("on a replica, those that it feeds are never fresher than itself", () => {
  let headFreshAsOfMs: number | null = NOW_MS;
  const lag = new ReplicaLag(
    () => NOW_MS,
    () => headFreshAsOfMs,
  );
  lag.note(6, NOW_MS - 70_000);
  lag.note(7, NOW_MS - 60_000);
  const all = { lagTransactions: 0, lagSeconds: 0, freshAsOfMs: NOW_MS };
  expect(lag.of(replica(7))).toEqual(all);
  headFreshAsOfMs = NOW_MS - 16_000;
  expect(lag.of(replica(7))).toEqual({ ...all, lagSeconds: 16, freshAsOfMs: NOW_MS - 16_000 });
  const behind = { lagTransactions: 1, lagSeconds: 60, freshAsOfMs: NOW_MS - 60_000 };
  expect(lag.of(replica(6))).toEqual(behind);
  headFreshAsOfMs = null;
  expect(lag.of(replica(7))).toEqual({ lagTransactions: 0, lagSeconds: null, freshAsOfMs: null });
  expect(lag.of(replica(6))).toEqual(behind);
});
