import { DatabaseSync } from "node:sqlite";
import type { Driver } from "./driver.ts";

export const driver: Driver = {
  name: "node:sqlite",

  open(file, { readOnly = false } = {}) {
    const database = new DatabaseSync(file, { readOnly });
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
