import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { START, remedyFor, step } from "./follow-state.ts";
import type { FollowEvent, FollowMachine } from "./follow-state.ts";

/** One line an event: `event → state: effect`. */
function story(...events: FollowEvent[]): string[] {
  let machine: FollowMachine = START;
  return events.map((event) => {
    const next = step(machine, event);
    machine = next.machine;
    return `${event.type} → ${machine.state}: ${next.effect}`;
  });
}
const opened = (work: "bootstrap" | "receive" | "resync"): FollowEvent => ({ type: "opened", work });
const failed = (remedy: "retry" | "resync" | "bootstrap" | "stop"): FollowEvent => ({
  type: "failed",
  remedy,
});
const received = (isEof: boolean, isProgress = true): FollowEvent => ({
  type: "received",
  isEof,
  isProgress,
});
const landed: FollowEvent = { type: "landed" };
const pauseOver: FollowEvent = { type: "pause-over" };

describe("the follow machine", () => {
  test("a new replica bootstraps, catches up, follows", () => {
    expect(story(opened("bootstrap"), landed, received(false), received(true), received(true))).toEqual([
      "opened → bootstrapping: bootstrap",
      "landed → catching-up: receive",
      "received → catching-up: receive",
      "received → following: receive",
      "received → following: receive",
    ]);
  });

  test("a network failure pauses and does the same again", () => {
    expect(
      story(opened("receive"), failed("retry"), pauseOver, failed("retry"), pauseOver, received(true)),
    ).toEqual([
      "opened → catching-up: receive",
      "failed → pausing: pause",
      "pause-over → catching-up: receive",
      "failed → pausing: pause",
      "pause-over → catching-up: receive",
      "received → following: receive",
    ]);
  });

  test("a trimmed segment leads to a resync at once; a resync that fails is repeated after a pause", () => {
    expect(
      story(
        opened("receive"),
        received(true),
        failed("resync"),
        failed("retry"),
        pauseOver,
        landed,
        received(true),
      ),
    ).toEqual([
      "opened → catching-up: receive",
      "received → following: receive",
      "failed → resyncing: resync",
      "failed → pausing: pause",
      "pause-over → resyncing: resync",
      "landed → catching-up: receive",
      "received → following: receive",
    ]);
  });

  test("a log that cannot be applied does not lead from one resync straight into the next", () => {
    expect(
      story(opened("receive"), failed("resync"), landed, received(false, false), failed("resync"), pauseOver),
    ).toEqual([
      "opened → catching-up: receive",
      "failed → resyncing: resync",
      "landed → catching-up: receive",
      "received → catching-up: receive",
      "failed → pausing: pause",
      "pause-over → resyncing: resync",
    ]);
  });

  test("what stops, stays stopped until it is closed", () => {
    expect(story(opened("receive"), failed("stop"), pauseOver, received(true), { type: "close" })).toEqual([
      "opened → catching-up: receive",
      "failed → stopped: stop",
      "pause-over → stopped: none",
      "received → stopped: none",
      "close → closed: none",
    ]);
  });

  test("no sequence of events loops without a pause, leaves a closed machine, or resyncs into nothing", () => {
    const event = fc.oneof(
      fc.constantFrom(opened("bootstrap"), opened("receive"), opened("resync"), landed, pauseOver),
      fc.tuple(fc.boolean(), fc.boolean()).map(([isEof, isProgress]) => received(isEof, isProgress)),
      fc.constantFrom("retry" as const, "resync" as const, "bootstrap" as const, "stop" as const).map(failed),
      fc.constant<FollowEvent>({ type: "close" }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let machine: FollowMachine = START;
        let failuresWithoutPause = 0;
        for (const one of events) {
          const before = machine.state;
          const { machine: after, effect } = step(machine, one);
          if (before === "closed") expect(after.state).toBe("closed");
          if (effect === "pause" || one.type === "received" || one.type === "landed")
            failuresWithoutPause = 0;
          else if (one.type === "failed" && effect !== "none" && effect !== "stop") failuresWithoutPause++;
          expect(failuresWithoutPause).toBeLessThanOrEqual(1);
          machine = after;
        }
      }),
    );
  });
});

test("a wrong URL stops a replica that never met its primary; an odd answer later is retried", () => {
  expect(remedyFor("not_tailrace", { onForeignWrite: "stop", hasMet: false })).toBe("stop");
  expect(remedyFor("not_tailrace", { onForeignWrite: "stop", hasMet: true })).toBe("retry");
});

test("a foreign write is answered as configured", () => {
  expect(remedyFor("foreign_write", { onForeignWrite: "stop", hasMet: true })).toBe("stop");
  expect(remedyFor("foreign_write", { onForeignWrite: "resync", hasMet: true })).toBe("resync");
});
