import { open, stat } from "node:fs/promises";
import { closeSync, openSync } from "node:fs";
import { promisify } from "node:util";
import { constants, crc32, gzip, zstdCompress } from "node:zlib";
import { LRUCache } from "lru-cache";
import { TailraceError } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import { segmentPath } from "../log/segment-files.ts";
import { readAt } from "../storage/positioned-io.ts";
import type { Cursor } from "../units.ts";
import type { Encoding } from "./accept-encoding.ts";
import type { NodeHead } from "./engine.ts";
import { RETRY_AFTER_SECONDS } from "./limits.ts";
import { SpareMemory } from "./spare-memory.ts";
import { causeText } from "../storage/storage-error.ts";

const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);

/** Up to here a read from the page cache is quicker than the way to a thread of the pool and back. */
const READ_AT_ONCE_BYTES: number = 256 << 10;
/** Sizes of sealed segments that are remembered. */
const MAX_SEALED_SIZES = 10_000;

/** Where a chunk lies, before anything is read. */
export interface ChunkPlace {
  readonly cursor: Cursor;
  readonly lengthBytes: number;
  readonly next: Cursor;
  /** Of a sealed segment: the same cursor and limit give the same bytes for ever. */
  readonly isSealed: boolean;
}

/** A piece of the log, ready to be sent. */
export interface Chunk {
  /** CRC-32 of the bytes before encoding, 8 hex digits. */
  readonly crc: string;
  readonly encoding: Encoding;
  readonly body: Buffer;
}

/** A chunk that somebody holds. Its memory counts until the last holder releases it. */
interface HeldChunk {
  readonly lengthBytes: number;
  readonly chunk: Promise<Chunk>;
  /** What the chunk is read into; goes back when neither a holder nor the cache has it. */
  readonly memory: Buffer<ArrayBuffer> | undefined;
  holders: number;
  /** The round in which it was asked for last; see {@link ChunkSource.letGo}. */
  askedInRound: number;
}

/**
 * Log bytes for whoever asks. A chunk is read, checksummed and compressed once for all that ask for it, and kept for a
 * while. Memory is bounded twice: what is kept, and what slow readers hold beyond that.
 */
export class ChunkSource {
  private readonly folder: string;
  private readonly maxInFlightBytes: number;
  private readonly chunks: LRUCache<string, HeldChunk>;
  /** What somebody holds, so that it is shared even when the cache has let go of it. */
  private readonly inFlight = new Map<string, HeldChunk>();
  private readonly sealedSizes = new LRUCache<string, number>({ max: MAX_SEALED_SIZES });
  private readonly spares = new SpareMemory();
  private heldBytes = 0;
  private round = 0;
  private hits = 0;
  private misses = 0;

  constructor(folder: string, limits: { readonly cacheBytes: number; readonly maxInFlightBytes: number }) {
    this.folder = folder;
    this.maxInFlightBytes = limits.maxInFlightBytes;
    this.chunks = new LRUCache({
      maxSize: limits.cacheBytes,
      sizeCalculation: (held) => Math.max(1, held.lengthBytes),
      dispose: (held) => this.recycle(held),
    });
  }

  /** Chunks that were in memory when they were wanted, and those that were not. */
  get counts(): { readonly hits: number; readonly misses: number } {
    return { hits: this.hits, misses: this.misses };
  }

  /** Bytes kept for the next asker. */
  get cachedBytes(): number {
    return this.chunks.calculatedSize;
  }

  /** Bytes that askers hold at present, each chunk counted once. */
  get inFlightBytes(): number {
    return this.heldBytes;
  }

