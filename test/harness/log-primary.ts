import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MessageChannel } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { fragmentLength, imagesOffset, maxFragmentPages, sealFragment } from "../../shared/format/record.ts";
import { LogWriter } from "../../shared/log/log-writer.ts";
import { DatabaseView } from "../../shared/pages/database-view.ts";
import { PageTable } from "../../shared/pages/page-table.ts";
import { differingPages, fillTable, runToEnd } from "../../shared/pages/scan.ts";
import { answerCalls, emit } from "../../shared/rpc.ts";
import type { EngineEvents, NodeHead, SnapshotInfo } from "../../shared/serve/engine.ts";
import { runServer } from "../../shared/serve/server.ts";
import type { RunningServer } from "../../shared/serve/server.ts";
import { SnapshotStore } from "../../shared/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../../shared/snapshots/take-snapshot.ts";
import { driver } from "../../shared/sqlite/node-sqlite.ts";
import { holdFile } from "../../shared/sqlite/held-files.ts";
import { WalIndexFile } from "../../shared/sqlite/wal-index-file.ts";
import { hex64 } from "../../shared/units.ts";
import type { PageNumber, Txid } from "../../shared/units.ts";
import { MadeUpEngine } from "./made-up-engine.ts";

/**
 * A primary for the replica's tests: a real database, a real log and the real server, in this thread, but no
 * capture. After each commit the whole database is compared with the page table, and the difference becomes the record.
 */
export class LogPrimary {
  readonly file: string;
  readonly database: DatabaseSync;
  private readonly folder: string;
  private readonly pageSizeBytes: number;
  private readonly table: PageTable;
  private log!: LogWriter;
  /** Of the present history. */
  logId = "";
  private epoch = 1;
  private store: SnapshotStore;
  private snapshotTaken: Promise<SnapshotInfo> | undefined;
  private server: RunningServer | undefined;
  private port: MessagePort | undefined;
  private listenPort = 0;
  private histories = 0;

  constructor(folder: string, { pageSizeBytes = 4096 }: { readonly pageSizeBytes?: number } = {}) {
    this.folder = folder;
    this.pageSizeBytes = pageSizeBytes;
    mkdirSync(folder, { recursive: true });
    this.file = path.join(folder, "app.db");
    this.database = new DatabaseSync(this.file);
    this.database
      .exec(`PRAGMA page_size=${pageSizeBytes}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
      CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)`);
    this.table = PageTable.create(path.join(folder, "pages.sum"));
    this.store = SnapshotStore.open(path.join(folder, "snapshots"));
    this.beginHistory();
  }

  get url(): string {
    return `http://127.0.0.1:${this.listenPort}`;
  }

  get txid(): Txid {
    return this.log.headTxid;
  }

  get checksum(): string {
    return hex64(this.table.checksum);
  }

  get pageCount(): number {
    return this.table.pageCount;
  }

  get cursor(): { readonly segment: number; readonly offset: number } {
    return this.log.end;
  }

  /** As after damage to the log: another log id, at the database's present state. */
  beginHistory(epoch: number = this.epoch): void {
    this.epoch = epoch;
    this.histories += 1;
    this.logId = String(this.histories).repeat(32).slice(0, 32);
    const view = this.view();
    runToEnd(fillTable(this.table, view));
    const { pageSizeBytes, pageCount } = view;
    view.close();
    this.snapshotTaken = undefined;
    this.log?.close();
    this.log = LogWriter.open({
      folder: this.logFolder,
      logId: this.logId,
      epoch,
      pageSizeBytes,
      segmentSizeBytes: 1 << 20,
      durability: "os",
      clock: () => Date.now(),
      initial: { txid: 0, checksum: this.table.checksum, pageCount },
    }).log;
  }

  /** Runs SQL as one commit, and logs what it changed. */
  commit(sql: string): Txid {
    this.database.exec(sql);
    return this.record();
  }

