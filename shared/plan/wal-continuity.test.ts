import { expect, test } from "vitest";
import type { WalIndexHeader } from "../format/wal-index.ts";
import { isSameMark, judgeWal, markOf } from "./wal-continuity.ts";

const captured = { frame: 7, salts: "0000000a11111111", checksum: "abcdabcdabcdabcd" };

function header(changes: Partial<WalIndexHeader> = {}): WalIndexHeader {
  return {
    change: 1,
    pageSizeBytes: 4096,
    isBigEndianChecksum: false,
    mxFrame: captured.frame,
    databasePageCount: 3,
    frameChecksum: captured.checksum,
    salts: captured.salts,
    ...changes,
  };
}

test("the header that was captured says that nothing happened", () => {
  expect(judgeWal(captured, header(), false)).toBe("unchanged");
  expect(judgeWal(captured, header(), true)).toBe("unchanged");
});

test("more frames in the same WAL are the commits since", () => {
  expect(judgeWal(captured, header({ mxFrame: 8, frameChecksum: "0".repeat(16) }), false)).toBe("grown");
});

test("other salts are a restart if one was allowed, and a gap if none was", () => {
  for (const salts of ["0000000b22222222", "0000000d22222222", "ffffffff00000000"]) {
    for (const mxFrame of [0, 1, 7, 100]) {
      expect(judgeWal(captured, header({ salts, mxFrame }), true)).toBe("restarted");
      expect(judgeWal(captured, header({ salts, mxFrame }), false)).toBe("missed");
    }
  }
});

test("fewer frames, or another last frame, cannot be explained by anything that was allowed", () => {
  expect(judgeWal(captured, header({ mxFrame: 6 }), true)).toBe("missed");
  expect(judgeWal(captured, header({ frameChecksum: "1".repeat(16) }), true)).toBe("missed");
});

test("an empty WAL has no last frame to compare", () => {
  const empty = markOf(header({ mxFrame: 0, frameChecksum: "1".repeat(16) }));
  expect(empty.checksum).toBe("0".repeat(16));
  expect(judgeWal(empty, header({ mxFrame: 0, frameChecksum: "2".repeat(16) }), false)).toBe("unchanged");
});

test("two marks are the same when frame, salts and checksum are", () => {
  expect(isSameMark(captured, markOf(header()))).toBe(true);
  expect(isSameMark(captured, { ...captured, frame: 8 })).toBe(false);
  expect(isSameMark(captured, { ...captured, salts: "0".repeat(16) })).toBe(false);
  expect(isSameMark(captured, { ...captured, checksum: "0".repeat(16) })).toBe(false);
});
