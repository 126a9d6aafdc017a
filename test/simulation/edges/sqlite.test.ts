import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import * as real from "node:sqlite";
import { expect, test } from "vitest";
import { ProcessDied, runIn } from "../core/process.ts";
import type { Machine } from "../core/machine.ts";
import type { SimulatedProcess } from "../core/process.ts";
import { closeSync, openSync } from "./fs.ts";
import { DatabaseSync } from "./sqlite.ts";
import { startProcess, withMachine } from "./testing-machine.ts";

const SEEDS = Array.from({ length: 30 }, (_, seed) => String(seed));

interface Application {
  readonly machine: Machine;
  readonly process: SimulatedProcess;
  readonly path: string;
  readonly database: DatabaseSync;
}

/** A database in WAL mode with one table, and a process that has it open. */
function withApplication<T>(seed: string, settings: string, work: (application: Application) => T): T {
  return withMachine(seed, (machine) => {
    const path = join(machine.folder, "app.db");
    const process = startProcess(machine);
    return runIn(process, () => {
      const database = new DatabaseSync(path);
      database.exec(`PRAGMA page_size=512; PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER, pad BLOB)`);
      database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      database.exec(settings);
      return work({ machine, process, path, database });
    });
  });
}

function insert(database: DatabaseSync, n: number): void {
  database.prepare("INSERT INTO t VALUES(?, randomblob(700))").run(n);
}

function losePower(machine: Machine): void {
  for (const process of machine.processes) process.kill();
  machine.disk.powerLoss();
}

/** What a new process finds, by SQLite's own recovery. */
function rows(machine: Machine, path: string): unknown[] {
  return runIn(startProcess(machine), () => {
    const database = new DatabaseSync(path);
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    return database
      .prepare("SELECT n FROM t ORDER BY n")
      .all()
      .map(({ n }) => n);
  });
}

/** Of the database file alone. */
function content(path: string): unknown[] {
  copyFileSync(path, `${path}.alone`);
  const database = new real.DatabaseSync(`${path}.alone`);
  try {
    return database.prepare("SELECT n FROM t").all();
  } finally {
    database.close();
  }
}

test("commits with synchronous=FULL outlive any loss of power", () => {
  for (const seed of SEEDS) {
    withApplication(seed, "", ({ machine, path, database }) => {
      for (let n = 0; n < 5; n++) insert(database, n);
      losePower(machine);
      expect(rows(machine, path)).toEqual([0, 1, 2, 3, 4]);
    });
  }
});

test("those with NORMAL may be lost from some one on, and the database is sound", () => {
  const counts = SEEDS.map((seed) =>
    withApplication(seed, "PRAGMA synchronous=NORMAL", ({ machine, path, database }) => {
      for (let n = 0; n < 5; n++) insert(database, n);
      losePower(machine);
      const found = rows(machine, path);
      expect(found).toEqual([0, 1, 2, 3, 4].slice(0, found.length));
      return found.length;
    }),
  );
  expect(new Set(counts).size).toBeGreaterThan(2);
});

test.each(["PASSIVE", "TRUNCATE"])("what a %s checkpoint has copied outlives a loss of power", (mode) => {
  for (const seed of SEEDS) {
    withApplication(seed, "PRAGMA synchronous=NORMAL", ({ machine, path, database }) => {
      for (let n = 0; n < 3; n++) insert(database, n);
      database.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
      insert(database, 3);
      losePower(machine);
      expect([3, 4]).toContain(rows(machine, path).length);
    });
  }
});

test("a WAL that begins anew, checkpoints by themselves, and a power loss at any moment: all of FULL is there", () => {
  for (const seed of SEEDS) {
    withApplication(seed, "PRAGMA wal_autocheckpoint=5", ({ machine, path, database }) => {
      const count = 1 + machine.disk.random.int(25);
      for (let n = 0; n < count; n++) insert(database, n);
      losePower(machine);
      expect(rows(machine, path)).toHaveLength(count);
    });
  }
});

test("a killed process leaves the WAL as it is, also when it was the last; the next one recovers it", () => {
  withApplication("kill", "", ({ machine, process, path, database }) => {
    insert(database, 1);
    database.exec("BEGIN; INSERT INTO t VALUES(2, '')");
    const before = runIn(process, () => machine.disk.find(`${path}-wal`));
    copyFileSync(path, `${path}.before`);
    process.kill();
    expect(existsSync(`${path}-wal`)).toBe(true);
    expect(machine.disk.find(`${path}-wal`)).toBe(before);
    expect(content(path)).toEqual([]);
    expect(rows(machine, path)).toEqual([1]);
    expect(() => insert(database, 3)).toThrow("died");
  });
});

