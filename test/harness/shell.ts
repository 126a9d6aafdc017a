import { execFileSync } from "node:child_process";

/** Runs SQL in the sqlite3 shell: another process, another library. */
export function shell(file: string, sql: string): string {
  return execFileSync("sqlite3", ["-batch", "-cmd", ".timeout 10000", file, sql], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}

/** The step that a database has reached; -1 where there is none. */
export function stepOf(file: string): number {
  return Number(shell(`file:${file}?mode=ro`, "SELECT coalesce((SELECT min(n) FROM spread), -1)"));
}

/** Moves the WAL into the file, now that no Tailrace process has it open, and compares. @throws where they differ */
export function assertSameBytes(primaryFile: string, replicaFile: string): void {
  for (const file of [primaryFile, replicaFile]) shell(file, "PRAGMA wal_checkpoint(TRUNCATE)");
  execFileSync("cmp", [primaryFile, replicaFile]);
}
