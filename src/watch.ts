import { setTimeout as pauseFor } from "node:timers/promises";
import { asTailraceError } from "../shared/errors.ts";
import { duration, time } from "../shared/human.ts";
import type { Call } from "./command.ts";
import { EXIT_DONE, exitCodeOf } from "./exit-code.ts";
import type { Output } from "./output.ts";
import { wrappedLines } from "./text-table.ts";
import type { Paper } from "./text-table.ts";

/** What one look at a node has shown. */
export interface Look {
  /** As it was served. */
  readonly document: object;
  readonly text: string;
  /** Of a command that ended with this look. */
  readonly exitCode: number;
}

export interface WatchOptions {
  readonly intervalMs: number;
  readonly output: Output;
  /** Ends the watching. */
  readonly signal: AbortSignal;
  readonly look: (signal: AbortSignal) => Promise<Look>;
  /** Unix ms. Default: the clock. */
  readonly nowMs?: () => number;
  /** Default: a timer that the signal ends. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** What stops in time by itself: at most a request that the signal breaks off. */
const STOP_MS = 2_000;

/** The paper that an output is. */
export function paperOf(output: Output): Paper {
  return {
    columns: output.isTerminal ? output.columns() : Infinity,
    style: (format, text) => output.style(format, text),
  };
}

/** Looks once; with `--watch`, again and again until SIGTERM or Ctrl-C. @returns the exit code, of the last look */
export async function lookOrWatch(
  { output, settings, listenForStop }: Call<{ readonly watch?: number | undefined }>,
  look: (signal?: AbortSignal) => Promise<Look>,
): Promise<number> {
  if (settings.watch === undefined) {
    const { document, text, exitCode } = await look();
    output.data(document, text);
    return exitCode;
  }
  const { signal } = listenForStop(STOP_MS);
  return watch({ intervalMs: settings.watch * 1000, output, signal, look });
}

/**
 * Looks again and again until the signal. A node that is away is said, and tried again; what trying again will not change
 * is thrown.
 *
 * @returns the exit code of the last look
 */
export async function watch(options: WatchOptions): Promise<number> {
  const { intervalMs, output, signal, look, nowMs = Date.now, pause = sleep } = options;
  const picture = new Picture(output);
  let exitCode = EXIT_DONE;
  let last = "";
  let awayFor: string | undefined;
  while (!signal.aborted) {
    const startedMs = nowMs();
    try {
      const { document, text, exitCode: code } = await look(signal);
      if (signal.aborted) break;
      if (awayFor !== undefined && !output.isTerminal) output.message("it answers again");
      awayFor = undefined;
      exitCode = code;
      last = text;
      if (output.isTerminal) picture.show(`${headingOf(intervalMs, nowMs())}\n\n${text}`);
      else output.data(document, `${time(nowMs())}\n${text}\n`);
    } catch (error) {
      const known = asTailraceError(error);
      if (signal.aborted) break;
      if (!known.retryable) throw error;
      exitCode = exitCodeOf(known.code);
      if (output.isTerminal) {
        const said = wrappedLines(`${known.code}: `, known.message, paperOf(output));
        const note = last === "" ? "" : `\n\nas it was last:\n\n${last}`;
        const red = said.map((line) => output.style("red", line)).join("\n");
        picture.show(`${headingOf(intervalMs, nowMs())}\n${red}${note}`);
      } else if (awayFor !== known.code) {
        // Once is enough where lines stay.
        output.error(known);
      }
      awayFor = known.code;
    }
    await pause(Math.max(0, startedMs + intervalMs - nowMs()), signal);
  }
  return exitCode;
}

function headingOf(intervalMs: number, nowMs: number): string {
  return `${time(nowMs)}, every ${duration(intervalMs)}; Ctrl-C ends`;
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await pauseFor(ms, undefined, { signal }).catch(() => undefined);
}

/** Lines that stay in their place on a terminal: no more of them than it has, none longer than it is wide. */
class Picture {
  private readonly output: Output;
  private lineCount = 0;

  constructor(output: Output) {
    this.output = output;
  }

  show(text: string): void {
    const lines = text.split("\n");
    const room = Math.max(1, this.output.rows() - 1);
    const hidden = lines.length - room;
    const shown =
      hidden <= 0
        ? lines
        : [...lines.slice(0, room - 1), this.output.style("dim", `… ${hidden + 1} lines more`)];
    const up = this.lineCount === 0 ? "" : `\u001B[${this.lineCount}A`;
    // Without wrapping, the terminal itself cuts what is too long, and one line stays one line.
    const drawn = shown.map((line) => `${line}\u001B[K\n`).join("");
    this.output.raw(`\u001B[?7l${up}${drawn}\u001B[J\u001B[?7h`);
    this.lineCount = shown.length;
  }
}
