import { closeSync, fstatSync, openSync } from "node:fs";
import {
  PAGE_TABLE_ENTRIES_OFFSET,
  PAGE_TABLE_HEADER_BYTES,
  decodePageTableHeader,
} from "../pages/page-table-header.ts";
import type { FlushedMark } from "../pages/page-table-header.ts";
import { readAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { DatabaseChecksum } from "../units.ts";

const ENTRY_BYTES = 8;
const SLICE_BYTES = 1 << 20;

export interface TableExamination {
  readonly mark: FlushedMark;
  /**
   * Its entries are those of the mark. Otherwise entries of later transactions are among them, as a node that was killed
   * leaves them, or it is damaged: the log, replayed from the mark on, tells the one from the other.
   */
  readonly isAtMark: boolean;
}

/**
 * Reads a page table, and changes nothing.
 *
 * @returns instead of it `unfinished` where it was being made when the node ended, so that it has no header yet; `damaged`
 *   where its header is, or is of another version
 */
export function examineTable(path: string): TableExamination | "unfinished" | "damaged" {
  return onStorage("read", path, () => {
    const descriptor = openSync(path, "r");
    try {
      const header = Buffer.alloc(PAGE_TABLE_HEADER_BYTES);
      readAt(descriptor, header, 0);
      const mark = decodePageTableHeader(header);
      if (mark === undefined) return header.every((byte) => byte === 0) ? "unfinished" : "damaged";
      const neededBytes = PAGE_TABLE_ENTRIES_OFFSET + mark.pageCount * ENTRY_BYTES;
      const isWhole = fstatSync(descriptor).size >= neededBytes;
      return { mark, isAtMark: isWhole && xorOfEntries(descriptor, mark.pageCount) === mark.checksum };
    } finally {
      closeSync(descriptor);
    }
  });
}

function xorOfEntries(descriptor: number, pageCount: number): DatabaseChecksum {
  const words = new BigUint64Array(SLICE_BYTES / ENTRY_BYTES);
  const bytes = new Uint8Array(words.buffer);
  let xor = 0n;
  for (let page = 0; page < pageCount; page += words.length) {
    const count = Math.min(words.length, pageCount - page);
    const slice = bytes.subarray(0, count * ENTRY_BYTES);
    readAt(descriptor, slice, PAGE_TABLE_ENTRIES_OFFSET + page * ENTRY_BYTES);
    for (let index = 0; index < count; index++) xor ^= words[index]!;
  }
  return xor;
}
