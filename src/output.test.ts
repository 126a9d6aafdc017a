import { describe, expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import { createOutput } from "./output.ts";
import type { Output } from "./output.ts";

function capture(options: { json?: boolean; isTTY?: boolean; environment?: NodeJS.ProcessEnv } = {}): {
  output: Output;
  text: { stdout: string; stderr: string };
} {
  const text = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: options.isTTY ?? false,
    write: (more: string | Uint8Array) => {
      text[name] += String(more);
      return true;
    },
  });
  const output = createOutput({
    json: options.json ?? false,
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    environment: options.environment ?? {},
  });
  return { output, text };
}

const wrong = new TailraceError("port" as never, "port is 0", { hint: "Give another." });

describe("what is written where", () => {
  test("data goes to stdout, messages and errors go to stderr", () => {
    const { output, text } = capture();
    output.data({ txid: 1 }, "txid 1");
    output.message("working");
    output.event("serving", { url: "http://…" }, "serving at http://…");
    output.error(wrong);
    expect(text.stdout).toBe("txid 1\n");
    expect(text.stderr).toBe("working\nserving at http://…\nerror port: port is 0\n  Give another.\n");
  });

  test("with --json every line of stdout is a document, and an error is one too", () => {
    const { output, text } = capture({ json: true });
    output.data({ txid: 1 }, "txid 1");
    output.event("serving", { url: "http://…" }, "serving at http://…");
    output.error(wrong);
    expect(
      text.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([{ txid: 1 }, { event: "serving", url: "http://…" }]);
    expect(JSON.parse(text.stderr)).toEqual({
      error: { code: "port", message: "port is 0", hint: "Give another.", retryable: false },
    });
  });

  test("what a terminal acts on is escaped in JSON too, and is there for whoever reads it", () => {
    const odd = "a\u007F\u009B31m\u202E\u2028\u{E0041}\u001B[2J\n";
    const { output, text } = capture({ json: true });
    output.data({ [odd]: odd }, "");
    output.event("said", { odd }, "");
    expect(text.stdout).toMatch(/^[ -~\n]*$/);
    expect(JSON.parse(text.stdout.split("\n")[0]!)).toEqual({ [odd]: odd });
  });

  test("no password of a URL is told, to people or programs", () => {
    const error = new TailraceError("unreachable", "http://me:hunter2@node.test:4800 cannot be reached");
    for (const json of [false, true]) {
      const { output, text } = capture({ json });
      output.error(error);
      output.message("asking http://me:hunter2@node.test:4800");
      expect(text.stderr).toContain("http://***@node.test:4800 cannot be reached");
      expect(text.stderr).not.toContain("hunter2");
    }
  });

  test("colours are for terminals without NO_COLOR", () => {
    const bold = "\u001B[1mtext\u001B[22m";
    expect(capture({ isTTY: true }).output.style("bold", "text")).toBe(bold);
    expect(capture({ isTTY: true, environment: { NO_COLOR: "" } }).output.style("bold", "text")).toBe(bold);
    expect(capture({ isTTY: true, environment: { NO_COLOR: "1" } }).output.style("bold", "text")).toBe(
      "text",
    );
    expect(capture().output.style("bold", "text")).toBe("text");
  });
});
