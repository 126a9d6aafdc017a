import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { ftruncateSync, mkdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { LogStorage } from "../shared/log/log-writer.ts";
import { UNFINISHED_SUFFIX } from "../shared/storage/atomic-file.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { openCapture } from "../test/harness/open-capture.ts";

const PROGRAM = new URL("../test/programs/capture.ts", import.meta.url).pathname;
const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
const INSERT = "for i in range(40): c.execute('insert into t(b) values(?)', (os.urandom(3000),))\n";
const LARGE = "c.execute('insert into t(b) values(?)', (os.urandom(4_000_000),))\n";

function prepared(): CapturedDatabase {
  const database = new CapturedDatabase();
  database.python(SETUP);
  database.keepStart();
  return database;
}

test("wherever in a record the disk becomes full or read-only, the log ends whole, and when there is room nothing is missing", async () => {
  const outside = prepared();
  let roomBytes = Number.POSITIVE_INFINITY;
  let isReadOnly = false;
  const refuse = (): void => {
    if (isReadOnly) throw Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
  };
  const storage: LogStorage = {
    write(descriptor, bytes, from, count, position) {
      if (roomBytes === 0) refuse();
      if (roomBytes === 0)
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      const fitting = Math.min(count, roomBytes);
      roomBytes -= fitting;
      return writeSync(descriptor, bytes, from, fitting, position);
    },
    truncate(descriptor, sizeBytes) {
      refuse();
      ftruncateSync(descriptor, sizeBytes);
    },
    dataSync: () => {},
  };
  const { capture, close } = await openCapture(outside, { storage });
  onTestFinished(close);
  for (const room of [0, 1, 100, 5000, 50_000]) {
    outside.python(INSERT);
    roomBytes = room;
    expect(() => capture.captureAll()).toThrow(
      expect.objectContaining({
        code: "storage_failed",
        retryable: true,
        hint: expect.stringContaining("space"),
      }),
    );
    // Again and again, until somebody makes room.
    expect(() => capture.captureAll()).toThrow("ENOSPC");
    // A snapshot that is due meanwhile goes back to the last whole record, too.
    expect(() => capture.openView()).toThrow("ENOSPC");
    roomBytes = Number.POSITIVE_INFINITY;
    expect(capture.captureAll()).toBe("end");
  }
  outside.python(LARGE);
  // Within a transaction of several fragments.
  roomBytes = 2_500_000;
  expect(() => capture.captureAll()).toThrow("ENOSPC");
  roomBytes = Number.POSITIVE_INFINITY;
  expect(capture.captureAll()).toBe("end");
  expect(capture.log.headTxid).toBe(5 * 40 + 1);

  // A transaction that makes the database smaller: the page table is still what the log's head goes on from.
  outside.python("c.execute('delete from t where a > 10')\n");
  expect(capture.captureAll()).toBe("end");
  const { headTxid } = capture.log;
  capture.markDurable({ txid: headTxid, cursor: capture.log.end });
  outside.python("c.execute('vacuum')\n");
  roomBytes = 0;
  expect(() => capture.captureAll()).toThrow("ENOSPC");
  expect(() => capture.captureAll()).toThrow("ENOSPC");
  roomBytes = Number.POSITIVE_INFINITY;
  expect(capture.captureAll()).toBe("end");
  expect(capture.log.headTxid).toBe(headTxid + 1);

  outside.python(LARGE);
  // The file system becomes read-only under open files: the rest of the record cannot be cut off either.
  roomBytes = 2_500_000;
  isReadOnly = true;
  expect(() => capture.captureAll()).toThrow(expect.objectContaining({ retryable: true }));
  expect(() => capture.captureAll()).toThrow(
    expect.objectContaining({ retryable: true, message: expect.stringContaining("EROFS") }),
  );
  isReadOnly = false;
  roomBytes = Number.POSITIVE_INFINITY;
  expect(capture.captureAll()).toBe("end");
  expect(capture.log.headTxid).toBe(headTxid + 2);
  expect(capture.table.checksum).toBe(capture.table.recompute());
  expect(outside.fragments().every(({ isDifference }) => !isDifference)).toBe(true);
});

test("a process that may write no more says so, blocks no writer, and goes on by itself when it may again", async () => {
  const outside = prepared();
  const child = spawn(process.execPath, [PROGRAM, outside.file], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const limit = (bytes: string): void => {
    execFileSync("prlimit", ["--pid", String(child.pid), `--fsize=${bytes}:unlimited`]);
  };
  const saw = (what: string | RegExp): Promise<void> =>
    expect.poll(() => lines.join("\n"), { timeout: 15_000, interval: 10 }).toMatch(what);

  await saw(/^ready/);
  // Stands for a full disk: the log is the largest file, and the first to meet the limit.
  limit("50000");
  outside.python(INSERT);
  await saw(/^trouble log segment .* cannot be written: .*EFBIG/m);
  outside.python(INSERT);
  limit("unlimited");
  await saw(/^80$/m);
  await saw(/^trouble none$/m);
  child.kill("SIGKILL");
  await outside.start();
  expect(await outside.prove()).toBe(80);
  expect((await outside.status()).differences).toBe(0);
});

test("where a log gives way to a new one that cannot be made, that is said, and the next start makes it", async () => {
  const outside = prepared();
  const open = async (): Promise<string> => {
    const { capture, close } = await openCapture(outside);
    const { logId } = capture.meta;
    close();
    return logId;
  };
  const before = await open();
  // What differs now cannot be found out any more.
  outside.python(INSERT);
  rmSync(join(outside.dataDir, "pages.sum"));
  const inTheWay = join(outside.dataDir, `meta.json${UNFINISHED_SUFFIX}`);
  mkdirSync(inTheWay);
  await expect(open()).rejects.toMatchObject({ code: "storage_failed" });
  rmSync(inTheWay, { recursive: true });
  expect(await open()).not.toBe(before);
});
