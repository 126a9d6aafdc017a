import type * as fs from "node:fs";
import { dirname } from "node:path";

/** What was done to a name, and is not on the disk before its folder is synced. */
interface Change {
  readonly path: string;
  readonly undo: () => void;
}

let changes: Change[] = [];

/** `node:fs`, for `vi.mock`, that knows of each file which was made, linked or removed without a sync of its folder since. */
export function withUnsyncedNames(real: typeof fs): typeof fs {
  return {
    ...real,
    openSync: (path, flags, mode) => {
      const isNew = !real.existsSync(path);
      const descriptor = real.openSync(path, flags, mode);
      if (isNew) note(path, () => real.rmSync(path, { force: true }));
      return descriptor;
    },
    linkSync: (from, to) => {
      real.linkSync(from, to);
      note(to, () => real.rmSync(to, { force: true }));
    },
    rmSync: (path, options) => {
      const bytes = real.statSync(path, { throwIfNoEntry: false })?.isFile() && real.readFileSync(path);
      real.rmSync(path, options);
      if (bytes) note(path, () => real.writeFileSync(path, bytes));
    },
    fsyncSync: (descriptor) => {
      real.fsyncSync(descriptor);
      const synced = real.readlinkSync(`/proc/self/fd/${descriptor}`);
      changes = changes.filter(({ path }) => dirname(path) !== synced);
    },
  };
}

function note(path: fs.PathLike, undo: () => void): void {
  changes.push({ path: String(path), undo });
}

/** The power goes. @param isLost of what was not synced, by its path: a disk may lose any part */
export function loseNames(isLost: (path: string) => boolean = () => true): void {
  const lost = changes.filter(({ path }) => isLost(path));
  changes = [];
  for (const { undo } of lost.toReversed()) undo();
}
