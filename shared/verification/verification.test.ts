import { readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { onTestFinished, expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { TailraceError } from "../errors.ts";
import { DatabaseView } from "../pages/database-view.ts";
import { PageTable } from "../pages/page-table.ts";
import { differingPages, fillTable, runToEnd } from "../pages/scan.ts";
import { holdFile } from "../sqlite/held-files.ts";
import { driver } from "../sqlite/node-sqlite.ts";
import { WalIndexFile } from "../sqlite/wal-index-file.ts";
import { verificationStatusSchema } from "./verification-status.ts";
import type { VerificationStatus } from "./verification-status.ts";
import { hex64 } from "../units.ts";
import type { PageNumber } from "../units.ts";
import type { LogOnDisk } from "./log-verification.ts";
import { Verification } from "./verification.ts";

const PAGE_SIZE_BYTES = 4096;
const NOW_MS = 1_700_000_000_000;
const NOWHERE = { segment: 1, offset: 0 };

/** A database with a page table that follows its commits, but never hears of damage. */
class Followed {
  readonly file: string;
  readonly database: DatabaseSync;
  readonly table: PageTable;
  readonly ended: VerificationStatus[] = [];
  readonly verification: Verification;
  txid = 0;
  /** Thrown by as many attempts to open it. */
  refusals = 0;
  refusal: TailraceError = new TailraceError("not_ready", "in the middle of a batch", { retryable: true });
  /** Of no record. */
  log: LogOnDisk = { folder: "", logId: "", start: NOWHERE, end: NOWHERE, headTxid: 0, sizeBytes: 0 };
  private readonly damaged = new Set<PageNumber>();

  constructor(rows = 2000) {
    const folder = temporaryFolder();
    this.file = join(folder, "app.db");
    this.database = new DatabaseSync(this.file);
    this.database.exec(`PRAGMA page_size=${PAGE_SIZE_BYTES}; PRAGMA journal_mode=WAL;
      CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, body BLOB);
      WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < ${rows})
      INSERT INTO t(n, body) SELECT 0, randomblob(3000) FROM i;
      PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0`);
    this.table = PageTable.create(join(folder, "pages.sum"));
    const view = this.view();
    runToEnd(fillTable(this.table, view));
    view.close();
    this.verification = new Verification({
      clock: () => NOW_MS,
      hashOf: (page) => this.table.get(page),
      open: () => {
        if (this.refusals-- > 0) throw this.refusal;
        return { view: this.view(), txid: this.txid, databaseChecksum: this.table.checksum };
      },
      openLog: () => this.log,
      onEnd: (status) => this.ended.push(status),
    });
    onTestFinished(async () => {
      await this.verification.close();
      this.table.close();
      this.database.close();
    });
  }

  view(): DatabaseView {
    const index = new WalIndexFile(holdFile(`${this.file}-shm`));
    return DatabaseView.open({ driver, file: this.file, databaseDescriptor: holdFile(this.file), index });
  }

  commit(sql: string): void {
    this.database.exec(sql);
    const view = this.view();
    const differing = differingPages(view, this.table, (page, hash) => {
      if (!this.damaged.has(page)) this.table.set(page, hash);
    });
    runToEnd(differing);
    this.table.resize(view.pageCount);
    view.close();
    this.txid += 1;
  }

  /** One bit of the database file, through the descriptor that the process has: closing another would drop locks. */
  flipBit(page: PageNumber): void {
    const byte = Buffer.alloc(1);
    const at = (page - 1) * PAGE_SIZE_BYTES + 1234;
    readSync(holdFile(this.file), byte, 0, 1, at);
    byte[0]! ^= 1;
    writeSync(holdFile(this.file), byte, 0, 1, at);
    this.damaged.add(page);
  }

  /** @param meanwhile done again and again until the run has ended */
  async verify(meanwhile: () => void = () => {}): Promise<VerificationStatus> {
    this.verification.start();
    while (this.verification.status().state === "running") {
      meanwhile();
      await setImmediate();
    }
    return verificationStatusSchema.parse(this.verification.status());
  }
}

test("before anything was asked for, nothing is known", () => {
  const followed = new Followed(1);
  expect(followed.verification.status()).toMatchObject({ state: "none", txid: null, startedMs: null });
});

test("every page as the log says: identical, and whoever wants to know is told", async () => {
  const followed = new Followed();
  followed.commit("UPDATE t SET n = n + 1 WHERE id = 700"); // one page is in the WAL
  const status = await followed.verify();
  expect(status).toEqual({
    state: "identical",
    txid: 1,
    expectedChecksum: hex64(followed.table.checksum),
    foundChecksum: hex64(followed.table.checksum),
    pagesDone: followed.table.pageCount,
    pagesTotal: followed.table.pageCount,
    differentPages: [],
    logBytesDone: 0,
    logBytesTotal: 0,
    logDamage: [],
    startedMs: NOW_MS,
    endedMs: NOW_MS,
    error: null,
  });
  expect(followed.ended).toEqual([status]);
});

test("commits go on meanwhile: the state that was pinned is the one that is compared", async () => {
  const followed = new Followed();
  const status = await followed.verify(() => followed.commit("UPDATE t SET n = n + 1 WHERE id % 7 = 3"));
  expect(followed.txid).toBeGreaterThan(0);
  expect(status).toMatchObject({ state: "identical", txid: 0, differentPages: [] });
});

test("a flipped bit is found and its page named, while commits go on", async () => {
  const followed = new Followed();
  followed.flipBit(400);
  const status = await followed.verify(() => followed.commit("UPDATE t SET n = n + 1 WHERE id % 7 = 3"));
  expect(status).toMatchObject({ state: "different", txid: 0, differentPages: [400], error: null });
  expect(status.foundChecksum).not.toBe(status.expectedChecksum);
  expect(status.pagesDone).toBe(status.pagesTotal);
});

test("of a file that is spoilt all over, a hundred pages are named", async () => {
  const followed = new Followed();
  for (let page = 2; page < 1500; page += 3) followed.flipBit(page);
  const { state, differentPages } = await followed.verify();
  expect(state).toBe("different");
  expect(differentPages).toEqual(Array.from({ length: 100 }, (_, index) => 2 + 3 * index));
});

test("a second start during a run is the same run; after it, a new one", async () => {
  const followed = new Followed();
  followed.verification.start();
  await followed.verify();
  expect(followed.ended).toHaveLength(1);
  followed.commit("UPDATE t SET n = 9 WHERE id = 1");
  expect(followed.verification.start()).toMatchObject({
    state: "running",
    endedMs: null,
    foundChecksum: null,
  });
  expect(await followed.verify()).toMatchObject({ state: "identical", txid: 1 });
  expect(followed.ended).toHaveLength(2);
});

test("while there is no known state one is waited for; what will not pass ends it, with the error", async () => {
  const followed = new Followed(10);
  followed.refusals = 2;
  expect(await followed.verify()).toMatchObject({ state: "identical" });
  followed.refusals = 1;
  followed.refusal = new TailraceError("storage_failed", "cannot read app.db", { hint: "Look at the disk." });
  expect(await followed.verify()).toMatchObject({
    state: "failed",
    txid: null,
    error: {
      code: "storage_failed",
      message: "cannot read app.db",
      hint: "Look at the disk.",
      timeMs: NOW_MS,
    },
  });
});

test("closing ends a run, and lets go of its read transaction", async () => {
  const followed = new Followed();
  followed.verification.start();
  await followed.verification.close();
  expect(followed.verification.status()).toMatchObject({ state: "failed", error: { code: "closed" } });
  // A reader that still had its lock would keep the WAL from being cut.
  followed.database.exec("UPDATE t SET n = 1");
  expect(followed.database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
  expect(() => followed.verification.start()).toThrow(TailraceError);
});
