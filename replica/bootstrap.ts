import {
  constants,
  existsSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from "node:fs";
import path from "node:path";
import { z } from "zod";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import { failpoint } from "../shared/failpoint.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import { alignedBuffer } from "../shared/format/wal.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import { syncFolder, writeFileAtomically } from "../shared/storage/atomic-file.ts";
import { BackgroundSync } from "../shared/storage/background-sync.ts";
import { isAbsent } from "../shared/storage/database-file.ts";
import type { ReplicaRoom } from "../shared/storage/disk-room.ts";
import { readAt, writeAt } from "../shared/storage/positioned-io.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import { systemCode } from "../shared/system-error.ts";
import { hex64, lockPage } from "../shared/units.ts";
import { NO_MARK } from "../shared/format/position.ts";
import { violation } from "./answers.ts";
import { assertNotStale } from "./fencing.ts";
import { isSameFile, stampOf } from "./position-file.ts";
import type { PositionFile } from "./position-file.ts";
import type { ReplicaFiles } from "./replica-files.ts";
import { landed } from "./resync.ts";
import { imageBytes } from "./snapshot-client.ts";
import type { SnapshotClient, SnapshotHead } from "./snapshot-client.ts";

/** Bytes gathered before they are hashed and written: a multiple of every page size. */
const BLOCK_BYTES = 1 << 20;
const PAGE_TABLE_BYTES_A_PAGE = 8;

export interface DownloadOptions {
  readonly client: SnapshotClient;
  readonly files: ReplicaFiles;
  readonly room: ReplicaRoom;
  /** The newest epoch that was seen of a history; 0 where none was. */
  readonly epochSeen: (logId: string) => number;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface BootstrapOptions extends DownloadOptions {
  /** The database to be. */
  readonly file: string;
  readonly positionFile: PositionFile;
  /** Removes the log copy. */
  readonly forgetLog: () => void;
  readonly bootId: string;
}

/**
 * From no database to one that is the primary's snapshot. A try that has failed after it was published goes on from there: what
 * stands at the path is this replica's own by then.
 *
 * @throws as {@link downloadSnapshot} and {@link publishImage}
 */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const { file, files, positionFile, forgetLog, bootId } = options;
  if (isPublished(file, positionFile)) return finishPublishing(file, files);
  const head = await downloadSnapshot(options);
  // The log of what was here before must never be met by the new position, whatever happens from here on.
  forgetLog();
  // Written down first: whoever finds the file later knows by its inode that it is ours.
  positionFile.write({ ...landed(head, NO_MARK, files.bootstrapPart, bootId), phase: "published" }, true);
  publishImage(file, files);
  positionFile.write({ ...landed(head, NO_MARK, file, bootId), isStamped: true }, true);
}

function isPublished(file: string, { position }: PositionFile): boolean {
  return position !== undefined && !isAbsent(file) && isSameFile(stampOf(file), position.stamp);
}

/**
 * Downloads the newest snapshot into `bootstrap.part`, going on where an earlier try broke off as long as the primary
 * still has that snapshot. On return every page is verified, the image is on the disk, and the page table beside it is
 * that of the image. Nothing has appeared under the replica's own path yet: see {@link publishImage}.
 *
 * @throws unreachable, timeout, not_tailrace, protocol_violation, overloaded, not_ready, stale_epoch, storage_failed
 */
export async function downloadSnapshot({
  client,
  files,
  room,
  epochSeen,
  onProgress,
  signal,
}: DownloadOptions): Promise<SnapshotHead> {
  const part = new PartFile(files);
  try {
    const kept = readInfo(files);
    const known = kept !== undefined && kept.epoch >= epochSeen(kept.logId) ? kept : undefined;
    if (known === undefined) part.restart();
    else part.resume(known, onProgress);
    let head = known;
    if (head === undefined || part.sizeBytes < imageBytes(head)) {
      const range = {
        from: part.sizeBytes,
        ...(head === undefined ? {} : { etag: head.etag }),
        ...(signal === undefined ? {} : { signal }),
      };
      await client.read(range, {
        start: (found, offset) => {
          assertUsable(found);
          assertNotStale(found.epoch, epochSeen(found.logId), "the primary's snapshot");
          if (offset === 0) part.restart(found);
          const { pageCount } = found.state;
          room.database.take(imageBytes(found) - offset, "the primary's snapshot");
          room.data.take(pageCount * PAGE_TABLE_BYTES_A_PAGE, "the page table of the primary's snapshot");
          if (offset === 0) writeInfo(files, found);
          head = found;
          return true;
        },
        data: (bytes) => {
          part.write(bytes);
          onProgress(part.sizeBytes, imageBytes(head!));
        },
      });
    }
    if (head === undefined) throw violation("GET /snapshot/latest: no answer");
    part.verify(head);
    await part.finish(head);
    failpoint("bootstrap.verified");
    return head;
  } catch (error) {
    // What is here belongs to no snapshot that there is.
    if (asTailraceError(error).code === "offset_out_of_range") part.restart();
    else part.keep();
    throw error;
  } finally {
    part.close();
  }
}

/**
 * Makes the verified image the replica's database: it appears whole, at once, and only where nothing is.
 *
 * @throws unrelated_database when something stands there by now; storage_failed
 */
export function publishImage(file: string, files: ReplicaFiles): void {
  const { bootstrapPart } = files;
  onStorage("publish", file, () => {
    if (existsSync(file)) {
      // Someone's `touch`, or a reader that opened the path too early: no database, and nothing to lose.
      if (statSync(file).size > 0) throw unrelatedDatabase(file);
      unlinkSync(file);
    }
    // A WAL left by a database that is gone would be taken for this one's.
    for (const leftover of [`${file}-wal`, `${file}-shm`]) rmSync(leftover, { force: true });
    placeWithoutReplacing(bootstrapPart, file);
  });
  finishPublishing(file, files);
}

/** What is left to do once the image stands at the path. @throws storage_failed */
function finishPublishing(file: string, { bootstrapPart, bootstrapInfo }: ReplicaFiles): void {
  onStorage("publish", file, () => {
    syncFolder(path.dirname(file));
    failpoint("bootstrap.published");
    rmSync(bootstrapInfo, { force: true });
    rmSync(bootstrapPart, { force: true });
  });
}

export function unrelatedDatabase(file: string): TailraceError {
  return new TailraceError("unrelated_database", `${file} exists, and is no replica that Tailrace made`, {
    hint: "Choose another path for the replica, or move the file away. It is never overwritten.",
  });
}

/** link() fails where a file exists, rename() replaces it. Some file systems have no links. */
function placeWithoutReplacing(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (systemCode(error) === "EEXIST") throw unrelatedDatabase(to);
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(systemCode(error) ?? "")) throw error;
    renameSync(from, to);
  }
}

