import { describe, expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import { createOutput } from "./output.ts";
import { watch } from "./watch.ts";
import type { Look } from "./watch.ts";

/*
 * Watching in simulated time: a pause ends at once, and the last one asks to stop.
 */

const START_MS = 1_795_226_911_000;
const UP = (lines: number): string => `^[${lines}A`;

interface Watched {
  readonly exitCode: number;
  /** With ^ for the escape character. */
  readonly stdout: string;
  readonly stderr: string;
  readonly pausesMs: readonly number[];
}

/** Looks once for each step, and is then told to stop. */
async function watched(
  steps: readonly (() => Look)[],
  terminal: { isTTY?: boolean; columns?: number; rows?: number; json?: boolean } = {},
): Promise<Watched> {
  const text = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    ...terminal,
    write: (more: string | Uint8Array) => {
      text[name] += String(more);
      return true;
    },
  });
  const streams = { stdout: stream("stdout"), stderr: stream("stderr") };
  const output = createOutput({ json: terminal.json ?? false, ...streams, environment: { NO_COLOR: "1" } });
  const stop = new AbortController();
  const pausesMs: number[] = [];
  let nowMs = START_MS;
  let step = 0;
  const exitCode = await watch({
    intervalMs: 1_000,
    output,
    signal: stop.signal,
    nowMs: () => nowMs,
    look: async () => {
      nowMs += 30;
      return steps[step++]!();
    },
    pause: async (ms) => {
      pausesMs.push(ms);
      nowMs += ms;
      if (step === steps.length) stop.abort();
    },
  });
  return { exitCode, stdout: text.stdout.replaceAll("\u001B", "^"), stderr: text.stderr, pausesMs };
}

const seen =
  (text: string, exitCode = 0): (() => Look) =>
  () => ({ document: { text }, text, exitCode });
const away =
  (code: "unreachable" | "not_tailrace" = "unreachable") =>
  (): Look => {
    throw new TailraceError(code, "nobody is there", { retryable: code === "unreachable" });
  };

describe("in a pipe", () => {
  test("each look is a block with its time, and looks begin an interval apart", async () => {
    const { stdout, pausesMs, exitCode } = await watched([seen("one\nline more"), seen("two", 3)]);
    expect(stdout).toBe("2026-11-21 02:08:31 UTC\none\nline more\n\n2026-11-21 02:08:32 UTC\ntwo\n\n");
    expect(pausesMs).toEqual([970, 970]);
    expect(exitCode).toBe(3);
  });

  test("with --json each look is one line", async () => {
    const { stdout } = await watched([seen("one"), seen("two")], { json: true });
    expect(stdout).toBe('{"text":"one"}\n{"text":"two"}\n');
  });

  test("a node that goes away is said once, and that it is back", async () => {
    const steps = [seen("one"), away(), away(), seen("two")];
    const { stdout, stderr, exitCode } = await watched(steps);
    expect(stderr).toBe("error unreachable: nobody is there\nit answers again\n");
    expect(stdout.match(/one|two/g)).toEqual(["one", "two"]);
    expect(exitCode).toBe(0);
  });

  test("the exit code is that of the last look", async () => {
    expect((await watched([seen("one"), away()])).exitCode).toBe(1);
  });

  test("what trying again does not change ends it", async () => {
    await expect(watched([seen("one"), away("not_tailrace"), seen("two")])).rejects.toMatchObject({
      code: "not_tailrace",
    });
  });
});

describe("on a terminal", () => {
  const terminal = { isTTY: true, columns: 40, rows: 6 };

  test("the picture is drawn over the last one, whichever is longer", async () => {
    const { stdout } = await watched([seen("one\nmore"), seen("two"), seen("three\nmore")], terminal);
    // Heading, an empty line, and the text.
    expect(stdout.split("^[?7l").map((frame) => /^\^\[\d+A/.exec(frame)?.[0])).toEqual([
      undefined,
      undefined,
      UP(4),
      UP(3),
    ]);
    // Every line clears what is right of it, every picture what is below it.
    expect(stdout.match(/\^\[K\n/g)).toHaveLength(4 + 3 + 4);
    expect(stdout.endsWith("more^[K\n^[J^[?7h")).toBe(true);
  });

  test("a picture that is too long for the terminal says so, and never scrolls", async () => {
    const long = Array.from({ length: 20 }, (_, index) => `line ${index}`).join("\n");
    const { stdout } = await watched([seen(long), seen("short")], terminal);
    expect(stdout).toContain("line 1^[K\n… 18 lines more^[K\n");
    expect(stdout).not.toContain("line 2^");
    expect(stdout).toContain(UP(5));
  });

  test("a node that is away is said above the last picture", async () => {
    const { stdout, stderr } = await watched([seen("one"), away()], { ...terminal, rows: 24 });
    const last = stdout.split("^[?7l").at(-1);
    expect(last).toContain("unreachable: nobody is there^[K\n");
    expect(last).toContain("as it was last:^[K\n^[K\none^[K\n");
    expect(stderr).toBe("");
  });
});
