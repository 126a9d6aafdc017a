import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { TailraceError } from "../errors.ts";
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
const SCAN_BLOCKS = 256;
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
 * The hash of every page of one database, on disk, in bounded memory: but for the cache, 8 bytes for each 512 pages.
 *
 * Invariant: `checksum` is the XOR of all entries as they now stand, and no entry past max(pageCount, the last page
 * set) is anything but 0. `sums` has the same for each block: what rots in the file while this is open is refused, or it
 * would stay in every checksum from then on.
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
  /** The XOR of each block's entries, by block number; of blocks past its end, 0. */
  private sums = new BigUint64Array(64);
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
          table.learn();
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

  /** The page's hash; 0n where there is none. @throws damaged, storage_failed */
  get(pageNumber: PageNumber): bigint {
    if (pageNumber > this.touched) return 0n;
    return this.block(pageNumber).entries[(pageNumber - 1) % BLOCK_ENTRIES]!;
  }

  /**
   * Sets a page's hash. Pages beyond the present page count are allowed: a {@link resize} follows, or drops them.
   *
   * @throws damaged, storage_failed
   */
  set(pageNumber: PageNumber, hash: bigint): void {
    const block = this.block(pageNumber);
    const index = (pageNumber - 1) % BLOCK_ENTRIES;
    const change = block.entries[index]! ^ hash;
    block.entries[index] = hash;
    block.isDirty = true;
    this.xor ^= change;
    this.addToSum(blockOf(pageNumber), change);
    if (pageNumber > this.touched) this.touched = pageNumber;
  }

  /** What {@link checksum} will be after a {@link resize}. Changes nothing. */
  checksumAt(pageCount: number): DatabaseChecksum {
    return pageCount < this.touched ? this.xor ^ this.xorFrom(pageCount + 1) : this.xor;
  }

  /** Sets the database size: entries beyond it, if there are any, become 0 and leave the checksum. */
  resize(pageCount: number): void {
    if (pageCount < this.touched) {
      this.xor ^= this.xorFrom(pageCount + 1);
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

  /** XOR over all entries, read anew from the file and the cache. @throws damaged, storage_failed */
  recompute(): DatabaseChecksum {
    let xor = 0n;
    for (let index = 0; index <= blockOf(this.touched); index++) {
      const { entries } = this.blocks.get(index) ?? onStorage("read", this.path, () => this.readBlock(index));
      xor ^= xorOf(entries);
    }
    return xor;
  }

  /** Closes the file. What was not flushed is lost as in a crash. */
  close(): void {
    this.blocks.clear();
    this.lastBlock = undefined;
    this.lastIndex = -1;
    closeSync(this.descriptor);
  }

  private block(pageNumber: PageNumber): Block {
    const index = blockOf(pageNumber);
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
    if (xorOf(entries) !== (this.sums[index] ?? 0n)) {
      const first = index * BLOCK_ENTRIES + 1;
      throw new TailraceError(
        "damaged",
        `${this.path}: the hashes of pages ${first} to ${first + BLOCK_ENTRIES - 1} are not those that were written`,
        { hint: "Look at the disk, and start the node again: it makes them anew." },
      );
    }
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

  /** Takes the entries in the file for what they are. */
  private learn(): void {
    const entries = new BigUint64Array(SCAN_BLOCKS * BLOCK_ENTRIES);
    const bytes = new Uint8Array(entries.buffer);
    for (let first = 0; first <= blockOf(this.touched); first += SCAN_BLOCKS) {
      readAtOrZeros(this.descriptor, bytes, PAGE_TABLE_ENTRIES_OFFSET + first * BLOCK_BYTES);
      for (let block = 0; block < SCAN_BLOCKS; block++) {
        const sum = xorOf(entries.subarray(block * BLOCK_ENTRIES, (block + 1) * BLOCK_ENTRIES));
        if (sum === 0n) continue;
        this.addToSum(first + block, sum);
        this.xor ^= sum;
      }
    }
  }

  private addToSum(index: number, change: bigint): void {
    if (index >= this.sums.length) {
      const larger = new BigUint64Array(Math.max(index + 1, 2 * this.sums.length));
      larger.set(this.sums);
      this.sums = larger;
    }
    this.sums[index]! ^= change;
  }

  /** XOR of the entries of a page and all after it. */
  private xorFrom(first: PageNumber): bigint {
    const index = blockOf(first);
    let xor = xorOf(this.block(first).entries.subarray((first - 1) % BLOCK_ENTRIES));
    for (let next = index + 1; next <= blockOf(this.touched); next++) xor ^= this.sums[next] ?? 0n;
    return xor;
  }

  private entriesInFile(): number {
    const { size } = fstatSync(this.descriptor);
    return Math.max(0, Math.floor((size - PAGE_TABLE_ENTRIES_OFFSET) / ENTRY_BYTES));
  }

  /** Entries from `first` on become 0: in the cache, and by cutting the file. */
  private dropEntries(first: PageNumber): void {
    const firstIndex = blockOf(first);
    const { entries } = this.block(first);
    entries.fill(0n, (first - 1) % BLOCK_ENTRIES);
    this.sums.fill(0n, firstIndex);
    this.addToSum(firstIndex, xorOf(entries));
    for (const index of this.blocks.keys()) if (index > firstIndex) this.blocks.delete(index);
    this.touched = first - 1;
    onStorage("cut", this.path, () => this.truncateFile());
  }

  private truncateFile(): void {
    ftruncateSync(this.descriptor, PAGE_TABLE_ENTRIES_OFFSET + this.touched * ENTRY_BYTES);
  }
}

function blockOf(pageNumber: PageNumber): number {
  return Math.floor((pageNumber - 1) / BLOCK_ENTRIES);
}

/** In halves: arithmetic with numbers is much quicker than with BigInts. */
function xorOf(entries: BigUint64Array): bigint {
  const words = new Uint32Array(entries.buffer, entries.byteOffset, 2 * entries.length);
  let low = 0;
  let high = 0;
  for (let word = 0; word < words.length; word += 2) {
    low ^= words[word]!;
    high ^= words[word + 1]!;
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