  /** @throws segment_unknown, segment_trimmed, offset_out_of_range; not_ready where this node is behind the asker */
  async locate(head: NodeHead, cursor: Cursor, maxBytes: number): Promise<ChunkPlace> {
    const { segment, offset } = cursor;
    const { start, end } = head;
    if (isStillToCome(cursor, head)) throw behind(cursor, end);
    if (segment > end.segment) {
      throw new TailraceError(
        "segment_unknown",
        `segment ${segment} does not exist; the newest is ${end.segment}`,
        {
          hint: "The log of this node is shorter than the one the cursor comes from.",
        },
      );
    }
    if (segment < start.segment || (segment === start.segment && offset < start.offset))
      throw trimmed(cursor, start);
    const isSealed = segment < end.segment;
    const sizeBytes = isSealed ? await this.sealedSize(head, segment) : end.offset;
    if (offset > sizeBytes) {
      throw new TailraceError(
        "offset_out_of_range",
        `offset ${offset} lies past the end of segment ${segment}, which has ${sizeBytes} bytes`,
        { hint: "The log of this node is shorter than the one the cursor comes from." },
      );
    }
    const lengthBytes = Math.min(maxBytes, sizeBytes - offset);
    const isPast = isSealed && offset + lengthBytes === sizeBytes;
    const next = isPast ? { segment: segment + 1, offset: 0 } : { segment, offset: offset + lengthBytes };
    return { cursor, lengthBytes, next, isSealed };
  }

  /** Log bytes from one cursor to a later one; null when a segment between them is gone. */
  async bytesBetween(head: NodeHead, from: Cursor, to: Cursor): Promise<number | null> {
    let bytes = -from.offset;
    for (let segment = from.segment; segment < to.segment; segment++) {
      try {
        bytes += await this.sealedSize(head, segment);
      } catch {
        return null;
      }
    }
    return bytes + to.offset;
  }

