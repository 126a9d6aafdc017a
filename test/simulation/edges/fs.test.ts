import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ProcessDied, runIn } from "../core/process.ts";
import type { Machine } from "../core/machine.ts";
import * as fs from "./fs.ts";
import { startProcess, withMachine } from "./testing-machine.ts";

const SEEDS = Array.from({ length: 60 }, (_, seed) => String(seed));

/** As shared/storage/atomic-file.ts does it; without the last sync, for comparison. */
function replace(path: string, text: string, syncsFolder: boolean): void {
  const descriptor = fs.openSync(`${path}.tmp`, "w");
  fs.writeSync(descriptor, Buffer.from(text), 0, text.length, 0);
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
  fs.renameSync(`${path}.tmp`, path);
  const folder = fs.openSync(join(path, ".."), "r");
  if (syncsFolder) fs.fsyncSync(folder);
  fs.closeSync(folder);
}

/** What stands in a file after something was done and the power was lost, for many seeds; each once. */
function outcomes(act: (path: string, machine: Machine) => void): Set<string> {
  const found = SEEDS.map((seed) =>
    withMachine(seed, (machine) => {
      const path = join(machine.folder, "file");
      runIn(startProcess(machine), () => act(path, machine));
      losePower(machine);
      return machine.disk.find(path) === undefined ? "missing" : readFileSync(path, "utf8");
    }),
  );
  return new Set(found);
}

function losePower(machine: Machine): void {
  for (const process of machine.processes) process.kill();
  machine.disk.powerLoss();
}

test("a file that is synced, with its folder, is there after any loss of power", () => {
  expect(outcomes((path) => replace(path, "old", true))).toEqual(new Set(["old"]));
});

test("a rename without a sync of the folder may be lost: then the old file is there, whole", () => {
  const found = outcomes((path) => {
    replace(path, "old", true);
    replace(path, "new", false);
  });
  expect(found).toEqual(new Set(["old", "new"]));
});

test("a file that was created without a sync of the folder may be missing", () => {
  expect(outcomes((path) => replace(path, "new", false))).toEqual(new Set(["new", "missing"]));
});

test("bytes written without a sync may be lost", () => {
  const found = outcomes((path) => {
    replace(path, "old", true);
    const descriptor = fs.openSync(path, "r+");
    fs.writeSync(descriptor, Buffer.from("new"), 0, 3, 0);
  });
  expect(found).toEqual(new Set(["old", "new"]));
});

test("a kill leaves exactly what was written, synced or not", () => {
  withMachine("kill", (machine) => {
    const path = join(machine.folder, "file");
    const process = startProcess(machine);
    runIn(process, () => {
      const descriptor = fs.openSync(path, "w");
      fs.writeSync(descriptor, Buffer.from("written"), 0, 7, 0);
      process.kill();
      expect(() => fs.writeSync(descriptor, Buffer.from("never"), 0, 5, 0)).toThrow();
      expect(() => fs.openSync(path, "r")).toThrow(ProcessDied);
    });
    expect(readFileSync(path, "utf8")).toBe("written");
    runIn(startProcess(machine), () => expect(fs.readFileSync(path, "utf8")).toBe("written"));
  });
});

test("a process that is killed within a large write has written some pages of it, or none", () => {
  const bytes = Buffer.alloc(5 * 4096, "x");
  const sizes = SEEDS.map((seed) =>
    withMachine(seed, (machine) => {
      const path = join(machine.folder, "file");
      const process = startProcess(machine);
      runIn(process, () => {
        const descriptor = fs.openSync(path, "w");
        process.dieAtCrossing(1);
        expect(() => fs.writeSync(descriptor, bytes, 0, bytes.length, 0)).toThrow(ProcessDied);
      });
      return readFileSync(path).length;
    }),
  );
  expect(new Set(sizes)).toEqual(new Set([0, 4096, 8192, 3 * 4096, 4 * 4096]));
});

test("a sync that failed has lost what was written, though the next one succeeds", () => {
  const found = outcomes((path, machine) => {
    replace(path, "old", true);
    const descriptor = fs.openSync(path, "r+");
    fs.writeSync(descriptor, Buffer.from("new"), 0, 3, 0);
    machine.disk.faults.failNext("sync", "EIO");
    expect(() => fs.fdatasyncSync(descriptor)).toThrow("EIO");
    fs.fdatasyncSync(descriptor);
    expect(fs.readFileSync(path, "utf8")).toBe("new");
  });
  expect(found).toEqual(new Set(["old"]));
});

test("a full disk takes what fits, and then nothing", () => {
  withMachine("full", (machine) => {
    runIn(startProcess(machine), () => {
      const descriptor = fs.openSync(join(machine.folder, "file"), "w");
      machine.disk.faults.capacityBytes = 10;
      expect(fs.statfsSync(machine.folder).bavail).toBe(0);
      expect(fs.writeSync(descriptor, Buffer.alloc(8), 0, 8, 0)).toBe(8);
      expect(fs.writeSync(descriptor, Buffer.alloc(8), 0, 8, 8)).toBe(2);
      expect(() => fs.writeSync(descriptor, Buffer.alloc(8), 0, 8, 10)).toThrow("ENOSPC");
      expect(fs.writeSync(descriptor, Buffer.alloc(8), 0, 8, 0)).toBe(8);
      machine.disk.faults.heal();
      expect(fs.writeSync(descriptor, Buffer.alloc(8), 0, 8, 10)).toBe(8);
    });
  });
});

test("a disk that cannot be written refuses every change, and can be read", () => {
  withMachine("read-only", (machine) => {
    const path = join(machine.folder, "file");
    runIn(startProcess(machine), () => {
      replace(path, "old", true);
      machine.disk.faults.isReadOnly = true;
      for (const change of [
        () => fs.openSync(path, "r+"),
        () => fs.rmSync(path),
        () => fs.renameSync(path, `${path}2`),
        () => fs.mkdirSync(`${path}3`),
        () => fs.accessSync(path, fs.constants.W_OK),
      ])
        expect(change).toThrow("EROFS");
      expect(fs.readFileSync(path, "utf8")).toBe("old");
    });
  });
});

test("an inode keeps its number over renames and losses of power; another file has another", () => {
  withMachine("inode", (machine) => {
    const path = join(machine.folder, "file");
    const inode = (): unknown => runIn(startProcess(machine), () => fs.statSync(path)?.ino);
    runIn(startProcess(machine), () => replace(path, "old", true));
    const first = inode();
    losePower(machine);
    expect(inode()).toBe(first);
    runIn(startProcess(machine), () => replace(path, "new", true));
    expect(inode()).not.toBe(first);
  });
});

test("a flipped bit is there for those who read, and after a loss of power", () => {
  const found = outcomes((path, machine) => {
    replace(path, "old", true);
    const flip = machine.disk.flipBit(path);
    expect(flip?.path).toBe(path);
    expect(fs.readFileSync(path, "utf8")).not.toBe("old");
  });
  expect(found.has("old")).toBe(false);
});

test("each loss of power is another boot", () => {
  withMachine("boot", (machine) => {
    const path = "/proc/sys/kernel/random/boot_id";
    const id = (): unknown => runIn(startProcess(machine), () => fs.readFileSync(path, "latin1"));
    const first = id();
    expect(first).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(id()).toBe(first);
    losePower(machine);
    expect(id()).not.toBe(first);
  });
});
