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

test("an error of Tailrace stays what it is", () => {
  const damaged = new TailraceError("damaged", "so it is");
  expect(storageError("read", "/x", damaged)).toBe(damaged);
});
