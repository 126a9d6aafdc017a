import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TailraceError } from "../../shared/errors.ts";
import type { Notice } from "../../shared/notice.ts";
import { createOutput } from "../output.ts";
import type { LogFormat, LogLevel } from "./level.ts";
import { createNodeLog } from "./node-log.ts";
import type { NodeLog } from "./node-log.ts";

const NOW_MS = 1_795_231_694_000;
beforeEach(() => vi.useFakeTimers({ now: NOW_MS }));
afterEach(() => vi.useRealTimers());

function logging({
  format = "text",
  level = "info",
  json = false,
}: { format?: LogFormat; level?: LogLevel; json?: boolean } = {}): {
  log: NodeLog;
  stdout: () => string;
  stderr: () => string;
} {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof texts) => ({
    write: (more: string | Uint8Array) => ((texts[name] += String(more)), true),
  });
  const streams = { stdout: stream("stdout"), stderr: stream("stderr") };
  const output = createOutput({ json, ...streams, environment: {} });
  const log = createNodeLog({ format, level, output, stderr: streams.stderr });
  return { log, stdout: () => texts.stdout, stderr: () => texts.stderr };
}

const lost: Notice = {
  level: "warn",
  name: "replica_lost",
  text: "replica edge-1 was lost",
  fields: { id: "edge-1", bytesUntilLost: null, timesLost: 1 },
};
const trimmed: Notice = {
  level: "debug",
  name: "log_trimmed",
  text: "2 segments went",
  fields: { segments: 2 },
};
const parsed = (text: string): unknown[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

test("for people: sentences on stderr, trouble marked as such", () => {
  const { log, stdout, stderr } = logging();
  log.step("serving", { url: "http://127.0.0.1:4800" }, "serving app.db");
  log.notice(lost);
  log.notice(trimmed);
  log.failure(
    "failed",
    new TailraceError("damaged", "segment 3 is damaged", { hint: "See tailrace check." }),
  );
  expect(stderr()).toBe(
    "serving app.db\nwarning: replica edge-1 was lost\nerror damaged: segment 3 is damaged\n  See tailrace check.\n",
  );
  expect(stdout()).toBe("");
});

test("for people: what to do stands below what is wrong", () => {
  const { log, stderr } = logging();
  const fields = { code: "storage_failed", hint: "Make room." };
  log.notice({ level: "warn", name: "capture_trouble", text: "the disk is full", fields });
  log.notice({ level: "warn", name: "another", text: "nothing helps", fields: { hint: null } });
  expect(stderr()).toBe("warning: the disk is full\n  Make room.\nwarning: nothing helps\n");
});

test("for machines: one JSON object a line on stderr", () => {
  const { log, stdout, stderr } = logging({ format: "json" });
  log.notice(lost);
  log.failure(
    "failed",
    new TailraceError("damaged", "segment 3 is damaged", { hint: "See tailrace check." }),
  );
  expect(parsed(stderr())).toEqual([
    {
      level: "warn",
      time: NOW_MS,
      name: "replica_lost",
      fields: { id: "edge-1", bytesUntilLost: null, timesLost: 1 },
      msg: "replica edge-1 was lost",
    },
    {
      level: "error",
      time: NOW_MS,
      name: "failed",
      fields: {
        code: "damaged",
        message: "segment 3 is damaged",
        hint: "See tailrace check.",
        retryable: false,
      },
      msg: "segment 3 is damaged",
    },
  ]);
  expect(stdout()).toBe("");
});

test("for programs: events on stdout; the steps of the process's life at any level", () => {
  const { log, stdout, stderr } = logging({ json: true, level: "silent" });
  log.step("serving", { role: "primary" }, "serving app.db");
  log.notice(lost);
  log.setLevel("warn");
  log.notice(lost);
  expect(parsed(stdout())).toEqual([
    { event: "serving", role: "primary" },
    { event: "replica_lost", level: "warn", text: "replica edge-1 was lost", ...lost.fields },
  ]);
  expect(stderr()).toBe("");
});

test.each([
  ["debug", ["log_trimmed", "message", "replica_lost", "failed"]],
  ["info", ["message", "replica_lost", "failed"]],
  ["warn", ["replica_lost", "failed"]],
  ["error", ["failed"]],
  ["silent", []],
] as const)("at level %s: %j", (level, names) => {
  const { log, stderr } = logging({ format: "json", level });
  log.notice(trimmed);
  log.notice({ level: "info", name: "message", text: "a new log begins", fields: {} });
  log.notice(lost);
  log.failure("failed", new TailraceError("damaged", "it is"));
  const found = stderr() === "" ? [] : parsed(stderr());
  expect(found.map((line) => (line as { name: string }).name)).toEqual(names);
});

test("who has done something is answered, at any level but silent, and as often as it is done", () => {
  const { log, stderr } = logging({ level: "error" });
  const answer: Notice = { level: "info", name: "configuration_reloaded", text: "taken over", fields: {} };
  log.answer(answer);
  log.answer({ ...answer, level: "warn" });
  log.answer({ ...answer, level: "warn" });
  log.setLevel("silent");
  log.answer(answer);
  expect(stderr()).toBe("taken over\nwarning: taken over\nwarning: taken over\n");
});

test("a bug is told with the place where it was", () => {
  const { log, stderr } = logging({ format: "json" });
  log.failure("crashed", new TypeError("x is not a function"));
  const [line] = parsed(stderr()) as [{ name: string; fields: { code: string; stack: string[] } }];
  expect(line).toMatchObject({ name: "crashed", fields: { code: "internal" } });
  expect(line.fields.stack[0]).toMatch(/^at .*node-log\.test\.ts:\d+/);
});

test("what repeats is summed up when its minute is over, or at the end", () => {
  const { log, stderr } = logging();
  const away: Notice = { ...lost, name: "replica_inactive", text: "replica edge-1 is away" };
  for (let n = 0; n < 1_000; n++) log.notice(away);
  vi.advanceTimersByTime(60_000);
  for (let n = 0; n < 5; n++) log.notice(away);
  log.close();
  expect(stderr()).toBe(
    "warning: replica edge-1 is away\n" +
      "warning: replica edge-1 is away (999 × since it was last logged)\n" +
      "warning: replica edge-1 is away (5 × since it was last logged)\n",
  );
});
