import { join } from "node:path";
import { expect, test } from "vitest";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { openUserConnection } from "./user-connection.ts";

test("what SQLite cannot open is said as an error of Tailrace", () => {
  const file = join(temporaryFolder(), "no such folder", "app.db");
  expect(() => openUserConnection(driver, file, { readOnly: false })).toThrow(
    expect.objectContaining({ code: "storage_failed", retryable: true }),
  );
});
