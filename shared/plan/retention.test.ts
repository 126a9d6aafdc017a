import fc from "fast-check";
import { expect, test } from "vitest";
import { SNAPSHOT_MIN_LOG_BYTES, firstSegmentToKeep, isSnapshotDue } from "./retention.ts";
import type { SnapshotNeed } from "./retention.ts";

const MIB = 1 << 20;
const three = [3, 4, 5].map((segment) => ({ segment, sizeBytes: 64 * MIB }));

test("segments before everything that is needed go", () => {
  const needed = [
    { segment: 5, offset: 80 },
    { segment: 4, offset: 1000 },
  ];
  expect(firstSegmentToKeep({ segments: three, needed, keepBytes: 0 })).toBe(4);
});

test("with no snapshot and no floor, nothing goes", () => {
  expect(firstSegmentToKeep({ segments: three, needed: [], keepBytes: 0 })).toBe(3);
});

test("a short log is kept whole for replicas that come back", () => {
  const needed = [{ segment: 5, offset: 80 }];
  expect(firstSegmentToKeep({ segments: three, needed, keepBytes: 128 * MIB })).toBe(4);
  expect(firstSegmentToKeep({ segments: three, needed, keepBytes: 129 * MIB })).toBe(3);
});

test("never does a segment go that holds, or follows, anything needed; and the newest never goes", () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }),
      fc.array(fc.record({ segment: fc.integer({ min: 1, max: 40 }), offset: fc.nat() }), { maxLength: 4 }),
      fc.nat(600),
      (before, sizes, anywhere, keepBytes) => {
        const segments = sizes.map((sizeBytes, index) => ({ segment: before + 1 + index, sizeBytes }));
        const last = segments.at(-1)!.segment;
        const needed = anywhere.filter(({ segment }) => segment <= last);
        const keep = firstSegmentToKeep({ segments, needed, keepBytes });
        expect(keep).toBeGreaterThanOrEqual(segments[0]!.segment);
        expect(keep).toBeLessThanOrEqual(last);
        for (const { segment } of needed) {
          if (segment >= segments[0]!.segment) expect(keep).toBeLessThanOrEqual(segment);
        }
        const kept = segments.filter(({ segment }) => segment >= keep);
        const keptBytes = kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        if (keep > segments[0]!.segment) expect(keptBytes).toBeGreaterThanOrEqual(keepBytes);
      },
    ),
  );
});

const need: SnapshotNeed = {
  logBytesSince: 0,
  databaseBytes: 0,
  hasSnapshot: true,
  snapshotAfterBytes: SNAPSHOT_MIN_LOG_BYTES,
  keepLogBytes: 1 << 30,
};

test("a snapshot is due when the log since it outweighs the database, and at least 256 MiB", () => {
  const logBytesSince = SNAPSHOT_MIN_LOG_BYTES + 1;
  expect(isSnapshotDue({ ...need, logBytesSince: SNAPSHOT_MIN_LOG_BYTES })).toBe(false);
  expect(isSnapshotDue({ ...need, logBytesSince })).toBe(true);
  expect(isSnapshotDue({ ...need, logBytesSince, databaseBytes: 1 << 30 })).toBe(false);
  expect(isSnapshotDue({ ...need, logBytesSince: (1 << 30) + 1, databaseBytes: 1 << 30 })).toBe(true);
});

test("without any snapshot, one is due when the log could be cut if there was one", () => {
  const none = { ...need, hasSnapshot: false };
  expect(isSnapshotDue({ ...none, logBytesSince: 1 << 30 })).toBe(false);
  expect(isSnapshotDue({ ...none, logBytesSince: (1 << 30) + 1 })).toBe(true);
  expect(isSnapshotDue({ ...none, logBytesSince: SNAPSHOT_MIN_LOG_BYTES, keepLogBytes: 0 })).toBe(false);
});
