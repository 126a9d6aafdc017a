import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { Driver } from "./driver.ts";

export const driver: Driver = {
  name: "node:sqlite",

  open(file, { readOnly = false, mustExist = false } = {}) {
    const database = new DatabaseSync(mustExist && !readOnly ? existing(file) : file, { readOnly });
    return {
      handle: database,
      exec: (sql) => database.exec(sql),
      row: (sql) => {
        const row = database.prepare(sql).get();
        return row === undefined ? undefined : Object.values(row);
      },
      close: () => database.close(),
    };
  },

  resultCode(error) {
    const code = (error as { errcode?: unknown } | null)?.errcode;
    return typeof code === "number" ? code & 0xff : undefined;
  },
};

/** The library has no option for it, SQLite's own URIs have (https://www.sqlite.org/uri.html). Read-only ones make nothing. */
function existing(file: string): URL {
  const url = pathToFileURL(file);
  url.searchParams.set("mode", "rw");
  return url;
}
