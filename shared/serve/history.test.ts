import { describe, expect, test } from "vitest";
import type { ReplicaStatus, StatusDocument } from "../status.ts";
import { History, SAMPLE_MS } from "./history.ts";

const START_MS = 1_800_000_000_000;

function document(step: number, changes: Record<string, unknown> = {}): StatusDocument {
  return {
    role: "primary",
    nowMs: START_MS + step * SAMPLE_MS,
    isEngineAnswering: true,
    log: { headTxid: step * 50, sizeBytes: 1000 + step },
    replicas: [],
    ...changes,
  } as unknown as StatusDocument;
}
const lagging = (id: string, lagSeconds: number | null): ReplicaStatus =>
  ({ id, lagSeconds, lagBytes: 0, state: "streaming", retention: "reserved" }) as ReplicaStatus;

describe("the last hour of a node", () => {
  test("rates come of what was committed between samples; before the first nothing is known", () => {
    const history = new History();
    for (const step of [1, 2, 3]) history.note(document(step));
    const { timesMs, commitsPerSecond, logBytes } = history.view();
    expect([...timesMs]).toEqual([1, 2, 3].map((step) => START_MS + step * SAMPLE_MS));
    expect([...commitsPerSecond]).toEqual([Number.NaN, 10, 10]);
    expect([...logBytes]).toEqual([1001, 1002, 1003]);
  });

  test("what the engine did not say is unknown, not 0, and neither is what follows from it", () => {
    const history = new History();
    history.note(document(1, { replicas: [lagging("a", 2)] }));
    history.note(document(2, { isEngineAnswering: false, replicas: [lagging("a", 2)] }));
    history.note(document(3, { replicas: [lagging("a", null)] }));
    history.note(document(4, { replicas: [lagging("a", 4)] }));
    const { commitsPerSecond, logBytes, lagSeconds } = history.view();
    expect([...commitsPerSecond]).toEqual([Number.NaN, Number.NaN, Number.NaN, 10]);
    expect([...logBytes]).toEqual([1001, Number.NaN, 1003, 1004]);
    expect([...lagSeconds.get("a")!]).toEqual([2, Number.NaN, Number.NaN, 4]);
  });

  test("a replica's rate is that of what it applies; a resync to another log is no negative rate", () => {
    const history = new History();
    for (const [step, txid] of [
      [1, 100],
      [2, 150],
      [3, 7],
    ] as const)
      history.note(document(step, { role: "replica", position: { txid }, lag: { seconds: step } }));
    const { commitsPerSecond, ownLagSeconds } = history.view();
    expect([...commitsPerSecond]).toEqual([Number.NaN, 10, Number.NaN]);
    expect([...ownLagSeconds]).toEqual([1, 2, 3]);
  });

  test("the oldest makes room for the newest; a replica not seen for so long is forgotten", () => {
    const history = new History({ maxSamples: 3 });
    history.note(document(1, { replicas: [lagging("gone", 1), lagging("here", 1)] }));
    for (const step of [2, 3]) history.note(document(step, { replicas: [lagging("here", step)] }));
    expect([...history.view().lagSeconds.get("gone")!]).toEqual([1, Number.NaN, Number.NaN]);
    history.note(document(4, { replicas: [lagging("here", 4)] }));
    const { timesMs, lagSeconds } = history.view();
    expect([...timesMs]).toEqual([2, 3, 4].map((step) => START_MS + step * SAMPLE_MS));
    expect([...lagSeconds]).toEqual([["here", Float64Array.of(2, 3, 4)]]);
  });

  test("of more replicas than are kept, a new one that is worse takes the place of one that is well", () => {
    const history = new History({ maxReplicas: 3 });
    const replicas = [lagging("a", 0), lagging("b", 0), lagging("c", 0)];
    history.note(document(1, { replicas }));
    history.note(document(2, { replicas: [...replicas, lagging("worst", 99)] }));
    const { lagSeconds } = history.view();
    expect([...lagSeconds.keys()].toSorted()).toEqual(["a", "b", "worst"]);
    expect(lagSeconds.get("worst")![1]).toBe(99);
  });

  test("a clock that stands still or steps back a little adds nothing; one that is set back starts anew", () => {
    const history = new History();
    for (const step of [9, 9, 8]) history.note(document(step));
    expect([...history.view().timesMs]).toEqual([START_MS + 9 * SAMPLE_MS]);
    history.note(document(1));
    expect([...history.view().timesMs]).toEqual([START_MS + SAMPLE_MS]);
  });
});
