import { execFileSync } from "node:child_process";

/**
 * What is open stays open; nothing can be opened for writing below the folder, or made in it, until the call that it
 * returns. Needs the right to mount.
 */
export function makeReadOnly(folder: string): () => void {
  execFileSync("mount", ["--bind", folder, folder]);
  execFileSync("mount", ["-o", "remount,bind,ro", folder]);
  let isDone = false;
  return () => {
    if (!isDone) execFileSync("umount", ["-l", folder]);
    isDone = true;
  };
}
