import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeRoom } from "./replica-room.ts";
import type { ReplicaStanding, RoomStatus } from "./replica-room.ts";

const GIB = 1 << 30;
const AWAY: ReplicaStanding = {
  heldBytes: 4 * GIB,
  isAtEnd: false,
  isInNewest: false,
  isKeptAnyway: false,
  netBytesPerSecond: null,
  before: "reserved",
};
const TEN = { maxBytes: 10 * GIB };

test("a replica is reserved at the end and within what is kept anyway, extended beyond it", () => {
  expect(judgeRoom(AWAY, TEN)).toEqual({
    retention: "extended",
    bytesUntilLost: 6 * GIB,
    secondsUntilLost: null,
  });
  expect(judgeRoom({ ...AWAY, isKeptAnyway: true }, TEN).retention).toBe("reserved");
  expect(judgeRoom({ ...AWAY, isAtEnd: true, netBytesPerSecond: 1e12 }, TEN)).toMatchObject({
    retention: "reserved",
    secondsUntilLost: null,
  });
});

test("without a limit nobody is ever lost", () => {
  expect(judgeRoom({ ...AWAY, netBytesPerSecond: 1e9 }, { maxBytes: null })).toEqual({
    retention: "extended",
    bytesUntilLost: null,
    secondsUntilLost: null,
  });
});

test("it is endangered with a quarter left, or an hour at the present rate", () => {
  expect(judgeRoom({ ...AWAY, heldBytes: 7.5 * GIB }, TEN).retention).toBe("endangered");
  expect(judgeRoom({ ...AWAY, heldBytes: 7.5 * GIB - 1 }, TEN).retention).toBe("extended");
  const anHour = (6 * GIB) / 3600;
  expect(judgeRoom({ ...AWAY, netBytesPerSecond: anHour * 1.0001 }, TEN)).toEqual({
    retention: "endangered",
    bytesUntilLost: 6 * GIB,
    secondsUntilLost: expect.closeTo(3600, -1),
  });
  expect(judgeRoom({ ...AWAY, netBytesPerSecond: anHour * 0.99 }, TEN).retention).toBe("extended");
  // A short absence under a heavy load is no danger yet.
  const brief = { ...AWAY, isKeptAnyway: true, netBytesPerSecond: anHour * 1.0001 };
  expect(judgeRoom(brief, TEN)).toMatchObject({
    retention: "reserved",
    secondsUntilLost: expect.closeTo(3600, -1),
  });
  // It catches up.
  expect(judgeRoom({ ...AWAY, netBytesPerSecond: -anHour }, TEN)).toMatchObject({
    retention: "extended",
    secondsUntilLost: null,
  });
  expect(judgeRoom({ ...AWAY, heldBytes: 11 * GIB }, TEN).bytesUntilLost).toBe(0);
});

test("by the word of some seconds ago it was at the end, but the log has outrun that: it is endangered", () => {
  expect(judgeRoom({ ...AWAY, isAtEnd: true, heldBytes: 8 * GIB }, TEN).retention).toBe("endangered");
  // A segment larger than the limit never goes while it is written.
  const large = { ...AWAY, isAtEnd: true, isInNewest: true, heldBytes: 11 * GIB };
  expect(judgeRoom(large, TEN)).toMatchObject({ retention: "reserved", bytesUntilLost: 0 });
});

test("what is announced does not flutter: around a limit it changes once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 2, maxLength: 50 }),
      fc.boolean(),
      (wobbles, isByRate) => {
        let before: RoomStatus = "extended";
        let changes = 0;
        for (const wobble of wobbles) {
          // Within a tenth of either limit.
          const standing = isByRate
            ? { ...AWAY, netBytesPerSecond: ((6 * GIB) / 3600) * (1 + wobble / 1000) }
            : { ...AWAY, heldBytes: 7.5 * GIB * (1 + wobble / 5000) };
          const { retention } = judgeRoom({ ...standing, before }, TEN);
          if (retention !== before) changes += 1;
          before = retention;
        }
        expect(changes).toBeLessThanOrEqual(1);
      },
    ),
  );
});
