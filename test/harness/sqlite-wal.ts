import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { alignedBuffer } from "../../shared/format/wal.ts";

/** Files that Python's SQLite wrote, copied while its connection was open and a transaction was under way. */
export interface RealWal {
  readonly wal: Buffer;
  readonly shm: Buffer;
  readonly databasePageCount: number;
}

const program = fileURLToPath(new URL("../programs/write-wal.py", import.meta.url));

/** @param rows each takes about a page */
export function writeRealWal(
  folder: string,
  pageSizeBytes: number,
  rows: number,
  order: "little" | "big" = "little",
): RealWal {
  const line = execFileSync("python3", [program, folder, String(pageSizeBytes), String(rows), order], {
    encoding: "utf8",
  });
  const { pageCount } = JSON.parse(line) as { pageCount: number };
  return {
    wal: aligned(readFileSync(join(folder, "copy-wal"))),
    shm: readFileSync(join(folder, "copy-shm")),
    databasePageCount: pageCount,
  };
}

function aligned(bytes: Buffer): Buffer {
  const copy = alignedBuffer(bytes.length);
  bytes.copy(copy);
  return copy;
}
