import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Connection, Driver } from "../../shared/sqlite/driver.ts";
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES, decodeWalHeader } from "../../shared/format/wal.ts";
import type { PageNumber } from "../../shared/units.ts";

/** One transaction as a log would carry it. */
export interface PageCommit {
  readonly databasePageCount: number;
  readonly pages: readonly { readonly pageNumber: PageNumber; readonly image: Buffer }[];
}

/** A database written with SQL, whose commits can be had as pages. It is never checkpointed but by {@link settle}. */
export class SourceDatabase {
  readonly file: string;
  readonly connection: Connection;
  private framesRead = 0;

  constructor(driver: Driver, file: string, pageSizeBytes = 4096) {
    this.file = file;
    this.connection = driver.open(file);
    this.connection.exec(
      `PRAGMA page_size=${pageSizeBytes}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF`,
    );
  }

  exec(sql: string): void {
    this.connection.exec(sql);
  }

  /** The commits since the last call. */
  commits(): PageCommit[] {
    const commits = readCommits(this.file, this.framesRead);
    for (const { pages } of commits) this.framesRead += pages.length;
    return commits;
  }

  /** Puts all into the database file. */
  settle(): void {
    this.connection.row("PRAGMA wal_checkpoint(TRUNCATE)");
    this.framesRead = 0;
  }

  copyTo(file: string): void {
    this.settle();
    // Not in this process: closing the descriptor would drop SQLite's locks.
    execFileSync("cp", [this.file, file]);
  }

  close(): void {
    this.connection.close();
  }
}

/** The commits in a `-wal` that has never been restarted, after the first `framesRead` frames. */
export function readCommits(file: string, framesRead = 0): PageCommit[] {
  const wal = readFileSync(`${file}-wal`);
  const header = decodeWalHeader(wal);
  if (header === undefined) return [];
  const frameBytes = FRAME_HEADER_BYTES + header.pageSizeBytes;
  const commits: PageCommit[] = [];
  let pages: { pageNumber: PageNumber; image: Buffer }[] = [];
  for (let at = WAL_HEADER_BYTES + framesRead * frameBytes; at + frameBytes <= wal.length; at += frameBytes) {
    pages.push({
      pageNumber: wal.readUInt32BE(at),
      image: wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes),
    });
    const databasePageCount = wal.readUInt32BE(at + 4);
    if (databasePageCount === 0) continue;
    commits.push({ databasePageCount, pages });
    pages = [];
  }
  return commits;
}
