import { afterEach, beforeEach, expect, test } from "vitest";
import { markOf } from "../shared/plan/wal-continuity.ts";
import { passiveCheckpoint } from "../shared/sqlite/checkpoint.ts";
import type { Connection } from "../shared/sqlite/driver.ts";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { attachDatabase } from "./attached-database.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { Pin } from "./pin.ts";

let outside: CapturedDatabase;
let database: AttachedDatabase;
let pin: Pin;

const INSERT = "c.execute('insert into t values(zeroblob(5000))')";
const SALTS_GROW_BY_1 = 1;

beforeEach(() => {
  outside = new CapturedDatabase();
  outside.python("c.execute('pragma journal_mode=wal')\nc.execute('create table t(a)')");
  database = attachDatabase(driver, outside.file);
  pin = new Pin(driver, outside.file, database.index);
  pin.take();
});

afterEach(() => {
  pin.close();
  database.connection.close();
});

const now = () => markOf(database.index.read().header);
const generation = () => Number.parseInt(now().salts.slice(0, 8), 16);
const checkpoint = () => passiveCheckpoint(database.connection);

test("on frames that are not copied, it keeps every writer from restarting the WAL", () => {
  outside.python(INSERT);
  pin.move(now());
  const { salts, frame } = now();
  expect(pin.mayRestart).toBe(false);
  checkpoint();
  outside.python(`c.execute('pragma wal_autocheckpoint=1')\nfor i in range(50): ${INSERT}`);
  outside.shell("PRAGMA wal_checkpoint(TRUNCATE)".replace("TRUNCATE", "PASSIVE"));
  expect(now().salts).toBe(salts);
  expect(now().frame).toBeGreaterThan(frame);
  // And nothing past it is copied.
  expect(database.index.read().backfill).toBe(frame);
});

test("on a WAL that is all copied, it lets one restart happen, and no second one", () => {
  outside.python(INSERT);
  pin.move(now());
  checkpoint();
  pin.move(now());
  expect(pin.mayRestart).toBe(true);
  const before = generation();
  outside.python(INSERT);
  expect(generation()).toBe((before + SALTS_GROW_BY_1) >>> 0);
  const { salts } = now();
  outside.python(`c.execute('pragma wal_autocheckpoint=1')\nfor i in range(50): ${INSERT}`);
  outside.shell(".timeout 0", "PRAGMA wal_checkpoint(PASSIVE)");
  expect(now().salts).toBe(salts);
  expect(database.index.read().backfill).toBe(0);
});

test("salts say nothing of how many restarts there were: TRUNCATE of an empty WAL, and a writer's own choice", () => {
  outside.python(INSERT);
  pin.move(now());
  checkpoint();
  pin.move(now());
  const before = generation();
  outside.shell("PRAGMA wal_checkpoint(TRUNCATE)");
  outside.shell("PRAGMA wal_checkpoint(TRUNCATE)");
  expect(generation()).toBe((before + 2) >>> 0);
  outside.python(INSERT);
  expect(generation()).not.toBe((before + 3) >>> 0);
});

test("while it moves, there is never a moment without one", () => {
  outside.python(INSERT);
  pin.move(now());
  const { salts } = now();
  for (let round = 0; round < 20; round++) {
    outside.shell("insert into t values(1);", "PRAGMA wal_checkpoint(PASSIVE)");
    pin.move(now());
  }
  expect(now().salts).toBe(salts);
});

test("at each step of a move, one of its connections has begun to read", () => {
  const reading = new Set<Connection>();
  const counts: number[] = [];
  const open = (): Connection => {
    const connection: Connection = {
      handle: undefined,
      exec(sql) {
        if (sql === "COMMIT") reading.delete(connection);
        counts.push(reading.size);
      },
      row() {
        reading.add(connection);
        return [1];
      },
      close() {},
    };
    return connection;
  };
  const watched = new Pin({ ...driver, open }, outside.file, database.index);
  watched.take();
  counts.length = 0;
  for (let round = 0; round < 3; round++) watched.move(now());
  expect(counts).toEqual([1, 1, 1, 1, 1, 1]);
});

test("an error that has ended the transaction by itself is told as it was, and the next pin can be taken", () => {
  const failure = Object.assign(new Error("disk I/O error"), { errcode: 10 });
  let isFailing = true;
  let isWithin = false;
  const connection: Connection = {
    handle: undefined,
    exec(sql) {
      if (sql === "ROLLBACK" && !isWithin) throw new Error("cannot rollback - no transaction is active");
      if (sql === "BEGIN" && isWithin) throw new Error("cannot start a transaction within a transaction");
      isWithin = sql === "BEGIN";
    },
    row() {
      if (!isFailing) return [1];
      isFailing = false;
      isWithin = false;
      throw failure;
    },
    close() {},
  };
  const failing = new Pin({ ...driver, open: () => connection }, outside.file, database.index);

  expect(() => failing.take()).toThrow(failure);
  failing.take();
  expect(isWithin).toBe(true);
});
