import { byteTarget } from "../engine/byte-target.ts";
import { must } from "../engine/target.ts";
import type { Target } from "../engine/target.ts";
import { sealFragment, decodeFragment } from "../../../shared/format/record.ts";
import { POSITION_SLOT_BYTES, decodePosition, encodePosition } from "../../../shared/format/position.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../../shared/format/segment.ts";
import { decodePageTableHeader, encodePageTableHeader } from "../../../shared/pages/page-table-header.ts";
import { parseCursor, formatCursor } from "../../../shared/format/cursor.ts";
import { aFragment, aPosition, aSegmentHeader, aTableMark } from "./samples.ts";
import {
  fragmentFields,
  positionFields,
  sealPosition,
  sealRecords,
  segmentFields,
  sealCrc,
  sealSegment,
  tableFields,
} from "./layouts.ts";

/** The project's own formats: what is accepted is what would be written, to the bit. */
export const formatTargets: readonly Target[] = [
  byteTarget({
    name: "segment-header",
    open: () => ({
      seeds: [encodeSegmentHeader(aSegmentHeader), encodeSegmentHeader({ ...aSegmentHeader, segment: 9 })],
      fields: () => segmentFields,
      seal: sealSegment,
      run: (bytes) => {
        const header = decodeSegmentHeader(bytes);
        must(encodeSegmentHeader(header).equals(bytes.subarray(0, 80)), "another header than the bytes say");
        return "accepted";
      },
    }),
  }),
  byteTarget({
    name: "record",
    open: () => ({
      seeds: [
        aFragment([1], 4096, 1),
        aFragment([3, 2, 9], 512, 0),
        aFragment([], 1024, 7),
        aFragment([5], 65536, 5),
      ],
      fields: fragmentFields,
      seal: sealRecords,
      run: (bytes) => {
        const fragment = decodeFragment(bytes);
        if (fragment === undefined) return "refused";
        const { pageNumbers, images, lengthBytes } = fragment;
        must(new Set(pageNumbers).size === pageNumbers.length, "a page twice in one fragment");
        must(
          pageNumbers.every((page) => page > 0),
          "page 0",
        );
        const again = Buffer.alloc(lengthBytes);
        images.copy(again, lengthBytes - images.length);
        sealFragment(again, fragment, pageNumbers);
        must(again.equals(bytes.subarray(0, lengthBytes)), "another record than the bytes say");
        return "accepted";
      },
    }),
  }),
  byteTarget({
    name: "cursor",
    open: () => ({
      seeds: ["0000000000000001:0000000000000050", "001fffffffffffff:001fffffffffffff", "1:80", ""].map(
        (text) => Buffer.from(text),
      ),
      fields: () => [],
      run: (bytes) => {
        const text = bytes.toString("utf8");
        must(formatCursor(parseCursor(text)) === text, "another cursor than the text says");
        return "accepted";
      },
    }),
  }),
  byteTarget({
    name: "position",
    open: () => ({
      seeds: [
        Buffer.concat([encodePosition(aPosition, 1), encodePosition(aPosition, 2)]),
        encodePosition({ ...aPosition, phase: "resyncing" }, 7),
      ],
      fields: positionFields,
      seal: sealPosition,
      run: (bytes) => {
        const found = decodePosition(bytes);
        if (found === undefined) return "refused";
        const again = encodePosition(found.position, found.sequence);
        const isThere = [0, POSITION_SLOT_BYTES].some((at) =>
          again.equals(bytes.subarray(at, at + POSITION_SLOT_BYTES)),
        );
        must(isThere, "another position than the bytes say");
        return "accepted";
      },
    }),
  }),
  byteTarget({
    name: "page-table-header",
    open: () => ({
      seeds: [encodePageTableHeader(aTableMark)],
      fields: () => tableFields,
      seal: (bytes) => sealCrc(bytes, 0, 60),
      run: (bytes) => {
        const mark = decodePageTableHeader(bytes);
        if (mark === undefined) return "refused";
        must(encodePageTableHeader(mark).equals(bytes.subarray(0, 64)), "another header than the bytes say");
        return "accepted";
      },
    }),
  }),
];
