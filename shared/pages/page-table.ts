import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { failpoint } from "../failpoint.ts";
import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import { readAt, readAtOrZeros, writeAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";
import type { DatabaseChecksum, PageNumber } from "../units.ts";
import {
  PAGE_TABLE_ENTRIES_OFFSET,
  PAGE_TABLE_HEADER_BYTES,
  decodePageTableHeader,
  encodePageTableHeader,
} from "./page-table-header.ts";
import type { FlushedMark, TableMark } from "./page-table-header.ts";

const ENTRY_BYTES = 8;
const BLOCK_ENTRIES = 512;
const BLOCK_BYTES = BLOCK_ENTRIES * ENTRY_BYTES;
const SCAN_BYTES = 1 << 20;
/** What the cache of blocks may hold: 16 MiB, the entries of 2 million pages. */
const DEFAULT_CACHE_BLOCKS = 4096;

interface Block {
  readonly entries: BigUint64Array;
  /** The same memory, for reading and writing the file. */
  readonly bytes: Uint8Array;
  isDirty: boolean;
}

export interface PageTableOptions {
  /** How many blocks of 4 KiB are kept in memory. */
  readonly cacheBlocks?: number;
}

/**
 * The hash of every page of one database, on disk, in bounded memory.
 *
 * Invariant: `checksum` is the XOR of all entries as they now stand, and no entry past max(pageCount, the last page
 * set) is anything but 0.
 *
 * Crashes: entries reach the file when a block has to leave the cache, so after a crash the file holds entries of the
 * mark mixed with later ones. Replaying the log from the mark sets every entry that can have changed; after that
 * `checksum` equals that of the log's end, or the file is not to be trusted (a lost write, damage) and is to be made
 * anew. Nothing else has to be known about how the process ended.
 */
export class PageTable {
  private readonly path: string;
  private readonly descriptor: number;
  private readonly cacheBlocks: number;
  /** By block number; the order is that of use, the longest unused first. */
  private readonly blocks = new Map<number, Block>();
  private lastIndex = -1;
  private lastBlock: Block | undefined;
  private xor: DatabaseChecksum = 0n;
  private flushed: FlushedMark;
  private pages: number;
  /** The highest page that may have an entry, in the file or in the cache. */
  private touched: PageNumber;

  private constructor(path: string, descriptor: number, flushed: FlushedMark, options: PageTableOptions) {
    this.path = path;
    this.descriptor = descriptor;
    this.cacheBlocks = options.cacheBlocks ?? DEFAULT_CACHE_BLOCKS;
    this.flushed = flushed;
    this.pages = flushed.pageCount;
    this.touched = flushed.pageCount;
  }

  /**
   * An empty table in place of whatever stands at the path. Until its first {@link flush} it does not exist for
   * {@link open}.
   * @throws storage_failed
   */
  static create(path: string, options: PageTableOptions = {}): PageTable {
    const descriptor = onStorage("create", path, () => openSync(path, "w+"));
    const nothing = {
      txid: 0,
      cursor: { segment: 1, offset: SEGMENT_HEADER_BYTES },
      pageCount: 0,
      checksum: 0n,
    };
    return new PageTable(path, descriptor, nothing, options);
  }

  /**
   * The table at the path as it was left, cleanly or not; reads it once, whole, for its checksum.
   *
   * @returns undefined when there is none, or its header is damaged or of another version
   * @throws storage_failed
   */
  static open(path: string, options: PageTableOptions = {}): PageTable | undefined {
    return onStorage("open", path, () => {
      const descriptor = openExisting(path);
      if (descriptor === undefined) return undefined;
      try {
        const bytes = Buffer.alloc(PAGE_TABLE_HEADER_BYTES);
        readAt(descriptor, bytes, 0);
        const mark = decodePageTableHeader(bytes);
        if (mark !== undefined) {
          const table = new PageTable(path, descriptor, mark, options);
          // Where the file ends before, the entries are 0: however many pages the header says, nothing is made of them.
          table.touched = Math.min(mark.pageCount, table.entriesInFile());
          // Entries past the mark's page count were written ahead of it; at the mark they are 0.
          table.truncateFile();
          table.xor = table.recompute();
          return table;
        }
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
      closeSync(descriptor);
      return undefined;
    });
  }

  /** Database size in pages, as {@link resize} last said. */
  get pageCount(): number {
    return this.pages;
  }

  /** XOR of all entries: the database checksum once the entries of a transaction are set and the size is right. */
  get checksum(): DatabaseChecksum {
    return this.xor;
  }

  /** The state of the last {@link flush}: where a replay of the log has to begin. */
  get mark(): FlushedMark {
    return this.flushed;
  }

  /** The page's hash; 0n where there is none. */
  get(pageNumber: PageNumber): bigint {
    if (pageNumber > this.touched) return 0n;
    return this.block(pageNumber).entries[(pageNumber - 1) % BLOCK_ENTRIES]!;
  }

  /** Sets a page's hash. Pages beyond the present page count are allowed: a {@link resize} follows, or drops them. */
  set(pageNumber: PageNumber, hash: bigint): void {
    const block = this.block(pageNumber);
    const index = (pageNumber - 1) % BLOCK_ENTRIES;
    this.xor ^= block.entries[index]! ^ hash;
    block.entries[index] = hash;
    block.isDirty = true;
    if (pageNumber > this.touched) this.touched = pageNumber;
  }

  /** What {@link checksum} will be after a {@link resize}. Changes nothing. */
  checksumAt(pageCount: number): DatabaseChecksum {
    return pageCount < this.touched ? this.xor ^ this.xorOfEntries(pageCount + 1, this.touched) : this.xor;
  }

  /** Sets the database size: entries beyond it, if there are any, become 0 and leave the checksum. */
  resize(pageCount: number): void {
    if (pageCount < this.touched) {
      this.xor ^= this.xorOfEntries(pageCount + 1, this.touched);
      this.dropEntries(pageCount + 1);
    }
    this.pages = pageCount;
    this.touched = pageCount;
  }

  /**
   * Makes the table durable as that of the given state: first the entries, then the header that speaks for them.
   * @throws storage_failed; the table on disk is then that of the mark before, and possibly in need of a replay
   */
  flush(mark: TableMark): void {
    onStorage("write", this.path, () => {
      const dirty = [...this.blocks].filter(([, block]) => block.isDirty).toSorted(([a], [b]) => a - b);
      for (const [index, block] of dirty) this.writeBlock(index, block);
      fdatasyncSync(this.descriptor);
      failpoint("pages.entries-written");
      const flushed = { ...mark, pageCount: this.pages, checksum: this.xor };
      writeAt(this.descriptor, encodePageTableHeader(flushed), 0);
      fdatasyncSync(this.descriptor);
      this.flushed = flushed;
    });
  }

  /** XOR over all entries, read anew from the file and the cache. Anything but `checksum` means damage on disk. */
  recompute(): DatabaseChecksum {
    return onStorage("read", this.path, () => this.xorOfEntries(1, this.touched));
  }

  /** Closes the file. What was not flushed is lost as in a crash. */
  close(): void {
    this.blocks.clear();
    this.lastBlock = undefined;
    this.lastIndex = -1;
    closeSync(this.descriptor);
  }

  private block(pageNumber: PageNumber): Block {
    const index = Math.floor((pageNumber - 1) / BLOCK_ENTRIES);
    if (this.lastBlock !== undefined && this.lastIndex === index) return this.lastBlock;
    let block = this.blocks.get(index);
    if (block === undefined) {
      block = onStorage("read", this.path, () => {
        if (this.blocks.size >= this.cacheBlocks) this.evictOldest();
        return this.readBlock(index);
      });
    } else {
      this.blocks.delete(index);
    }
    this.blocks.set(index, block);
    this.lastIndex = index;
    this.lastBlock = block;
    return block;
  }

  private readBlock(index: number): Block {
    const entries = new BigUint64Array(BLOCK_ENTRIES);
    const bytes = new Uint8Array(entries.buffer);
    readAtOrZeros(this.descriptor, bytes, PAGE_TABLE_ENTRIES_OFFSET + index * BLOCK_BYTES);
    return { entries, bytes, isDirty: false };
  }

  private writeBlock(index: number, block: Block): void {
    writeAt(this.descriptor, block.bytes, PAGE_TABLE_ENTRIES_OFFSET + index * BLOCK_BYTES);
    block.isDirty = false;
  }

  private evictOldest(): void {
    for (const [index, block] of this.blocks) {
      if (block.isDirty) this.writeBlock(index, block);
      this.blocks.delete(index);
      return;
    }
  }

  /** XOR of the entries from one page to another, without moving anything in the cache. */
  private xorOfEntries(first: PageNumber, last: PageNumber): bigint {
    let low = 0;
    let high = 0;
    const buffer = new Uint32Array(SCAN_BYTES / 4);
    const bytes = new Uint8Array(buffer.buffer);
    const lastInFile = Math.min(last, this.entriesInFile());
    for (let page = first; page <= lastInFile;) {
      // Slices begin at multiples of the slice size, so that cached blocks lie whole within one.
      const sliceStart = page - 1 - ((page - 1) % (SCAN_BYTES / ENTRY_BYTES));
      const sliceEnd = Math.min(sliceStart + SCAN_BYTES / ENTRY_BYTES, lastInFile);
      const slice = bytes.subarray(0, (sliceEnd - sliceStart) * ENTRY_BYTES);
      readAtOrZeros(this.descriptor, slice, PAGE_TABLE_ENTRIES_OFFSET + sliceStart * ENTRY_BYTES);
      for (let index = sliceStart / BLOCK_ENTRIES; index * BLOCK_ENTRIES < sliceEnd; index++) {
        const block = this.blocks.get(index);
        if (block?.isDirty) bytes.set(block.bytes, (index * BLOCK_ENTRIES - sliceStart) * ENTRY_BYTES);
      }
      for (let word = (page - 1 - sliceStart) * 2; word < (sliceEnd - sliceStart) * 2; word += 2) {
        low ^= buffer[word]!;
        high ^= buffer[word + 1]!;
      }
      page = sliceEnd + 1;
    }
    const inFile = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    return inFile ^ this.xorOfCached(Math.max(first, lastInFile + 1), last);
  }

  /** The same of pages past the end of the file: what there is of them stands in the cache. */
  private xorOfCached(first: PageNumber, last: PageNumber): bigint {
    let xor = 0n;
    for (const [index, { entries, isDirty }] of this.blocks) {
      if (!isDirty) continue;
      const before = index * BLOCK_ENTRIES;
      const end = Math.min(last - before, BLOCK_ENTRIES);
      for (let entry = Math.max(0, first - 1 - before); entry < end; entry++) xor ^= entries[entry]!;
    }
    return xor;
  }

  private entriesInFile(): number {
    const { size } = fstatSync(this.descriptor);
    return Math.max(0, Math.floor((size - PAGE_TABLE_ENTRIES_OFFSET) / ENTRY_BYTES));
  }

  /** Entries from `first` on become 0: in the cache, and by cutting the file. */
  private dropEntries(first: PageNumber): void {
    const firstIndex = Math.floor((first - 1) / BLOCK_ENTRIES);
    for (const [index, block] of this.blocks) {
      if (index < firstIndex) continue;
      if (index > firstIndex) this.blocks.delete(index);
      else block.entries.fill(0n, (first - 1) % BLOCK_ENTRIES);
    }
    this.lastBlock = undefined;
    this.lastIndex = -1;
    this.touched = first - 1;
    onStorage("cut", this.path, () => this.truncateFile());
  }

  private truncateFile(): void {
    ftruncateSync(this.descriptor, PAGE_TABLE_ENTRIES_OFFSET + this.touched * ENTRY_BYTES);
  }
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
