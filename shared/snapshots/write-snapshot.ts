import { openSync } from "node:fs";
import { TailraceError } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import { hashPage } from "../format/page-hash.ts";
import type { DatabaseView } from "../pages/database-view.ts";
import { UNFINISHED_SUFFIX, publishFile } from "../storage/atomic-file.ts";
import { BackgroundSync } from "../storage/background-sync.ts";
import { writeInBackground } from "../storage/positioned-io.ts";
import { onStorage, storageError } from "../storage/storage-error.ts";
import { hex64, lockPage } from "../units.ts";
import type { DatabaseChecksum } from "../units.ts";

const SLICE_BYTES = 1 << 20;
const HASH_BYTES = 8;

/**
 * Copies a view into an image and the list of its pages' hashes, in one pass and bounded memory. Both files stand
 * under their names, durable, when this returns; when it throws, what is left of them is the caller's to remove.
 *
 * @param expected the database checksum that the log has for the view's state
 * @throws diverged when the pages do not have the expected checksum; damaged, storage_failed
 */
export async function writeSnapshot(
  view: DatabaseView,
  file: string,
  checksumsFile: string,
  expected: DatabaseChecksum,
): Promise<void> {
  const image = UnfinishedFile.create(file);
  const sums = UnfinishedFile.create(checksumsFile);
  try {
    const checksum = await copyPages(view, image, sums);
    if (checksum !== expected) {
      throw new TailraceError(
        "diverged",
        `the database's pages have the checksum ${hex64(checksum)}, the log says ${hex64(expected)}`,
        {
          hint: "The database was changed outside of its WAL. Restart Tailrace: it then compares all pages.",
        },
      );
    }
    await image.publish();
    failpoint("snapshot.image-written");
    await sums.publish();
    failpoint("snapshot.sums-written");
  } finally {
    await image.close();
    await sums.close();
  }
}

async function copyPages(
  view: DatabaseView,
  image: UnfinishedFile,
  sums: UnfinishedFile,
): Promise<DatabaseChecksum> {
  const { pageSizeBytes, pageCount } = view;
  const slicePages = SLICE_BYTES / pageSizeBytes;
  const unhashed = lockPage(pageSizeBytes);
  // One is filled and hashed while the other is written.
  const slices = [0, 1].map(() => ({
    pages: Buffer.allocUnsafeSlow(SLICE_BYTES),
    hashes: Buffer.allocUnsafeSlow(slicePages * HASH_BYTES),
  }));
  let checksum = 0n;
  for (let first = 1; first <= pageCount; first += slicePages) {
    const count = Math.min(slicePages, pageCount - first + 1);
    const { pages, hashes } = slices[((first - 1) / slicePages) % slices.length]!;
    const run = pages.subarray(0, count * pageSizeBytes);
    view.readRun(first, count, run);
    for (let position = 0; position < count; position++) {
      const page = run.subarray(position * pageSizeBytes, (position + 1) * pageSizeBytes);
      const hash = first + position === unhashed ? 0n : hashPage(first + position, page);
      checksum ^= hash;
      hashes.writeBigUInt64LE(hash, position * HASH_BYTES);
    }
    await image.append(run);
    await sums.append(hashes.subarray(0, count * HASH_BYTES));
  }
  return checksum;
}

/** A file that has a temporary name until it is whole and durable. */
class UnfinishedFile {
  private readonly path: string;
  private readonly descriptor: number;
  private readonly sync: BackgroundSync;
  private writing: Promise<void> = Promise.resolve();
  private size = 0;
  private isOpen = true;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.sync = new BackgroundSync(path, descriptor);
  }

  static create(path: string): UnfinishedFile {
    return onStorage("create", path, () => new UnfinishedFile(path, openSync(path + UNFINISHED_SUFFIX, "w")));
  }

  /**
   * Has the bytes written on another thread, once those before are and the disk has not fallen behind.
   *
   * @param bytes stay as they are until the next call, or {@link close}, has returned
   * @throws storage_failed, of what was appended before
   */
  async append(bytes: Uint8Array): Promise<void> {
    await this.writing;
    this.writing = this.write(bytes, this.size);
    // Whoever waits for it next is told.
    this.writing.catch(() => undefined);
    this.size += bytes.length;
  }

  async publish(): Promise<void> {
    await this.writing;
    await this.sync.finish();
    await this.close();
    onStorage("write", this.path, () => publishFile(this.path + UNFINISHED_SUFFIX, this.path));
  }

  async close(): Promise<void> {
    await this.writing.catch(() => undefined);
    if (this.isOpen) await this.sync.close();
    this.isOpen = false;
  }

  private async write(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      await writeInBackground(this.descriptor, bytes, offset);
      await this.sync.wrote(bytes.length);
    } catch (error) {
      throw storageError("write", this.path, error);
    }
  }
}
