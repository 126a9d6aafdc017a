import { existsSync, statSync } from "node:fs";
import { TailraceError } from "../shared/errors.ts";
import type { FileStamp } from "../shared/format/position.ts";
import { DatabaseView } from "../shared/pages/database-view.ts";
import { BackgroundCheckpointer } from "../shared/sqlite/checkpointer.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { SQLITE_CORRUPT, SQLITE_NOTADB } from "../shared/sqlite/driver.ts";
import { holdFile, identityOf } from "../shared/sqlite/held-files.ts";
import { WalAppender } from "../shared/sqlite/wal-appender.ts";
import { isSameFile, stampOf } from "./position-file.ts";

/** The replica's database while it is open: the one connection that writes, and what reads and checkpoints beside it. */
export class ReplicaDatabase {
  readonly file: string;
  readonly driver: Driver;
  readonly appender: WalAppender;
  readonly checkpointer: BackgroundCheckpointer;
  private readonly descriptor: number;
  private readonly opened: FileStamp;
  /** Of the SQLite WAL and the wal-index: while a connection is open, SQLite puts no others in their place. */
  private readonly companions: readonly { readonly path: string; readonly identity: string }[];

  private constructor(file: string, driver: Driver, appender: WalAppender) {
    this.file = file;
    this.driver = driver;
    this.appender = appender;
    this.descriptor = holdFile(file);
    this.opened = stampOf(file);
    this.companions = [`${file}-wal`, `${file}-shm`].map((path) => ({ path, identity: identityOf(path) }));
    this.checkpointer = BackgroundCheckpointer.start({ driverName: driver.name, file });
  }

  /** @throws not_a_database, storage_failed, database_busy */
  static open(file: string, driver: Driver): ReplicaDatabase {
    try {
      return new ReplicaDatabase(file, driver, new WalAppender({ driver, file }));
    } catch (cause) {
      const code = driver.resultCode(cause);
      if (code !== SQLITE_NOTADB && code !== SQLITE_CORRUPT) throw cause;
      throw new TailraceError("not_a_database", `${file} is no SQLite database any more: ${String(cause)}`, {
        cause,
        hint: "Move the file away: the replica then fetches all of it again.",
      });
    }
  }

  /** A read transaction on the newest state. */
  view(): DatabaseView {
    return DatabaseView.open({
      driver: this.driver,
      file: this.file,
      databaseDescriptor: this.descriptor,
      index: this.appender.index,
    });
  }

  /**
   * Whether the path still leads to the file that is open: `gone` and `replaced` are somebody's doing, and so is `bare`: others
   * do not find the WAL or the wal-index that are written here. An empty file is none: whoever opens a path that is gone may
   * make one.
   */
  standing(): "here" | "gone" | "replaced" | "bare" {
    const found = statSync(this.file, { throwIfNoEntry: false });
    if (found === undefined || found.size === 0) return "gone";
    if (!isSameFile(stampOf(this.file), this.opened)) return "replaced";
    return this.companions.every(isInPlace) ? "here" : "bare";
  }

  /** Bytes of the database file. */
  get sizeBytes(): number {
    return statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Bytes of the SQLite WAL on disk. */
  walSizeBytes(): number {
    return statSync(`${this.file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  async close(): Promise<void> {
    await this.checkpointer.close();
    this.appender.close();
  }
}

function isInPlace({ path, identity }: { readonly path: string; readonly identity: string }): boolean {
  return existsSync(path) && identityOf(path) === identity;
}
