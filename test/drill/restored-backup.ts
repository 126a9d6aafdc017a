import { existsSync, renameSync, rmSync } from "node:fs";
import type { Cluster } from "./cluster.ts";

/** As docs/operations.md has it: the old files go away, the backup to their place. No writer runs. */
export function putInPlace({ primary: { file }, ledger }: Cluster): void {
  for (const end of ["", "-wal", "-shm"]) {
    rmSync(`${file}.old${end}`, { force: true });
    if (existsSync(file + end)) renameSync(file + end, `${file}.old${end}`);
  }
  ledger.takeBackTo(`${file}.backup`);
  // Left by whoever looked into it.
  for (const end of ["-wal", "-shm"]) rmSync(`${file}.backup${end}`, { force: true });
  renameSync(`${file}.backup`, file);
}
