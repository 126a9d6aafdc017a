import { DatabaseSync } from "node:sqlite";
import { TABLES, readContent } from "./content.ts";
import type { Content } from "./content.ts";
import type { Settings } from "./settings.ts";

/** Makes the database with which a run begins, closed in order. @returns its content */
export function makeDatabase(file: string, { pageSize, autoVacuum, accounts }: Settings): Content {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA page_size = ${pageSize}; PRAGMA auto_vacuum = ${autoVacuum}`);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("BEGIN");
  database.exec(TABLES);
  database.exec("INSERT INTO progress VALUES (1, 1)");
  database.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${accounts})
     INSERT INTO account SELECT i, 0, 1, zeroblob(20) FROM n`,
  );
  const content = readContent(database);
  database.exec("COMMIT");
  database.close();
  return content;
}
