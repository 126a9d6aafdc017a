import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cursor } from "../units.ts";
import { compareCursors, formatCursor, parseCursor } from "./cursor.ts";

const cursors: fc.Arbitrary<Cursor> = fc.record({
  segment: fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc
      .maxSafeInteger()
      .map(Math.abs)
      .map((n) => Math.max(n, 1)),
  ),
  offset: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.maxSafeInteger().map(Math.abs)),
});

describe("a cursor's text form", () => {
  it("is fixed", () => {
    expect(formatCursor({ segment: 1, offset: 80 })).toBe("0000000000000001:0000000000000050");
    expect(formatCursor({ segment: Number.MAX_SAFE_INTEGER, offset: 0 })).toBe(
      "001fffffffffffff:0000000000000000",
    );
  });

  it("reads back as the same cursor", () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
      }),
    );
  });

  it("sorts as text exactly as the log does", () => {
    fc.assert(
      fc.property(cursors, cursors, (a, b) => {
        const [textA, textB] = [formatCursor(a), formatCursor(b)];
        const textOrder = textA < textB ? -1 : textA > textB ? 1 : 0;
        expect(Math.sign(compareCursors(a, b))).toBe(textOrder);
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["segment 0, which no log has", "0000000000000000:0000000000000000"],
    ["decimal numbers of natural width", "1:80"],
    ["capital letters, which would break the order of texts", "000000000000000A:0000000000000050"],
    ["one digit too few", "000000000000001:0000000000000050"],
    ["one digit too many", "00000000000000001:0000000000000050"],
    ["a sign", "-000000000000001:0000000000000050"],
    ["a line feed at the end", "0000000000000001:0000000000000050\n"],
    ["a segment of 2^53, which would lose its last bit", "0020000000000000:0000000000000000"],
    ["an offset of 2^53 + 1", "0000000000000001:0020000000000001"],
    ["64 bits", "ffffffffffffffff:ffffffffffffffff"],
  ])("refuses %s, and quotes it", (_what, text) => {
    expect(() => parseCursor(text)).toThrow(
      expect.objectContaining({ code: "invalid_request", message: `not a cursor: ${JSON.stringify(text)}` }),
    );
  });

  it("refuses any text that is not what it would write itself", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f]{14,18}:[0-9a-f]{14,18}$/)), (text) => {
        let cursor: Cursor;
        try {
          cursor = parseCursor(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_request" });
          return;
        }
        expect(formatCursor(cursor)).toBe(text);
      }),
    );
  });
});
