import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import type { Command } from "../../src/command.ts";
import { runCommandLine } from "../../src/command-line.ts";
import type { Stream } from "../../src/output.ts";

/*
 * Golden transcripts: what a shell shows of our commands, as text files that read as stories. Each is the sentence that
 * it tells, then per command its line, its exit code, and what it wrote where:
 *
 *   # A replica that nobody knows cannot be forgotten.
 *
 *   $ tailrace forget http://node.test:4800 edge-9
 *   exit 1
 *   --- stderr
 *   error replica_unknown: …
 *
 * `UPDATE_GOLDEN=1 npx vitest run FILE` writes them anew; then read the difference before committing it.
 */

const FOLDER = join(import.meta.dirname, "../golden");
const CLI = join(import.meta.dirname, "../../src/cli.ts");
const IS_UPDATE = (process.env["UPDATE_GOLDEN"] ?? "") !== "";
const PROCESS_LIMIT_MS = 25_000;

/** What one command came to. */
export interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is typed into it; by default it finds an empty input. */
  readonly input?: string;
}

/** Replaces what differs from run to run by a name: [of what, name]. */
export type Naming = readonly [what: string | RegExp, name: string];

/** Of every transcript: free ports, and the time that something took. */
const NAMINGS: readonly Naming[] = [[/(127\.0\.0\.1|localhost):\d{5}\b/g, "$1:PORT"]];

/** The commands of one transcript, as they are run one after another. */
export class Transcript {
  private text: string;
  private readonly namings: readonly Naming[];

  /** @param story one sentence: what is shown */
  constructor(story: string, namings: readonly Naming[] = []) {
    this.text = `# ${story}\n`;
    this.namings = [...namings, ...NAMINGS];
  }

  /** A remark between two commands: what has happened since the last. */
  say(remark: string): void {
    this.text += `\n# ${remark}\n`;
  }

  /**
   * Runs a command within this process: its network can be msw's, and it takes no time to start.
   *
   * @param columns of the terminal that it finds, without colours; by default it finds a pipe
   */
  async run(
    commands: readonly Command[],
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    columns?: number,
  ): Promise<Outcome> {
    if (columns !== undefined) this.say(`On a terminal of ${columns} columns:`);
    const terminal = columns === undefined ? {} : { isTTY: true, columns };
    const texts = { stdout: "", stderr: "" };
    const stream = (name: keyof typeof texts): Stream => ({
      ...terminal,
      write: (more: string | Uint8Array) => {
        texts[name] += String(more);
        return true;
      },
    });
    const streams = { stdout: stream("stdout"), stderr: stream("stderr") };
    const colours = columns === undefined ? {} : { NO_COLOR: "1" };
    const code = await runCommandLine({
      commands,
      words,
      environment: { ...colours, ...environment },
      streams,
    });
    return this.note(words, { code, ...texts }, environment);
  }

  /** Runs the real command line as a process of its own. */
  async spawn(
    words: readonly string[],
    { cwd, env = {}, input = "" }: ProcessOptions = {},
  ): Promise<Outcome> {
    const child = spawn(process.execPath, [CLI, ...words], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...bareEnvironment(), ...env },
      timeout: PROCESS_LIMIT_MS,
    });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (more: string) => (texts[name] += more));
    child.stdin.on("error", () => {}); // It may end without reading.
    child.stdin.end(input);
    const code = await new Promise<number | string>((resolve, reject) => {
      child.on("error", reject).on("close", (number, signal) => resolve(number ?? signal ?? "?"));
    });
    return this.note(words, { code, ...texts }, env);
  }

  /** Takes down what a command came to that was run in another way. */
  note(words: readonly string[], outcome: Outcome, env: Readonly<Record<string, string>> = {}): Outcome {
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    const line = `$ ${settings.join("")}tailrace ${words.map((word) => quoted(word)).join(" ")}`;
    const { code, stdout, stderr } = outcome;
    this.text += `\n${line}\nexit ${code}\n${block("stdout", stdout)}${block("stderr", stderr)}`;
    return outcome;
  }

  /** @param name of the file below test/golden, without `.txt` */
  expectGolden(name: string): void {
    expectGolden(name, named(this.text, this.namings));
  }
}

/** Compares a text with `test/golden/NAME.txt`, or writes it there with UPDATE_GOLDEN=1. */
export function expectGolden(name: string, text: string): void {
  const file = join(FOLDER, `${name}.txt`);
  if (IS_UPDATE) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  expect(text, `test/golden/${name}.txt; if the change is meant: UPDATE_GOLDEN=1 npx vitest run …`).toBe(
    readFileSync(file, "utf8"),
  );
}

function named(text: string, namings: readonly Naming[]): string {
  return namings.reduce((before, [what, name]) => before.replaceAll(what, name), text);
}

/** As little as can be, so that a developer's own TAILRACE_* variables do not show. */
function bareEnvironment(): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return { PATH, NODE_COMPILE_CACHE };
}

function block(name: string, text: string): string {
  if (text === "") return "";
  return `--- ${name}\n${text.endsWith("\n") ? text : `${text}\n--- without a newline at the end\n`}`;
}

function quoted(word: string): string {
  return /^[\w./:=@,%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
