import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What is open stays open; nothing can be opened for writing below the folder, or made in it, until the call that it
 * returns. Needs the right to mount.
 */
export function makeReadOnly(folder: string): () => void {
  // A mount over the folder itself would be busy, and stay writable, if a node opened a file there at this moment.
  const aside = mkdtempSync(join(tmpdir(), "tailrace-read-only-"));
  execFileSync("mount", ["--bind", folder, aside]);
  execFileSync("mount", ["-o", "remount,bind,ro", aside]);
  execFileSync("mount", ["--bind", aside, folder]);
  execFileSync("umount", [aside]);
  rmdirSync(aside);
  let isDone = false;
  return () => {
    if (!isDone) execFileSync("umount", ["-l", folder]);
    isDone = true;
  };
}
