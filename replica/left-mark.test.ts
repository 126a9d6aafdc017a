import { expect, test } from "vitest";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { isUndisturbed, markOf } from "./left-mark.ts";

const HEADER: WalIndexHeader = {
  change: 7,
  pageSizeBytes: 4096,
  isBigEndianChecksum: false,
  mxFrame: 3,
  databasePageCount: 9,
  frameChecksum: "00000000000000aa",
  salts: "00000000000000bb",
};

test.each([
  ["as it was left", {}, true],
  ["emptied by a checkpoint", { mxFrame: 0, salts: "00000000000000cc" }, true],
  ["with a commit more", { change: 8, mxFrame: 4, frameChecksum: "00000000000000dd" }, false],
  ["emptied, and with a commit since", { change: 8, mxFrame: 1, salts: "00000000000000cc" }, false],
  ["emptied after a commit", { change: 8, mxFrame: 0, salts: "00000000000000cc" }, false],
  ["made anew, with as many changes by chance", { salts: "00000000000000cc" }, false],
  ["with other frames under the same salts", { frameChecksum: "00000000000000dd" }, false],
])("whether a WAL that is found %s is undisturbed", (_how, found, isSo) => {
  expect(isUndisturbed({ ...HEADER, ...found }, markOf(HEADER))).toBe(isSo);
});
