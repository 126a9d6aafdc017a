import pino from "pino";
import { TailraceError } from "../../shared/errors.ts";
import type { Notice, ShownFields } from "../../shared/notice.ts";
import type { Output, Stream } from "../output.ts";
import { isLogged } from "./level.ts";
import type { LogFormat, LogLevel } from "./level.ts";
import { REDACTED, SECRET_FIELDS, safeError, safeNotice } from "./redact.ts";
import { RepeatLimit } from "./repeat-limit.ts";

/**
 * What a serving node tells: the notices of its engine and of the process itself, through one place.
 *
 * On stderr is the log, as sentences for people or as JSON lines (`level`, `time` in Unix ms, `name`, `fields`, `msg`;
 * neither process id nor host: whatever collects the lines knows both). With `--json`, programs find the same as events
 * on stdout instead of the sentences.
 */
export interface NodeLog {
  notice(notice: Notice): void;
  /** Tells what has come of something that an operator has just done: at any level but silent, however often. */
  answer(notice: Notice): void;
  /** A step in the life of the process (serving, ready, stopping, stopped): with `--json` on stdout at any level. */
  step<Fields extends Notice["fields"]>(
    name: string,
    fields: Fields & ShownFields<Fields>,
    text: string,
  ): void;
  /** What has ended the node. Its causes are not shown: they may hold anything. */
  failure(name: "failed" | "crashed", error: unknown): void;
  setLevel(level: LogLevel): void;
  /** Tells what was held back as repetition. */
  close(): void;
}

export interface NodeLogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly output: Output;
  /** Default: the process's own, written synchronously, so that nothing is lost at its end. */
  readonly stderr?: Stream;
  /** Unix ms. */
  readonly clock?: () => number;
}

export function createNodeLog({
  format,
  level: initialLevel,
  output,
  stderr,
  clock = Date.now,
}: NodeLogOptions): NodeLog {
  const lines = format === "json" ? jsonLines(stderr, clock) : undefined;
  const limit = new RepeatLimit();
  let level = initialLevel;
  let timer: NodeJS.Timeout | undefined;

  const write = (notice: Notice, isStep: boolean, isShown = isLogged(notice.level, level)): void => {
    if (isShown && lines !== undefined)
      lines[notice.level]({ name: notice.name, fields: notice.fields }, notice.text);
    if (output.isJson && isStep) output.event(notice.name, notice.fields, notice.text);
    if (output.isJson && isShown && !isStep)
      output.event(notice.name, { level: notice.level, text: notice.text, ...notice.fields }, notice.text);
    if (!isShown || lines !== undefined || output.isJson) return;
    output.message(`${PREFIX[notice.level]}${notice.text}`);
    const { hint = null } = notice.fields;
    if (hint !== null) output.message(`  ${hint}`);
  };
  const tell = (notices: readonly Notice[]): void => {
    for (const notice of notices) write(notice, false);
  };
  const wakeWhenDue = (): void => {
    const nextMs = limit.nextDueMs(clock());
    if (timer !== undefined || nextMs === undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      tell(limit.due(clock()));
      wakeWhenDue();
    }, nextMs).unref();
  };

  return {
    notice: (notice) => {
      // What nobody sees has not been told either: a repetition of it is none.
      if (!isLogged(notice.level, level)) return;
      tell(limit.admit(safeNotice(notice), clock()));
      wakeWhenDue();
    },
    answer: (notice) => write(safeNotice(notice), false, level !== "silent"),
    step: (name, fields, text) => write(safeNotice({ level: "info", name, text, fields }), true),
    failure: (name, error) => {
      const { stack, ...safe } = safeError(error);
      const { code, message, hint, retryable } = safe;
      if (lines === undefined) {
        const shown = new TailraceError(code, message, {
          retryable,
          ...(hint === undefined ? {} : { hint }),
        });
        shown.stack = stack.map((frame) => `  ${frame}`).join("\n");
        if (name === "crashed" && !output.isJson)
          output.message("crashed: a bug in Tailrace ends this process");
        output.error(shown);
      } else if (isLogged("error", level)) {
        lines.error({ name, fields: { ...safe, ...(stack.length === 0 ? {} : { stack }) } }, message);
      }
    },
    setLevel: (next) => (level = next),
    close: () => {
      clearTimeout(timer);
      tell(limit.flush());
    },
  };
}

const PREFIX: Readonly<Record<Notice["level"], string>> = {
  debug: "",
  info: "",
  warn: "warning: ",
  error: "error: ",
};

type Lines = Pick<pino.Logger, Notice["level"]>;

function jsonLines(stderr: Stream | undefined, clock: () => number): Lines {
  return pino(
    {
      // The threshold is kept above: events on stdout go by it too.
      level: "debug",
      base: null,
      timestamp: () => `,"time":${clock()}`,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((name) => [name, `fields.${name}`, `fields.*.${name}`]),
        censor: REDACTED,
      },
    },
    stderr === undefined ? ownStderr() : { write: (text) => void stderr.write(text) },
  );
}

/** A log that nobody reads any more must not end the node. */
function ownStderr(): pino.DestinationStream {
  const destination = pino.destination({ dest: 2, sync: true });
  destination.on("error", () => undefined);
  return destination;
}
