import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { TailraceError } from "../errors.ts";
import { hashPage } from "../format/page-hash.ts";
import { storageError } from "../storage/storage-error.ts";
import { hex64, lockPage } from "../units.ts";
import type { SnapshotInfo } from "./engine.ts";
import { openSnapshotFile } from "./snapshot-file.ts";

/** The digests of so many images are remembered. */
const REMEMBERED = 4;
/** Read at once, and hashed in half a millisecond, within which the thread does nothing else. */
const BLOCK_BYTES = 512 << 10;

/**
 * SHA-256 of snapshot images, found by a pass over the image for the first who wants it. Replicas do not: they go by the
 * database checksum, and a snapshot is taken in half the time without the other.
 */
export class ImageDigests {
  private readonly digests = new Map<string, Promise<string>>();

  /**
   * One pass for all that ask.
   *
   * @returns 64 hex digits
   * @throws damaged when the image is not the state that it is said to be; snapshot_unknown, storage_failed
   */
  of(info: SnapshotInfo): Promise<string> {
    const { digests } = this;
    const key = `${info.file} ${info.databaseChecksum}`;
    const known = digests.get(key);
    if (known !== undefined) return known;
    const digest = digestOf(info);
    digests.set(key, digest);
    for (const [oldest] of digests) if (digests.size > REMEMBERED) digests.delete(oldest);
    // The next who asks may find the disk well again.
    digest.catch(() => digests.delete(key));
    return digest;
  }
}

async function digestOf(info: SnapshotInfo): Promise<string> {
  await using file = await openSnapshotFile(info.file);
  try {
    return await read(file, info);
  } catch (error) {
    throw storageError("read", info.file, error);
  }
}

async function read(image: FileHandle, info: SnapshotInfo): Promise<string> {
  const { file, pageSizeBytes, pageCount, databaseChecksum } = info;
  const unhashed = lockPage(pageSizeBytes);
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  const sha256 = createHash("sha256");
  let checksum = 0n;
  for (let done = 0; done < pageCount;) {
    const bytes = block.subarray(0, Math.min(BLOCK_BYTES, (pageCount - done) * pageSizeBytes));
    const { bytesRead } = await image.read(bytes, 0, bytes.length, done * pageSizeBytes);
    if (bytesRead < bytes.length) throw damaged(file, `it ends after ${done} pages of ${pageCount}`);
    sha256.update(bytes);
    for (let start = 0; start < bytes.length; start += pageSizeBytes) {
      done += 1;
      if (done !== unhashed) checksum ^= hashPage(done, bytes.subarray(start, start + pageSizeBytes));
    }
  }
  if (hex64(checksum) !== databaseChecksum)
    throw damaged(file, `its pages have database checksum ${hex64(checksum)}, not ${databaseChecksum}`);
  return sha256.digest("hex");
}

function damaged(file: string, text: string): TailraceError {
  return new TailraceError("damaged", `${file}: ${text}`, {
    hint: "Ask for a new snapshot: `tailrace snapshot URL`.",
  });
}
