/*
 * SQLite's WAL as its documentation has it, in the plainest words, so that it shares no mistake with shared/format/wal.ts.
 */

export interface ModelFrame {
  readonly page: number;
  readonly databasePages: number;
  readonly image: Buffer;
  readonly salts: string;
  readonly checksum: string;
}

type Sums = readonly [number, number];

function checksum(bytes: Buffer, isBigEndian: boolean, [from0, from1]: Sums): Sums {
  let s0 = from0;
  let s1 = from1;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    s0 = (s0 + (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + s1) >>> 0;
    s1 = (s1 + (isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + s0) >>> 0;
  }
  return [s0, s1];
}

function sumsAt(bytes: Buffer, at: number): Sums {
  return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
}

function isSame(a: Sums, b: Sums): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function pageSizeOf(wal: Buffer): number | undefined {
  if (wal.length < 32) return undefined;
  const magic = wal.readUInt32BE(0);
  const size = wal.readUInt32BE(8);
  const isSize = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].includes(size);
  const isKnown = (magic === 0x377f0682 || magic === 0x377f0683) && wal.readUInt32BE(4) === 3007000 && isSize;
  return isKnown && isSame(headerSums(wal), sumsAt(wal, 24)) ? size : undefined;
}

function headerSums(wal: Buffer): Sums {
  return checksum(wal.subarray(0, 24), hasBigSums(wal), [0, 0]);
}

function hasBigSums(wal: Buffer): boolean {
  return (wal.readUInt32BE(0) & 1) === 1;
}

/** The page size, where the header is sound; the frames that follow from it, one after the other. */
export function readWal(
  wal: Buffer,
): { readonly pageSizeBytes: number; readonly frames: readonly ModelFrame[] } | undefined {
  const pageSizeBytes = pageSizeOf(wal);
  if (pageSizeBytes === undefined) return undefined;
  const frames: ModelFrame[] = [];
  let sums = sumsAt(wal, 24);
  for (let at = 32; at + 24 + pageSizeBytes <= wal.length; at += 24 + pageSizeBytes) {
    const image = wal.subarray(at + 24, at + 24 + pageSizeBytes);
    sums = checksum(image, hasBigSums(wal), checksum(wal.subarray(at, at + 8), hasBigSums(wal), sums));
    const salts = wal.toString("hex", at + 8, at + 16);
    if (salts !== wal.toString("hex", 16, 24) || !isSame(sums, sumsAt(wal, at + 16))) break;
    frames.push({
      page: wal.readUInt32BE(at),
      databasePages: wal.readUInt32BE(at + 4),
      image,
      salts,
      checksum: wal.toString("hex", at + 16, at + 24),
    });
  }
  return { pageSizeBytes, frames };
}

/** Makes the checksums of the header and of every frame right, whatever they say. */
export function sealWal(wal: Buffer, pageSizeBytes: number): void {
  if (wal.length < 32) return;
  let sums = headerSums(wal);
  writeSums(wal, 24, sums);
  for (let at = 32; at + 24 + pageSizeBytes <= wal.length; at += 24 + pageSizeBytes) {
    const head = checksum(wal.subarray(at, at + 8), hasBigSums(wal), sums);
    sums = checksum(wal.subarray(at + 24, at + 24 + pageSizeBytes), hasBigSums(wal), head);
    writeSums(wal, at + 16, sums);
  }
}

/** The same of a wal-index's header: the first copy is made right, and copied. */
export function sealWalIndex(index: Buffer): void {
  if (index.length < 96) return;
  const [s0, s1] = checksum(index.subarray(0, 40), false, [0, 0]);
  index.writeUInt32LE(s0, 40);
  index.writeUInt32LE(s1, 44);
  index.copy(index, 48, 0, 48);
}

function writeSums(bytes: Buffer, at: number, [s0, s1]: Sums): void {
  bytes.writeUInt32BE(s0, at);
  bytes.writeUInt32BE(s1, at + 4);
}
