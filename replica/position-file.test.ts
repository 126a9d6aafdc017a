import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NO_MARK, POSITION_SLOT_BYTES } from "../shared/format/position.ts";
import type { Position } from "../shared/format/position.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { PositionFile } from "./position-file.ts";

function position(txid: number): Position {
  const state = { txid, cursor: { segment: 1, offset: 80 }, checksum: 0n, pageCount: 1 };
  const stamp = { sizeBytes: 0n, modifiedNs: 0n, changedNs: 0n, device: 0n, inode: 0n };
  return {
    pageSizeBytes: 4096,
    logId: "0".repeat(32),
    epoch: 1,
    applied: state,
    intent: state,
    floor: state,
    left: NO_MARK,
    intended: NO_MARK,
    phase: "following",
    isClean: false,
    isStamped: false,
    stamp,
    bootId: "0".repeat(32),
    commitTimeMs: 0,
  };
}

test("a write that is torn anywhere leaves the position before it, also right after the file was opened", () => {
  const path = join(temporaryFolder(), "position");
  for (let round = 1; round <= 3; round++) {
    const file = PositionFile.open(path);
    file.write(position(10 * round), false);
    file.write(position(10 * round + 1), false);
    const before = readFileSync(path);
    file.write(position(10 * round + 2), false);
    file.close();
    const after = readFileSync(path);
    // What the last write has changed is one slot. Of that, the disk got a part.
    const slot = Array.from(after).findIndex((byte, index) => byte !== before[index]);
    const start = slot - (slot % POSITION_SLOT_BYTES);
    for (const tornBytes of [1, 40, 200, POSITION_SLOT_BYTES - 1]) {
      const torn = Buffer.from(after);
      torn.fill(0, start + tornBytes, start + POSITION_SLOT_BYTES);
      writeFileSync(path, torn);
      const again = PositionFile.open(path);
      expect(again.position?.applied.txid).toBe(10 * round + 1);
      again.close();
    }
    writeFileSync(path, after);
  }
});
