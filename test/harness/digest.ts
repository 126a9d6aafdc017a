import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

/** What a reader can see of a whole database in one read transaction, in 64 hex digits: schema, and every row of every table. */
export function contentDigest(database: DatabaseSync): string {
  const hash = createHash("sha256");
  database.exec("BEGIN");
  try {
    const schema = database
      .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
      .all();
    hash.update(JSON.stringify(schema));
    for (const { type, name } of schema) {
      if (type !== "table") continue;
      const columns = database.prepare(`SELECT name FROM pragma_table_xinfo('${String(name)}')`).all();
      const quoted = columns.map((column) => `quote("${String(column["name"])}")`).join(" || ',' || ");
      const rows = database.prepare(`SELECT ${quoted} AS line FROM "${String(name)}" ORDER BY 1`);
      for (const row of rows.iterate()) hash.update(`${String(row["line"])}\n`);
    }
  } finally {
    database.exec("COMMIT");
  }
  return hash.digest("hex");
}