/** The image on its way, hashed page by page as it is written. */
class PartFile {
  private readonly path: string;
  private readonly pageTablePath: string;
  private readonly descriptor: number;
  private readonly block = alignedBuffer(BLOCK_BYTES);
  private blockBytes = 0;
  private writtenBytes = 0;
  private table: PageTable | undefined;
  private pageSizeBytes = BLOCK_BYTES;
  private readonly sync: BackgroundSync;

  constructor({ bootstrapPart, pageTable }: ReplicaFiles) {
    this.path = bootstrapPart;
    this.pageTablePath = pageTable;
    this.descriptor = onStorage("open", bootstrapPart, () =>
      openSync(bootstrapPart, constants.O_RDWR | constants.O_CREAT, 0o644),
    );
    this.sync = new BackgroundSync(bootstrapPart, this.descriptor);
  }

  get sizeBytes(): number {
    return this.writtenBytes + this.blockBytes;
  }

  restart(head?: SnapshotHead): void {
    this.cut(0);
    this.writtenBytes = 0;
    this.blockBytes = 0;
    this.begin(head);
  }

  /**
   * Takes over the whole pages that are there, and writes them again: what a sync has failed for, in this process or one before
   * it, may be read back as it was written and be lost all the same, though the next sync succeeds.
   */
  resume(head: SnapshotHead, onProgress: (doneBytes: number, totalBytes: number) => void): void {
    this.begin(head);
    const total = imageBytes(head);
    do {
      const found = onStorage("read", this.path, () =>
        readAt(this.descriptor, this.block, this.writtenBytes),
      );
      this.blockBytes = Math.min(found - (found % this.pageSizeBytes), total - this.writtenBytes);
    } while (this.flush() === BLOCK_BYTES);
    this.cut(this.writtenBytes);
    onProgress(this.writtenBytes, total);
  }

