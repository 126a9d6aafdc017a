import type { Random } from "../core/random.ts";
import { Image } from "./image.ts";
import { SECTOR_BYTES } from "./write-log.ts";

/** Database and WAL, as bytes. */
export interface DatabaseBytes {
  readonly database: Buffer;
  readonly wal: Buffer;
}

interface Step {
  readonly into: keyof DatabaseBytes;
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * What a kill within a call of SQLite leaves: the first part of what the call would have written. Frames go into the WAL
 * from its beginning to its end, then pages into the database; only after them is a WAL emptied.
 */
export function midway(before: DatabaseBytes, after: DatabaseBytes, random: Random): DatabaseBytes {
  const steps: Step[] = [
    ...(after.wal.length === 0 ? [] : differences("wal", before, after)),
    ...differences("database", before, after),
  ];
  const files = { wal: new Image(before.wal), database: new Image(before.database) };
  for (const { into, offset, bytes } of steps.slice(0, random.int(steps.length + 1)))
    files[into].write(offset, bytes);
  return { wal: files.wal.bytes, database: files.database.bytes };
}

function* differences(into: Step["into"], before: DatabaseBytes, after: DatabaseBytes): Generator<Step> {
  const [old, present] = [before[into], after[into]];
  for (let offset = 0; offset < present.length; offset += SECTOR_BYTES) {
    const bytes = present.subarray(offset, offset + SECTOR_BYTES);
    if (!bytes.equals(old.subarray(offset, offset + bytes.length))) yield { into, offset, bytes };
  }
}
