import { DatabaseSync } from "node:sqlite";

/** A database of about the size, of random bytes: no part compresses, no two pages are alike. */
export function createLargeDatabase(file: string, sizeBytes: number): void {
  const database = new DatabaseSync(file);
  database.exec(
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE large(id INTEGER PRIMARY KEY, v BLOB)",
  );
  appendRandom(database, sizeBytes);
  database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  database.close();
}

const BLOB_BYTES = 1 << 20;

/** Adds about that many bytes of new pages, one MiB a transaction: nothing for a merge to save. */
export function appendRandom(database: DatabaseSync, sizeBytes: number): void {
  const insert = database.prepare("INSERT INTO large(v) VALUES (randomblob(?))");
  for (let done = 0; done < sizeBytes; done += BLOB_BYTES) insert.run(BLOB_BYTES);
}