  /** `rows` rows of random bytes. */
  insert(rows: number, bytes = 100): Txid {
    return this.commit(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${rows})
       INSERT INTO t(body) SELECT randomblob(${bytes}) FROM n`,
    );
  }

  /** A commit that the log never hears of. */
  commitInSecret(sql: string): void {
    this.database.exec(sql);
    const view = this.view();
    runToEnd(fillTable(this.table, view));
    view.close();
  }

  /** Takes a new snapshot at the next request for one. */
  renewSnapshot(): void {
    this.snapshotTaken = undefined;
  }

  /** Takes the snapshot that a request would take, so that what is committed from now on comes after it. */
  async takeSnapshot(): Promise<void> {
    await (this.snapshotTaken ??= this.snapshot());
  }

  /** Removes all segments before the newest, and renews the snapshot. */
  trim(): void {
    this.renewSnapshot();
    this.log.dropBefore(this.log.end.segment);
    this.announce();
  }

  async listen(): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const engine = new MadeUpEngine(
      () => this.head,
      () => (this.snapshotTaken ??= this.snapshot()),
    );
    answerCalls(port1, engine.methods);
    const options = {
      host: "127.0.0.1",
      port: this.listenPort,
      logFolder: this.logFolder,
      enginePort: port2,
    };
    this.server = await runServer({ ...options, role: "primary", version: "1.2.3" }, Date.now);
    this.listenPort = this.server.port;
    this.announce();
  }

  async unlisten(): Promise<void> {
    await this.server?.close(0);
    this.server = undefined;
    this.port?.close();
    this.port = undefined;
  }

  async close(): Promise<void> {
    await this.unlisten();
    this.log.close();
    this.table.close();
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get logFolder(): string {
    return path.join(this.folder, `log-${this.histories}`);
  }

  private view(): DatabaseView {
    const index = new WalIndexFile(holdFile(`${this.file}-shm`));
    return DatabaseView.open({ driver, file: this.file, databaseDescriptor: holdFile(this.file), index });
  }

  private record(): Txid {
    const view = this.view();
    const changed: { page: PageNumber; hash: bigint; image: Buffer }[] = [];
    runToEnd(
      differingPages(view, this.table, (page, hash, image) =>
        changed.push({ page, hash, image: Buffer.from(image) }),
      ),
    );
    const perFragment = maxFragmentPages(view.pageSizeBytes);
    const txid = this.log.headTxid + 1;
    for (let first = 0, index = 0; first < changed.length; first += perFragment, index++) {
      const part = changed.slice(first, first + perFragment);
      const isLast = first + perFragment >= changed.length;
      const checksumBefore = this.table.checksum;
      for (const { page, hash } of part) this.table.set(page, hash);
      if (isLast) this.table.resize(view.pageCount);
      const bytes = Buffer.alloc(fragmentLength(part.length, view.pageSizeBytes));
      part.forEach(({ image }, at) => image.copy(bytes, imagesOffset(part.length) + at * view.pageSizeBytes));
      sealFragment(
        bytes,
        {
          txid,
          epoch: this.epoch,
          commitTimeMs: Date.now(),
          checksumBefore,
          checksumAfter: this.table.checksum,
          pageSizeBytes: view.pageSizeBytes,
          databasePageCount: isLast ? view.pageCount : 0,
          fragmentIndex: index,
          isDifference: false,
          source: view.mark,
        },
        part.map(({ page }) => page),
      );
      this.log.append(bytes);
    }
    view.close();
    this.announce();
    return this.log.headTxid;
  }

  private get head(): NodeHead {
    return {
      logId: this.logId,
      epoch: this.epoch,
      pageSizeBytes: this.pageSizeBytes,
      txid: this.log.headTxid,
      commitTimeMs: this.log.headCommitTimeMs,
      databaseChecksum: hex64(this.table.checksum),
      start: this.log.start,
      end: this.log.durableEnd,
    };
  }

  private announce(): void {
    if (this.port !== undefined) emit<EngineEvents, "head">(this.port, "head", this.head);
  }

  private async snapshot(): Promise<SnapshotInfo> {
    const view = this.view();
    try {
      return await takeSnapshot(this.store, {
        view,
        txid: this.log.headTxid,
        databaseChecksum: this.table.checksum,
        cursor: this.log.end,
        logId: this.logId,
        epoch: this.epoch,
        createdMs: Date.now(),
      });
    } finally {
      view.close();
    }
  }
}
