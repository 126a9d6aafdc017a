import { expect, test } from "vitest";
import { Sightings } from "./sightings.ts";

interface World {
  readonly sightings: Sightings;
  readonly clock: { nowMs: number };
  /** Whether each change was of a replica not known before. */
  readonly changes: boolean[];
}

function world(maxReplicas = 100): World {
  const clock = { nowMs: 1_000_000 };
  const changes: boolean[] = [];
  const sightings = new Sightings({
    clock: () => clock.nowMs,
    maxReplicas,
    onChange: (isNew) => changes.push(isNew),
  });
  return { sightings, clock, changes };
}

const at = (offset: number): { readonly segment: number; readonly offset: number } => ({
  segment: 1,
  offset,
});
const from = (offset: number, appliedTxid: number | null = null): Parameters<Sightings["asked"]>[1] => ({
  address: "10.0.0.7",
  cursor: at(offset),
  appliedTxid,
});

test("what a replica says is told once, and again when there is more", () => {
  const { sightings, clock, changes } = world();
  const answered = sightings.asked("edge", from(80, 3));
  expect(sightings.takeChanged()).toEqual([
    {
      id: "edge",
      address: "10.0.0.7",
      received: at(80),
      sent: null,
      appliedTxid: 3,
      lastSeenMs: clock.nowMs,
      isAsking: true,
    },
  ]);
  expect(sightings.takeChanged()).toEqual([]);
  clock.nowMs += 700;
  answered(at(200));
  expect(sightings.takeChanged()).toMatchObject([
    { received: at(80), sent: at(200), lastSeenMs: clock.nowMs, isAsking: false },
  ]);
  expect(changes).toEqual([true, false]);
});

test("while it waits it is seen now; when it goes away without an answer, nothing was sent", () => {
  const { sightings, clock } = world();
  const answered = sightings.asked("edge", from(80));
  clock.nowMs += 9000;
  expect(sightings.takeChanged()).toMatchObject([{ lastSeenMs: clock.nowMs, isAsking: true }]);
  answered();
  answered(at(999)); // the end of a request counts once
  clock.nowMs += 9000;
  expect(sightings.takeChanged()).toMatchObject([{ lastSeenMs: clock.nowMs - 9000, sent: null }]);
});

test("of several open requests the last word counts, and it is there until all are answered", () => {
  const { sightings } = world();
  const first = sightings.asked("edge", from(80, 3));
  const second = sightings.asked("edge", from(500));
  first(at(100));
  expect(sightings.takeChanged()).toMatchObject([{ received: at(500), appliedTxid: 3, isAsking: true }]);
  second(at(900));
  expect(sightings.takeChanged()).toMatchObject([{ sent: at(900), isAsking: false }]);
});

test("what the engine has not heard after all is told again, as it is by then", () => {
  const { sightings } = world();
  sightings.asked("a", from(80))();
  sightings.asked("b", from(80))();
  const lost = sightings.takeChanged();
  sightings.asked("a", from(500))();
  sightings.giveBack(lost);
  expect(sightings.takeChanged().map(({ id, received }) => [id, received.offset])).toEqual([
    ["a", 500],
    ["b", 80],
  ]);
});

test("only so many are known, the latest; the engine hears nothing of one that had to go", () => {
  const { sightings, changes } = world(3);
  for (const id of ["a", "b", "c", "d", "b", "e"]) sightings.asked(id, from(80))();
  expect(sightings.takeChanged().map(({ id }) => id)).toEqual(["b", "d", "e"]);
  changes.length = 0;
  sightings.asked("a", from(80));
  expect(changes).toEqual([true]);
});

test("one that was forgotten comes back by a new request, not by an old one", () => {
  const { sightings, changes } = world();
  const answered = sightings.asked("edge", from(80));
  sightings.forget("edge");
  answered(at(200));
  expect(sightings.takeChanged()).toEqual([]);
  changes.length = 0;
  sightings.asked("edge", from(200));
  expect(changes).toEqual([true]);
  expect(sightings.takeChanged()).toMatchObject([{ id: "edge", received: at(200), sent: null }]);
});
