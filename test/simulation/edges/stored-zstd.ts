const MAGIC = 0xfd2fb528;
/** One segment, and the size of the content in 4 bytes (RFC 8878, 3.1.1.1.1). */
const DESCRIPTOR = 0b1010_0000;
const MAX_BLOCK_BYTES = 128 * 1024;

/**
 * A Zstandard frame that holds the bytes as they are. Compressed, the salts that SQLite has drawn would make it now longer,
 * now shorter, and no run would be like another.
 */
export function storeAsZstd(bytes: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt8(DESCRIPTOR, 4);
  header.writeUInt32LE(bytes.length, 5);
  const parts: Buffer[] = [header];
  let offset = 0;
  do {
    const block = bytes.subarray(offset, offset + MAX_BLOCK_BYTES);
    offset += block.length;
    const blockHeader = Buffer.alloc(3);
    blockHeader.writeUIntLE((block.length << 3) | (offset === bytes.length ? 1 : 0), 0, 3);
    parts.push(blockHeader, block);
  } while (offset < bytes.length);
  return Buffer.concat(parts);
}
