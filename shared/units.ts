/** A number that must not be mixed up with another kind of number. */
type Branded<Kind extends string> = number & { readonly [brand]?: Kind };
declare const brand: unique symbol;

/**
 * The number of a transaction: 1, 2, 3 … in commit order; 0 is the state before the first. 64 bits on disk, and a safe
 * integer in memory (2^53 transactions: at a million a second, 285 years).
 */
export type Txid = Branded<"txid">;

/** The number of a database page, from 1. */
export type PageNumber = Branded<"page number">;

/** XOR over all pages of {@link ../shared/format/page-hash.ts!hashPage}: 64 bits. Text form: 16 hex digits. */
export type DatabaseChecksum = bigint;

/** A place in the log: the next byte to read. */
export interface Cursor {
  /** From 1. */
  readonly segment: number;
  /** In bytes from the segment's first. */
  readonly offset: number;
}

/** The page that holds byte 1 GiB. SQLite keeps its locks there and never writes it. */
export function lockPage(pageSizeBytes: number): PageNumber {
  return 0x40000000 / pageSizeBytes + 1;
}

/** 8 lower-case hex digits of a 32-bit number, signed or not. */
export function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}

/** 16 lower-case hex digits of an unsigned 64-bit number. */
export function hex64(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}
