import { closeSync, mkdirSync, openSync, readSync, readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { TailraceError, asTailraceError } from "./errors.ts";

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("a foreign error", () => {
  test.each(["ENOSPC", "EMFILE", "EROFS", "ERR_WORKER_INIT_FAILED", "SQLITE_FULL", "SQLITE_IOERR_WRITE"])(
    "%s is a shortage: it passes, and there is a hint",
    (code) => {
      const error = Object.assign(new Error("so it is"), { code });
      expect(asTailraceError(error)).toMatchObject({
        code: "storage_failed",
        message: "so it is",
        retryable: true,
        hint: expect.stringMatching(/free|limit|file system/i),
        cause: error,
      });
    },
  );

  test("what the system has against a path is no bug, and does not pass: whoever may has to do something", () => {
    for (const work of [
      () => readdirSync("/nowhere/at/all"),
      () => mkdirSync("/nowhere/at/all"),
      () => openSync(`${import.meta.filename}/x`, "r"),
    ])
      expect(asTailraceError(thrownBy(work))).toMatchObject({
        code: "storage_failed",
        message: expect.stringContaining("/"),
        retryable: false,
        hint: expect.any(String),
      });
  });

  test("SQLite that cannot open a file lacks something", () => {
    const error = thrownBy(() => new DatabaseSync("/nowhere/at/all.db"));
    expect(asTailraceError(error)).toMatchObject({ code: "storage_failed", retryable: true });
  });

  test("anything else is a bug: it does not pass", () => {
    const database = new DatabaseSync(":memory:");
    for (const value of [
      new TypeError("x"),
      "text",
      null,
      undefined,
      thrownBy(() => database.exec("nonsense")),
      thrownBy(() => database.exec("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1), (1)")),
      thrownBy(() => closeSync(1 << 20)),
      thrownBy(() => readSync(0, "" as unknown as Buffer)),
      thrownBy(() => Buffer.alloc(1).readUInt32LE(9)),
      // SQLite by its numbers: misuse, corrupt, no database, and an error of its own.
      ...[21, 11, 26, 1].map((errcode) =>
        Object.assign(new Error("x"), { code: "ERR_SQLITE_ERROR", errcode }),
      ),
      // Words that only look like one.
      ...["ENOSPC2", "SQLITE_FULLNESS", "SQLITE_MISUSE", "ERR_OUT_OF_RANGE"].map((code) =>
        Object.assign(new Error("x"), { code }),
      ),
      { code: 28 },
    ])
      expect(asTailraceError(value)).toMatchObject({ code: "internal", retryable: false });
    database.close();
  });

  test("one of ours stays what it is", () => {
    const error = new TailraceError("damaged", "so it is");
    expect(asTailraceError(error)).toBe(error);
  });
});