test("a killed process frees its locks, and takes nothing from others that have the database open", () => {
  withApplication("others", "", ({ machine, process, path, database }) => {
    const other = startProcess(machine);
    const another = runIn(other, () => new DatabaseSync(path));
    runIn(other, () => insert(another, 1));
    database.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES(2, '')");
    runIn(other, () => expect(() => insert(another, 3)).toThrow("locked"));
    process.kill();
    runIn(other, () => insert(another, 4));
    expect(rows(machine, path)).toEqual([1, 4]);
  });
});

/** What is found after kills within a commit, and within a checkpoint. */
function killedWithin(isShared: boolean): Set<string> {
  const found = SEEDS.map((seed) =>
    withApplication(seed, "", ({ machine, process, path, database }) => {
      const other = startProcess(machine);
      const another = isShared ? runIn(other, () => new DatabaseSync(path)) : undefined;
      runIn(other, () => another?.prepare("SELECT count(*) FROM t").get());
      insert(database, 1);
      insert(database, 2);
      process.dieAtCrossing(1);
      const sql = machine.disk.random.pick([
        "INSERT INTO t VALUES(3, randomblob(700))",
        "PRAGMA wal_checkpoint(TRUNCATE)",
      ]);
      expect(() => database.exec(sql)).toThrow(ProcessDied);
      return rows(machine, path).join();
    }),
  );
  return new Set(found);
}

test("killed within a commit or a checkpoint, it leaves what recovers to before or after", () => {
  expect(killedWithin(false)).toEqual(new Set(["1,2", "1,2,3"]));
});

test("with others there who need no recovery, the commit has not been", () => {
  expect(killedWithin(true)).toEqual(new Set(["1,2"]));
});

test("killed within a checkpoint under a reader that is not simulated, it leaves the WAL in use", () => {
  for (const seed of SEEDS) {
    withApplication(seed, "", ({ machine, process, path, database }) => {
      using reader = new real.DatabaseSync(path, { readOnly: true });
      reader.prepare("SELECT count(*) FROM t").get();
      machine.disk.connections.outsiders.push({ file: path, isOpen: true });
      insert(database, 1);
      process.dieAtCrossing(1);
      expect(() => database.exec("PRAGMA wal_checkpoint(PASSIVE)")).toThrow(ProcessDied);
      expect(rows(machine, path)).toEqual([1]);
    });
  }
});

test("killed within the checkpoint that follows a commit, it leaves all of the commit to the others", () => {
  const settings =
    "CREATE TABLE u AS WITH rows(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM rows LIMIT 20) SELECT n, zeroblob(300) AS pad FROM rows";
  const found = SEEDS.map((seed) =>
    withApplication(seed, settings, ({ machine, process, path, database }) => {
      database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      const another = runIn(startProcess(machine), () => new DatabaseSync(path));
      another.prepare("SELECT count(*) FROM t").get();
      insert(database, 1);
      database.exec("PRAGMA wal_autocheckpoint=1");
      process.dieAtCrossing(1);
      expect(() => database.exec("UPDATE u SET n=0")).toThrow(ProcessDied);
      return runIn(startProcess(machine), () => {
        const [left] = new DatabaseSync(path).prepare("SELECT count(*) AS rows FROM u WHERE n=0").all();
        return left?.["rows"];
      });
    }),
  );
  expect(new Set(found)).toEqual(new Set([0, 20]));
});

test("an orderly last close copies the WAL and removes it, as SQLite does", () => {
  for (const seed of SEEDS) {
    withApplication(seed, "", ({ machine, path, database }) => {
      insert(database, 1);
      database.close();
      expect(existsSync(`${path}-wal`)).toBe(false);
      losePower(machine);
      expect(rows(machine, path)).toEqual([1]);
    });
  }
});

test("a descriptor that is closed while SQLite has locks on its file is noticed", () => {
  withApplication("locks", "", ({ machine, path, database }) => {
    for (const name of [`${path}-wal`, path, `${path}-shm`]) closeSync(openSync(name, "r"));
    expect(machine.disk.hazards).toHaveLength(2);
    database.close();
    closeSync(openSync(path, "r"));
    expect(machine.disk.hazards).toHaveLength(2);
  });
});

test("a full disk, or one that fails, fails a commit as SQLite says it; what was committed stays", () => {
  withApplication("full", "", ({ machine, path, database }) => {
    insert(database, 1);
    machine.disk.faults.capacityBytes = 0;
    expect(() => insert(database, 2)).toThrow(expect.objectContaining({ errcode: 13 }));
    machine.disk.faults.heal();
    machine.disk.faults.failNext("sqlite", "EIO");
    database.exec("BEGIN");
    expect(() => insert(database, 3)).toThrow(expect.objectContaining({ errcode: 1034 }));
    expect(database.isTransaction).toBe(false);
    insert(database, 4);
    expect(rows(machine, path)).toEqual([1, 4]);
  });
});
