import { expect, test } from "vitest";
import { SegmentCatalogue } from "./segment-catalogue.ts";

/** A log whose sealed segment n has 100 × n bytes and was last written at n seconds. */
function catalogue(): { log: SegmentCatalogue; asked: number[]; clock: { nowMs: number } } {
  const asked: number[] = [];
  const clock = { nowMs: 1_000_000 };
  const log = new SegmentCatalogue({
    folder: "",
    clock: () => clock.nowMs,
    stat(segment) {
      asked.push(segment);
      return { sizeBytes: 100 * segment, modifiedMs: 1000 * segment };
    },
  });
  return { log, asked, clock };
}

test("sizes and distances are those of the files, each of which is looked at once", () => {
  const { log, asked, clock } = catalogue();
  log.update({ segment: 2, offset: 0 }, { segment: 4, offset: 50 });
  expect(log.list()).toEqual([
    { segment: 2, sizeBytes: 200, modifiedMs: 2000 },
    { segment: 3, sizeBytes: 300, modifiedMs: 3000 },
    { segment: 4, sizeBytes: 50, modifiedMs: 1_000_000 },
  ]);
  expect(log.sizeBytes).toBe(550);
  asked.length = 0;
  clock.nowMs += 1000;
  log.update({ segment: 2, offset: 0 }, { segment: 4, offset: 60 });
  log.update({ segment: 2, offset: 0 }, { segment: 4, offset: 60 });
  expect(asked).toEqual([]);
  expect(log.list().at(-1)).toEqual({ segment: 4, sizeBytes: 60, modifiedMs: 1_001_000 });
  expect(log.bytesAfter({ segment: 2, offset: 150 })).toBe(410);
  expect(log.bytesAfter({ segment: 4, offset: 60 })).toBe(0);
  expect(log.bytesAfter({ segment: 9, offset: 0 })).toBe(0);
  expect(log.bytesAfter({ segment: 1, offset: 99 })).toBeNull();
  // An offset that the segment never had counts as its end.
  expect(log.bytesAfter({ segment: 2, offset: 1e15 })).toBe(360);

  log.update({ segment: 3, offset: 0 }, { segment: 6, offset: 80 });
  expect(asked).toEqual([4, 5]);
  expect(log.list().map(({ segment, sizeBytes }) => [segment, sizeBytes])).toEqual([
    [3, 300],
    [4, 400],
    [5, 500],
    [6, 80],
  ]);
  expect(log.sizeBytes).toBe(1280);
  expect(log.bytesAfter({ segment: 5, offset: 0 })).toBe(580);
});

test("a copy that begins within a segment, and one that is begun anew", () => {
  const { log } = catalogue();
  log.update({ segment: 3, offset: 250 }, { segment: 4, offset: 10 });
  expect(log.sizeBytes).toBe(60);
  expect(log.bytesAfter({ segment: 3, offset: 249 })).toBeNull();
  expect(log.bytesAfter({ segment: 3, offset: 250 })).toBe(60);
  log.update({ segment: 9, offset: 80 }, { segment: 9, offset: 180 });
  expect(log.list()).toEqual([{ segment: 9, sizeBytes: 180, modifiedMs: 9000 }]);
  expect(log.sizeBytes).toBe(100);
  log.update({ segment: 1, offset: 0 }, { segment: 1, offset: 80 });
  expect(log.sizeBytes).toBe(80);
});
