import { accessSync, constants, statfsSync } from "node:fs";
import { join, relative } from "node:path";
import { expect } from "vitest";

/*
 * Before each file of tests: those beside the code get their temporary folders in memory, where fsync and small files
 * cost nothing: they try thousands of damaged files, and neither they nor a kill -9 can tell a disk's cache from memory.
 * Those in test/, which do what users do, stay on the disk. TMPDIR, where it is set, is obeyed.
 */
const MEMORY = "/dev/shm";
/** Containers often give no more than 64 MiB. */
const ENOUGH_BYTES = 4 * 1024 ** 3;

const file = relative(join(import.meta.dirname, "../.."), expect.getState().testPath ?? "");
if (process.env["TMPDIR"] === undefined && !file.startsWith("test/") && isRoomy())
  process.env["TMPDIR"] = MEMORY;

function isRoomy(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ENOUGH_BYTES;
  } catch {
    return false;
  }
}
