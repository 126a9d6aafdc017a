import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TailraceError } from "../../shared/errors.ts";
import type { Notice } from "../../shared/notice.ts";
import { createOutput } from "../output.ts";
import { createNodeLog } from "./node-log.ts";
import { safeForeignText, safeText, withoutCredentials } from "./redact.ts";

/** What must never be seen, each wherever it could come from. */
const SECRETS = ["hunter2", "s3cr3t-token", "4111-1111-1111-1111", "Dear diary", "aGVsbG8gcGFnZQ=="];

/** Both forms of the log, and the events of --json, with everything that was written. */
function everywhere(): {
  log: (act: (log: ReturnType<typeof createNodeLog>) => void) => void;
  written: () => string;
} {
  let written = "";
  const stream = { write: (more: string | Uint8Array) => ((written += String(more)), true) };
  const logs = (["text", "json"] as const).flatMap((format) =>
    [false, true].map((json) =>
      createNodeLog({
        format,
        level: "debug",
        output: createOutput({ json, stdout: stream, stderr: stream, environment: {} }),
        stderr: stream,
      }),
    ),
  );
  return { log: (act) => logs.forEach(act), written: () => written };
}

function expectNoSecret(text: string): void {
  for (const secret of SECRETS) expect(text).not.toContain(secret);
}

const notice = (text: string, fields: Notice["fields"] = {}): Notice => ({
  level: "warn",
  name: "trouble",
  text,
  fields,
});

describe("no secret, no SQL value, no page content", () => {
  test("of a sentence", () => {
    const { log, written } = everywhere();
    log((it) => {
      it.notice(notice("cannot reach http://me:hunter2@node.test:4800/wal"));
      it.notice(notice("cannot reach http://s3cr3t-token@node.test/?token=hunter2&x=1"));
      it.notice(notice("sent authorization: Bearer s3cr3t-token and Basic aGVsbG8gcGFnZQ=="));
      it.notice(notice('sent {"authToken": "s3cr3t-token", "password": "hunter2"}'));
    });
    expect(written()).toContain("http://***@node.test:4800/wal");
    expectNoSecret(written());
  });

  test("of a field, whatever it is called", () => {
    const { log, written } = everywhere();
    const fields = {
      sql: "INSERT INTO cards VALUES ('4111-1111-1111-1111')",
      value: "hunter2",
      text: "Dear diary",
      authorization: "Bearer s3cr3t-token",
      token: "s3cr3t-token",
      page: "aGVsbG8gcGFnZQ==",
      somethingNew: "hunter2",
      url: "http://me:hunter2@node.test/",
      id: "edge-1",
      txid: 7,
    };
    log((it) => it.notice(notice("something", fields)));
    // @ts-expect-error Text under a name that is not listed does not even compile.
    log((it) => it.step("serving", fields, "serving"));
    expect(written()).toContain('"url":"http://***@node.test/"');
    expect(written()).toContain('"id":"edge-1"');
    expect(written()).toContain('"txid":7');
    expect(written()).toContain('"somethingNew":"***"');
    expectNoSecret(written());
  });

  test("and no text that is meant to be seen is masked: whoever makes a notice is held to the listed names", () => {
    const makers = ["src", "primary", "replica", "shared"]
      .flatMap((room) =>
        readdirSync(room, { recursive: true, encoding: "utf8" }).map((file) => join(room, file)),
      )
      .filter((file) => /(?<!\.test)\.ts$/.test(file))
      .filter((file) => /\blevel: "(debug|info|warn|error)"/.test(readFileSync(file, "utf8")));
    // By hand only there, where fields have been checked already; all else goes through notice() in shared/notice.ts.
    expect(makers).toEqual([join("src", "log", "node-log.ts"), join("shared", "notice.ts")]);
  });

  test.each([
    new Error("Unexpected token 'D', \"Dear diary\" is not valid JSON"),
    new Error('near "hunter2": syntax error'),
    new Error("no such column: `s3cr3t-token`"),
    new Error("wrote <Buffer 44 65 61 72> 'Dear diary', it''s hunter2'"),
    new Error("CHECK failed\nINSERT INTO cards VALUES ('4111-1111-1111-1111')"),
    new TailraceError("unreachable", "http://me:hunter2@node.test:1: refused", {
      cause: new Error("hunter2"),
      hint: "Try http://me:hunter2@node.test/.",
    }),
    new TailraceError("internal", "assertion failed: it holds", {
      cause: Object.assign(new Error("s3cr3t-token"), { sql: "Dear diary", parameters: ["hunter2"] }),
    }),
    Object.assign(new Error("constraint failed"), { sql: "Dear diary", parameters: ["hunter2"] }),
    new AggregateError([new Error("hunter2")], "several", { cause: "s3cr3t-token" }),
  ])("of an error: %s", (error) => {
    const { log, written } = everywhere();
    log((it) => {
      it.failure("failed", error);
      it.failure("crashed", error);
    });
    expect(written()).toContain("failed");
    expectNoSecret(written());
  });

  test("of an internal error that comes as a notice from another thread", () => {
    const { log, written } = everywhere();
    const message = 'cannot parse "Dear diary"';
    log((it) => it.notice(notice(`gave up: ${message}`, { code: "internal", message })));
    expectNoSecret(written());
  });
});

test("a URL's credentials are taken out wherever they stand, and nothing else is", () => {
  const part = fc.stringMatching(/^[\w.!$&'()*+,;=:%-]{1,12}$/);
  fc.assert(
    fc.property(part, part, (user, password) => {
      const text = `a http://${user}:${password}@host.test:1/b?c=d e`;
      expect(withoutCredentials(text)).toBe("a http://***@host.test:1/b?c=d e");
    }),
  );
  expect(withoutCredentials("user@example.test wrote http://host.test/a@b")).toBe(
    "user@example.test wrote http://host.test/a@b",
  );
});

test("one line stays one line, and a terminal is left alone", () => {
  expect(safeText("a\nb\u001B[31m")).toBe(String.raw`a\x0ab\x1b[31m`);
  expect(safeText("x".repeat(5_000)).length).toBeLessThan(2_010);
  expect(safeForeignText("ENOENT: no such file or directory, stat '/data/app.db'")).toContain(
    "'/data/app.db'",
  );
  expect(safeForeignText("what cannot be shown isn't much of a loss")).toBe(
    "what cannot be shown isn't much of a loss",
  );
});
