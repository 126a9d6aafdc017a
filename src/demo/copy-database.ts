import { existsSync } from "node:fs";
import { constants, copyFile, open } from "node:fs/promises";
import { DatabaseSync, backup } from "node:sqlite";
import { TailraceError, asTailraceError } from "../../shared/errors.ts";

/** Where the header says whether the database is in WAL mode: 2 for WAL, 1 for a rollback journal. */
const WRITE_VERSION_OFFSET = 18;

/**
 * Copies the user's database as it is now, whoever has it open, and leaves nothing behind at the original.
 *
 * @throws invalid_configuration when there is no such file; not_a_database
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  if (!existsSync(from)) {
    throw new TailraceError("invalid_configuration", `--database is ${JSON.stringify(from)}: no such file`, {
      hint: "Give an SQLite database; the demo works on a copy of it.",
    });
  }
  try {
    if (await isQuietWalDatabase(from)) return await copyFile(from, to, constants.COPYFILE_FICLONE);
    const database = new DatabaseSync(from, { readOnly: true });
    try {
      await backup(database, to);
    } finally {
      database.close();
    }
  } catch (cause) {
    const code = (cause as { errcode?: number }).errcode;
    if (code === 26) {
      throw new TailraceError("not_a_database", `${from} is not an SQLite database, or it is encrypted`, {
        cause,
      });
    }
    throw new TailraceError("storage_failed", `${from} cannot be copied: ${asTailraceError(cause).message}`, {
      cause,
      hint: "Nothing was changed at the original.",
    });
  }
}

/**
 * A database in WAL mode that nobody has open has no `-wal` beside it: then the file is all there is. Opening it, even
 * for reading, would leave an empty `-wal` and `-shm` there.
 */
async function isQuietWalDatabase(file: string): Promise<boolean> {
  if (existsSync(`${file}-wal`)) return false;
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(100), 0, 100, 0);
  return (
    bytesRead === 100 &&
    buffer.toString("latin1", 0, 15) === "SQLite format 3" &&
    buffer[WRITE_VERSION_OFFSET] === 2
  );
}
