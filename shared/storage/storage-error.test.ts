import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TailraceError } from "../errors.ts";
import { onStorage, storageError } from "./storage-error.ts";

test("an error of the system becomes storage_failed, with what was tried, on which path, and the cause", () => {
  expect(() => onStorage("read", "/nowhere", () => readFileSync("/nowhere"))).toThrow(
    expect.objectContaining({
      code: "storage_failed",
      message: expect.stringMatching(/cannot read \/nowhere: .*ENOENT/),
      retryable: false,
      cause: expect.objectContaining({ code: "ENOENT" }),
    }),
  );
});

test("a full disk can be tried again, and the hint says what helps", () => {
  const error = storageError("write", "/x", Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }));
  expect(error.retryable).toBe(true);
  expect(error.hint).toMatch(/space/);
});

test.each(["EMFILE", "ENFILE", "EROFS", "EDQUOT"])(
  "%s passes without a restart, and the hint says what helps",
  (code) => {
    const error = storageError("write", "/x", Object.assign(new Error(code), { code }));
    expect(error).toMatchObject({ retryable: true, hint: expect.stringMatching(/limit|quota|writable/) });
  },
);

test("an error of Tailrace stays what it is", () => {
  const damaged = new TailraceError("damaged", "so it is");
  expect(storageError("read", "/x", damaged)).toBe(damaged);
});
