import { expect, test } from "vitest";
import type { Cursor } from "../shared/units.ts";
import { MAX_LOG_BYTES, isEnough } from "./resync.ts";

const at = (segment: number): Cursor => ({ segment, offset: 0 });

test.each([
  ["up to the end as of the first answer", 20, 0, undefined, true],
  ["not less", 19, 0, undefined, false],
  ["or as much as is to be one commit", 19, MAX_LOG_BYTES, undefined, true],
  ["but not less than the replica had", 15, MAX_LOG_BYTES, 16, false],
  ["and no more than that where it is much", 16, MAX_LOG_BYTES, 16, true],
])("a resync fetches log: %s", (_what, segment, bytes, before, expected) => {
  const was = before === undefined ? undefined : at(before);
  expect(isEnough({ next: at(segment), bytes, until: at(20), before: was })).toBe(expected);
});
