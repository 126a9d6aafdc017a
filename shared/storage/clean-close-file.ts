import { z } from "zod";
import type { Txid } from "../units.ts";

/*
 * clean-close.json says: when Tailrace stopped, the database file was this one, and held the log's last state. As long
 * as the file has not been touched since, all pages need not be compared at the next start. That is told by its inode,
 * size, and times of modification and change to the nanosecond; the last one nobody can set.
 *
 * It is never removed: one that is out of date fits neither the file nor the log any more.
 */
export const CLEAN_CLOSE_FILE = "clean-close.json";
const FORMAT_VERSION = 1;

export interface CleanClose {
  readonly logId: string;
  /** The last one of the log: all up to it is on disk. */
  readonly txid: Txid;
  /** 16 hex digits. */
  readonly databaseChecksum: string;
  /** Which file it was, and when it was touched last. */
  readonly file: string;
}

const schema: z.ZodType<CleanClose & { readonly formatVersion: typeof FORMAT_VERSION }> = z.object({
  formatVersion: z.literal(FORMAT_VERSION),
  logId: z.string(),
  txid: z.int().nonnegative(),
  databaseChecksum: z.string(),
  file: z.string(),
});

/** @returns undefined when the document makes no sense, or is of another version */
export function parseCleanClose(document: unknown): CleanClose | undefined {
  return schema.safeParse(document).data;
}

export function encodeCleanClose(close: CleanClose): Buffer {
  return Buffer.from(`${JSON.stringify({ formatVersion: FORMAT_VERSION, ...close }, null, 2)}\n`);
}
