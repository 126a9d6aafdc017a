import { readFileSync, readdirSync, statSync } from "node:fs";
import { TailraceError } from "../shared/errors.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";

/*
 * One SQLite library per process and file. Two copies of SQLite in one process do not see each other's POSIX locks
 * (the kernel grants a process any lock that it holds already), so a checkpoint by one can destroy what the other is
 * reading. docs/attaching.md tells the user; this module refuses where it can tell.
 */

interface FileClaim {
  readonly driver: DriverName;
  /** Open handles; at 0 the file is free for another driver. */
  handles: number;
}

const KEY = Symbol.for("tailrace.files-by-inode");

/** On globalThis, so that two copies of this package in one process see each other. */
function claims(): Map<string, FileClaim> {
  const globals = globalThis as { [KEY]?: Map<string, FileClaim> };
  return (globals[KEY] ??= new Map());
}

/**
 * Claims a database file for a driver in this process. Call it before the driver opens the file; a file that does not
 * exist yet is claimed by calling again once it does.
 *
 * @returns gives the claim back
 * @throws driver_conflict
 */
export function claimFile(file: string, driver: DriverName): () => void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return () => undefined;
  const identity = `${stat.dev}:${stat.ino}`;
  const known = claims().get(identity);
  if (known === undefined) refuseForeignHolder(file, identity, driver);
  if (known !== undefined && known.handles > 0 && known.driver !== driver)
    throw conflict(file, driver, known.driver);

  // A claim stays in the map when its last handle goes: Tailrace keeps a descriptor of the file for the life of the
  // process (held-files.ts), which must not be mistaken for somebody else's.
  const claim = known?.driver === driver ? known : { driver, handles: 0 };
  claims().set(identity, claim);
  claim.handles++;
  let isReleased = false;
  return () => {
    if (!isReleased) claim.handles--;
    isReleased = true;
  };
}

/**
 * On Linux a process can see its own descriptors and the libraries it has loaded. If the file is open already and the
 * other library is there while ours has not been loaded yet, it is the other library that has it open.
 */
function refuseForeignHolder(file: string, identity: string, driver: DriverName): void {
  if (!isOpenInThisProcess(identity)) return;
  const other: DriverName = driver === "node:sqlite" ? "better-sqlite3" : "node:sqlite";
  if (isLoaded(other) && !isLoaded(driver)) throw conflict(file, driver, other);
}

function isOpenInThisProcess(identity: string): boolean {
  try {
    return readdirSync("/proc/self/fd").some((descriptor) => {
      // Following the link is a stat, not an open: no lock is touched.
      const stat = statSync(`/proc/self/fd/${descriptor}`, { throwIfNoEntry: false });
      return stat !== undefined && `${stat.dev}:${stat.ino}` === identity;
    });
  } catch {
    return false; // No /proc: it cannot be told.
  }
}

function isLoaded(driver: DriverName): boolean {
  // Compiled on the spot it is better_sqlite3.node, prebuilt it is better-sqlite3/prebuilds/linux-x64.node.
  if (driver === "better-sqlite3")
    return /better_sqlite3\.node|\/better-sqlite3\/.*\.node/.test(readFileSync("/proc/self/maps", "utf8"));
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  return moduleLoadList?.includes("NativeModule sqlite") ?? false;
}

function conflict(file: string, wanted: DriverName, present: DriverName): TailraceError {
  return new TailraceError(
    "driver_conflict",
    `${file} is open through ${present} in this process, so it cannot be opened through ${wanted}`,
    { hint: `Pass driver: "${present}", or let another process read the file. docs/attaching.md says why.` },
  );
}