  /**
   * The chunk, held for the caller until it calls `release`, once.
   *
   * @throws segment_trimmed when it was removed meanwhile; overloaded; storage_failed
   */
  async hold(
    head: NodeHead,
    place: ChunkPlace,
    encoding: Encoding,
  ): Promise<{ readonly chunk: Chunk; readonly release: () => void }> {
    const { cursor, lengthBytes } = place;
    const key = `${head.logId}:${cursor.segment}:${cursor.offset}:${lengthBytes}:${encoding}`;
    let held = this.inFlight.get(key) ?? this.chunks.get(key);
    if (held !== undefined) this.hits += 1;
    else {
      if (this.heldBytes + lengthBytes > this.maxInFlightBytes) throw this.overloaded();
      this.misses += 1;
      const memory = encoding === "identity" ? this.spares.take(lengthBytes) : undefined;
      const chunk =
        memory === undefined ? this.encode(place, head, encoding) : this.read(place, head, memory);
      held = { lengthBytes, chunk, memory, holders: 0, askedInRound: this.round };
      this.chunks.set(key, held);
      chunk.catch(() => this.chunks.delete(key));
    }
    const release = this.take(key, held);
    try {
      return { chunk: await held.chunk, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Begins to read what an asker of this chunk will want next, so that it is in memory when that request comes: whoever
   * has a backlog asks for one chunk after the other, and would wait for each to be read. Where many ask, it would push
   * out what others are about to ask for, and is left alone.
   *
   * @param maxBytes as it was asked for, and will be again
   */
  async readAhead(
    head: NodeHead,
    { lengthBytes, next }: ChunkPlace,
    maxBytes: number,
    encoding: Encoding,
  ): Promise<void> {
    if (lengthBytes <= READ_AT_ONCE_BYTES || this.heldBytes > this.chunks.maxSize / 2) return;
    try {
      const place = await this.locate(head, next, maxBytes);
      // What still grows will be another chunk by the time it is asked for.
      if (place.lengthBytes < maxBytes && !place.isSealed) return;
      const { release } = await this.hold(head, place, encoding);
      release();
    } catch {
      // Whoever asks for it is told why.
    }
  }

  /**
   * Lets go of what nobody has asked for since the call before. Called now and then: chunks of the log's end are sent to all
   * who wait for them at once, and never asked for again.
   */
  letGo(): void {
    const unasked = [...this.chunks.entries()].filter(([, held]) => held.askedInRound < this.round);
    for (const [key] of unasked) this.chunks.delete(key);
    if (this.chunks.size === 0) this.spares.clear();
    this.round += 1;
  }

  private take(key: string, held: HeldChunk): () => void {
    if (held.holders === 0) this.heldBytes += held.lengthBytes;
    held.holders += 1;
    held.askedInRound = this.round;
    this.inFlight.set(key, held);
    return () => {
      held.holders -= 1;
      if (held.holders > 0) return;
      this.heldBytes -= held.lengthBytes;
      this.inFlight.delete(key);
      if (this.chunks.peek(key) !== held) this.recycle(held);
    };
  }

  private recycle({ memory, holders }: HeldChunk): void {
    if (memory !== undefined && holders === 0) this.spares.give(memory);
  }

  private async encode(place: ChunkPlace, head: NodeHead, encoding: Encoding): Promise<Chunk> {
    const { chunk, release } = await this.hold(head, place, "identity");
    try {
      // Level 1: the wire is to be relieved, not the processor burdened.
      const body =
        encoding === "gzip"
          ? await compressGzip(chunk.body, { level: 1 })
          : await compressZstd(chunk.body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
      // The other chunk's memory is used again once it is released.
      return body.length < chunk.body.length
        ? { ...chunk, body, encoding }
        : { ...chunk, body: Buffer.from(chunk.body) };
    } finally {
      release();
    }
  }

  private async read({ cursor, lengthBytes }: ChunkPlace, { start }: NodeHead, body: Buffer): Promise<Chunk> {
    const path = segmentPath(this.folder, cursor.segment);
    try {
      const size =
        lengthBytes <= READ_AT_ONCE_BYTES
          ? readAtOnce(path, body, cursor.offset)
          : await readByPool(path, body, cursor.offset);
      if (size < lengthBytes) {
        const ends = `${path} ends ${lengthBytes - size} bytes early`;
        throw new TailraceError("damaged", ends, {
          hint: "Restart the node: it verifies its log at the start.",
        });
      }
    } catch (error) {
      throw fileError(error, path, cursor, start);
    }
    return { body, encoding: "identity", crc: crc32(body).toString(16).padStart(8, "0") };
  }

  private async sealedSize({ logId, start }: NodeHead, segment: number): Promise<number> {
    const key = `${logId}:${segment}`;
    let size = this.sealedSizes.get(key);
    if (size === undefined) {
      const path = segmentPath(this.folder, segment);
      try {
        ({ size } = await stat(path));
      } catch (error) {
        throw fileError(error, path, { segment, offset: 0 }, start);
      }
      this.sealedSizes.set(key, size);
    }
    return size;
  }

  private overloaded(): TailraceError {
    return new TailraceError(
      "overloaded",
      `${this.heldBytes} bytes of log are being sent to slow readers already`,
      {
        retryable: true,
        hint: `Ask again after ${RETRY_AFTER_SECONDS} s, or for fewer bytes.`,
      },
    );
  }
}

function readAtOnce(path: string, into: Buffer, offset: number): number {
  const descriptor = openSync(path, "r");
  try {
    return readAt(descriptor, into, offset);
  } finally {
    closeSync(descriptor);
  }
}

async function readByPool(path: string, into: Buffer, offset: number): Promise<number> {
  await using file = await open(path, "r");
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/**
 * Whether the cursor lies past this node's log, and may lie within that of the node that this one follows: it began anew,
 * or has lost its end, and gets there again. Sent into a resync, the asker would go back with it.
 */
function isStillToCome(cursor: Cursor, { end, sourceEnd }: NodeHead): boolean {
  if (sourceEnd === undefined || compareCursors(cursor, end) <= 0) return false;
  return sourceEnd === null || compareCursors(cursor, sourceEnd) <= 0;
}

function behind({ segment, offset }: Cursor, end: Cursor): TailraceError {
  return new TailraceError(
    "not_ready",
    `this replica is at segment ${end.segment}, offset ${end.offset}, and has not got to segment ${segment}, offset ${offset} yet`,
    { retryable: true, hint: "Ask again when it has caught up, or ask the node that it follows." },
  );
}

function trimmed({ segment, offset }: Cursor, start: Cursor): TailraceError {
  return new TailraceError(
    "segment_trimmed",
    `segment ${segment}, offset ${offset} is gone; the log begins at segment ${start.segment}, offset ${start.offset}`,
    { hint: "Resync from GET /snapshot/latest." },
  );
}

function fileError(error: unknown, path: string, cursor: Cursor, start: Cursor): unknown {
  if (error instanceof TailraceError) return error;
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return trimmed(cursor, start);
  return new TailraceError("storage_failed", `cannot read ${path}: ${causeText(error)}`, {
    cause: error,
    retryable: true,
  });
}