  write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) {
      const count = bytes.copy(this.block, this.blockBytes, done);
      done += count;
      this.blockBytes += count;
      if (this.blockBytes === BLOCK_BYTES) this.flush();
    }
  }

  /** @throws protocol_violation when the pages are not those of the snapshot: then nothing of them is kept */
  verify(head: SnapshotHead): void {
    this.flush();
    const table = this.table!;
    table.resize(head.state.pageCount);
    if (table.checksum === head.state.checksum && this.writtenBytes === imageBytes(head)) return;
    const found = hex64(table.checksum);
    this.restart();
    throw violation(
      `the snapshot arrives with database checksum ${found}, stated as ${hex64(head.state.checksum)}`,
    );
  }

  async finish({ state }: SnapshotHead): Promise<void> {
    await this.sync.finish();
    this.table!.flush({ txid: state.txid, cursor: state.cursor });
  }

  /** Writes what is in memory, so that the next try goes on from there. */
  keep(): void {
    try {
      this.flush();
    } catch {
      // The disk is full, or gone: the next try finds what there is.
    }
  }

  close(): void {
    this.table?.close();
    this.table = undefined;
    void this.sync.close();
  }

  private cut(sizeBytes: number): void {
    onStorage("cut", this.path, () => ftruncateSync(this.descriptor, sizeBytes));
  }

  private begin(head: SnapshotHead | undefined): void {
    this.table?.close();
    this.table = PageTable.create(this.pageTablePath);
    if (head !== undefined) this.pageSizeBytes = head.pageSizeBytes;
  }

  /** Only whole pages leave the block, but for a cut-off end, which a resume drops again. @returns their bytes */
  private flush(): number {
    const bytes = this.blockBytes - (this.blockBytes % this.pageSizeBytes);
    this.hash(bytes);
    onStorage("write", this.path, () =>
      writeAt(this.descriptor, this.block.subarray(0, bytes), this.writtenBytes),
    );
    this.block.copyWithin(0, bytes, this.blockBytes);
    this.blockBytes -= bytes;
    this.writtenBytes += bytes;
    if (bytes > 0) failpoint("bootstrap.part-written");
    void this.sync.wrote(bytes);
    return bytes;
  }

  private hash(bytes: number): void {
    const { pageSizeBytes } = this;
    const lock = lockPage(pageSizeBytes);
    for (let offset = 0; offset < bytes; offset += pageSizeBytes) {
      const page = (this.writtenBytes + offset) / pageSizeBytes + 1;
      if (page === lock) continue;
      this.table!.set(page, hashPage(page, this.block.subarray(offset, offset + pageSizeBytes)));
    }
  }
}

const infoSchema = z.strictObject({
  generation: z.int(),
  etag: z.string(),
  logId: z.string(),
  epoch: z.int(),
  pageSizeBytes: z.int().positive(),
  state: z.strictObject({
    txid: z.int(),
    cursor: z.strictObject({ segment: z.int(), offset: z.int() }),
    checksum: z.string().regex(/^[0-9a-f]{16}$/),
    pageCount: z.int().positive(),
  }),
});

/** Which snapshot the part belongs to; undefined where that is not known for certain: then it starts anew. */
function readInfo({ bootstrapInfo, bootstrapPart }: ReplicaFiles): SnapshotHead | undefined {
  if (!existsSync(bootstrapInfo) || !existsSync(bootstrapPart)) return undefined;
  const text = onStorage("read", bootstrapInfo, () => readFileSync(bootstrapInfo, "utf8"));
  try {
    const info = infoSchema.parse(JSON.parse(text));
    return { ...info, state: { ...info.state, checksum: BigInt(`0x${info.state.checksum}`) } };
  } catch {
    return undefined;
  }
}

function writeInfo({ bootstrapInfo }: ReplicaFiles, head: SnapshotHead): void {
  const state = { ...head.state, checksum: hex64(head.state.checksum) };
  writeFileAtomically(bootstrapInfo, Buffer.from(JSON.stringify({ ...head, state })));
}

function assertUsable({ state }: SnapshotHead): void {
  if (state.pageCount > 0) return;
  throw new TailraceError("not_ready", "the primary's database is empty yet", { retryable: true });
}
