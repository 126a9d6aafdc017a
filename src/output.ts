import { styleText } from "node:util";
import type { WriteStream } from "node:tty";
import { toErrorData } from "../shared/errors.ts";
import { withoutCredentials } from "./log/redact.ts";

/** Data goes to stdout, messages and progress go to stderr: a pipe sees data alone. */
export interface Output {
  readonly isJson: boolean;
  /** stdout is a terminal, so a table may be redrawn in place. */
  readonly isTerminal: boolean;
  /** Terminal columns; 80 where there is no terminal. */
  columns(): number;
  /** Terminal lines; 24 where there is no terminal. */
  rows(): number;
  /** One JSON document a line with `--json`, the text otherwise. */
  data(document: object, text: string): void;
  /** An event of a running node: a JSON line on stdout with `--json`, a message on stderr otherwise. */
  event(name: string, fields: object, text: string): void;
  message(text: string): void;
  error(error: unknown): void;
  raw(text: string): void;
  /** Colours and weights on a terminal without NO_COLOR; plain otherwise. */
  style(format: Style, text: string): string;
}

export type Style = "bold" | "dim" | "green" | "red" | "yellow";

export type Stream = Pick<NodeJS.WriteStream, "write"> &
  Partial<Pick<WriteStream, "isTTY" | "columns" | "rows" | "hasColors">>;

export interface Streams {
  readonly stdout: Stream;
  readonly stderr: Stream;
}

export function createOutput({
  json,
  stdout = process.stdout,
  stderr = process.stderr,
  environment = process.env,
}: {
  readonly json: boolean;
  readonly stdout?: Stream;
  readonly stderr?: Stream;
  readonly environment?: NodeJS.ProcessEnv;
}): Output {
  // https://no-color.org: present and not empty means no colour, whatever its value.
  const mayColour = (environment["NO_COLOR"] ?? "") === "";
  const paint = (stream: Stream, format: Style, text: string): string =>
    mayColour && stream.isTTY === true ? styleText(format, text, { validateStream: false }) : text;
  const message = (text: string): void => void stderr.write(`${withoutCredentials(text)}\n`);

  return {
    isJson: json,
    isTerminal: stdout.isTTY === true && !json,
    columns: () => stdout.columns || 80,
    rows: () => stdout.rows || 24,
    data: (document, text) => void stdout.write(`${json ? jsonLine(document) : text}\n`),
    event: (name, fields, text) => {
      if (json) stdout.write(`${jsonLine({ event: name, ...fields })}\n`);
      else message(text);
    },
    message,
    error: (error) => {
      const { code, message: text, hint, retryable } = toErrorData(error);
      const data = {
        code,
        message: withoutCredentials(text),
        hint: hint === undefined ? undefined : withoutCredentials(hint),
        retryable,
      };
      if (json) stderr.write(`${jsonLine({ error: data })}\n`);
      else message(`${paint(stderr, "red", "error")} ${data.code}: ${data.message}`);
      if (!json && data.hint !== undefined) message(`  ${data.hint}`);
      // A bug is worth its stack; a wrong value is not. Where the bug is another node's, there is none.
      if (!json && data.code === "internal" && error instanceof Error && error.stack) message(error.stack);
    },
    raw: (text) => void stdout.write(text),
    style: (format, text) => paint(stdout, format, text),
  };
}

/** JSON in which nothing is what a terminal would act on, whoever the text is from: it stands there as `\u…`. */
function jsonLine(document: object): string {
  return JSON.stringify(document).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, index) => {
      const digits = character.charCodeAt(index).toString(16);
      return `\\u${digits.padStart(4, "0")}`;
    }).join(""),
  );
}
