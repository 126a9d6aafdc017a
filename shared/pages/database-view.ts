import { fstatSync } from "node:fs";
import { TailraceError, assert } from "../errors.ts";
import type { WalMark } from "../format/record.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";
import type { Connection, Driver } from "../sqlite/driver.ts";
import { identityOf } from "../sqlite/held-files.ts";
import { WalIndexFile } from "../sqlite/wal-index-file.ts";
import { readAtOrZeros } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import { lockPage } from "../units.ts";
import type { PageNumber } from "../units.ts";
import { beginPinned } from "./read-pin.ts";
import { WalFrames } from "./wal-frames.ts";

const NO_CHECKSUM = "0000000000000000";

export interface DatabaseViewSource {
  readonly driver: Driver;
  /** Path of the database. */
  readonly file: string;
  /** From {@link ../sqlite/held-files.ts!holdFile}; never closed here. */
  readonly databaseDescriptor: number;
  readonly index: WalIndexFile;
}

/**
 * What another thread needs to read the same view ({@link DatabaseView.attach}). Good only for as long as the view it
 * came from is open, and within the same process.
 */
export interface SharedView {
  readonly walFile: string;
  readonly databaseDescriptor: number;
  readonly indexDescriptor: number;
  readonly header: WalIndexHeader;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  /** Whether pages may stand in the WAL: false when the pinned state is wholly in the database file. */
  readonly needsWal: boolean;
}

/**
 * A database at one committed state, held in place by a read transaction while writers and checkpoints go on. It reads
 * raw pages: from the database file, and over them what the SQLite WAL has up to the pinned frame.
 *
 * Both are sound under SQLite's own rules. With the lock on a read mark above 0, checkpoints write into the file only
 * pages that the WAL has for this view as well. With the lock on mark 0, nothing writes into the file at all.
 */
export class DatabaseView {
  /** The wal-index header of exactly the state that is read. */
  readonly header: WalIndexHeader;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  private readonly shared: SharedView;
  private readonly frames: WalFrames | undefined;
  /** In its read transaction; another thread's in an attached view. */
  private readonly connection: Connection | undefined;
  private isClosed = false;

  private constructor(shared: SharedView, index: WalIndexFile, connection: Connection | undefined) {
    this.shared = shared;
    this.connection = connection;
    this.header = shared.header;
    this.pageSizeBytes = shared.pageSizeBytes;
    this.pageCount = shared.pageCount;
    this.frames = shared.needsWal ? new WalFrames(shared.walFile, index, shared.header) : undefined;
  }

  /**
   * Pins the newest committed state. The process has to keep another connection open on the database all the while.
   *
   * @throws database_busy (retryable) when someone locks readers out, or commits faster than a state can be pinned
   * @throws storage_failed when another file stands at the path than the descriptors are of
   */
  static open({ driver, file, databaseDescriptor, index }: DatabaseViewSource): DatabaseView {
    // Read-only: this connection must never create a database, nor checkpoint when it is closed.
    const connection = onStorage("open", file, () => driver.open(file, { readOnly: true }));
    try {
      const { header, needsWal } = beginPinned(connection, driver, index);
      assertSameFile(file, databaseDescriptor);
      assertSameFile(`${file}-shm`, index.descriptor);
      const { pageSizeBytes, pageCount } = dimensions(header, connection, databaseDescriptor);
      const walFile = `${file}-wal`;
      const indexDescriptor = index.descriptor;
      return new DatabaseView(
        { walFile, databaseDescriptor, indexDescriptor, header, pageSizeBytes, pageCount, needsWal },
        index,
        connection,
      );
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The view of another thread of this process, which has to keep it open until this one is closed. */
  static attach(shared: SharedView): DatabaseView {
    return new DatabaseView(shared, new WalIndexFile(shared.indexDescriptor), undefined);
  }

  /** This view as plain data, for {@link attach}. */
  share(): SharedView {
    return this.shared;
  }

  /** Where the state stands in the WAL: what a record of it names as its source. */
  get mark(): WalMark {
    const { mxFrame, salts, frameChecksum } = this.header;
    return { frame: mxFrame, salts, checksum: mxFrame === 0 ? NO_CHECKSUM : frameChecksum };
  }

  /**
   * Reads neighbouring pages. The lock page reads as zeros: SQLite never writes it.
   *
   * @param firstPage from 1; the run must end within `pageCount`
   * @param into exactly as long as the run
   * @throws storage_failed, damaged
   */
  readRun(firstPage: PageNumber, count: number, into: Buffer): void {
    assert(!this.isClosed, "a closed view is not read");
    assert(firstPage >= 1 && firstPage + count - 1 <= this.pageCount, "a run lies within the database");
    const { pageSizeBytes } = this;
    assert(into.length === count * pageSizeBytes, "the buffer is as long as the run");
    onStorage("read", "the database", () =>
      readAtOrZeros(this.shared.databaseDescriptor, into, (firstPage - 1) * pageSizeBytes),
    );
    this.frames?.patchRun(firstPage, count, into);
    const position = lockPage(pageSizeBytes) - firstPage;
    if (position >= 0 && position < count)
      into.fill(0, position * pageSizeBytes, (position + 1) * pageSizeBytes);
  }

  /** Ends the read transaction. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.frames?.close();
    this.connection?.exec("COMMIT");
    this.connection?.close();
  }
}

/** A wal-index that has seen no frame since it was made knows neither size: then the file has the word. */
function dimensions(
  header: WalIndexHeader,
  connection: Connection,
  databaseDescriptor: number,
): { pageSizeBytes: number; pageCount: number } {
  const pageSizeBytes = header.pageSizeBytes || Number(connection.row("PRAGMA page_size")?.[0]);
  const fileBytes = fstatSync(databaseDescriptor).size;
  return { pageSizeBytes, pageCount: header.databasePageCount || Math.ceil(fileBytes / pageSizeBytes) };
}

/** A connection by path and a held descriptor of another file would each be right, and together read a mixture. */
function assertSameFile(path: string, descriptor: number): void {
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  const found = onStorage("find", path, () => identityOf(path));
  if (found === `${dev}:${ino}`) return;
  throw new TailraceError("storage_failed", `${path} was replaced by another file while it was in use`, {
    hint: "Let applications close the database before its files are moved or replaced.",
  });
}
