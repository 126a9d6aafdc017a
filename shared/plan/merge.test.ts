import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_BATCH_IMAGE_BYTES, MAX_BATCH_RECORDS, decideMerge } from "./merge.ts";

test("small records join one commit, up to a number", () => {
  expect(decideMerge({ records: 0, imageBytes: 0 }, 4096)).toBe("add");
  expect(decideMerge({ records: 100, imageBytes: 409_600 }, 4096)).toBe("add");
  expect(decideMerge({ records: MAX_BATCH_RECORDS, imageBytes: 4096 }, 4096)).toBe("close");
});

test("a record too large to be held is streamed, after what came before it", () => {
  expect(decideMerge({ records: 3, imageBytes: 12_288 }, MAX_BATCH_IMAGE_BYTES + 1)).toBe("close");
  expect(decideMerge({ records: 0, imageBytes: 0 }, MAX_BATCH_IMAGE_BYTES + 1)).toBe("stream");
});

test("whatever comes, a batch never holds more than its limit, and every record finds a way", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2 * MAX_BATCH_IMAGE_BYTES)), (sizes) => {
      let batch = { records: 0, imageBytes: 0 };
      for (const size of sizes) {
        let decision = decideMerge(batch, size);
        if (decision === "close") {
          batch = { records: 0, imageBytes: 0 };
          decision = decideMerge(batch, size);
          expect(decision).not.toBe("close");
        }
        if (decision === "add") batch = { records: batch.records + 1, imageBytes: batch.imageBytes + size };
        expect(batch.imageBytes).toBeLessThanOrEqual(MAX_BATCH_IMAGE_BYTES);
      }
    }),
  );
});
