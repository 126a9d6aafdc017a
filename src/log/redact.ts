import { asTailraceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { printable } from "../../shared/human.ts";
import { TEXT_FIELDS } from "../../shared/notice.ts";
import type { Notice } from "../../shared/notice.ts";

/*
 * What may stand in a line of the log. The rule: numbers, booleans and null under any name; text under the listed names
 * alone (TEXT_FIELDS), short, and without credentials; sentences are ours, and what they quote of others is taken out. So
 * neither SQL nor a value of it, neither page content nor a token has a way into the log, whoever forgets what.
 */

export const REDACTED = "***";

const SHOWN_TEXTS: ReadonlySet<string> = new Set(TEXT_FIELDS);

/** What no field may be called, whatever it holds: what pino's `redact` looks for once more. */
export const SECRET_FIELDS: readonly string[] =
  `args authorization body content cookie data headers key page pageContent parameters params passphrase password query
   secret sql statement text token value values`.split(/\s+/);

const MAX_TEXT_LENGTH = 2_000;
const MAX_FIELD_LENGTH = 1_000;
const MAX_FIELDS = 40;

/** `http://user:password@host` anywhere in a text, and what follows `Bearer`, `Basic` or `token=`. */
export function withoutCredentials(text: string): string {
  return text
    .replaceAll(/([a-z][\w+.-]*:\/\/)[^\s/?#@]*(?:@[^\s/?#@]*)*@/gi, `$1${REDACTED}@`)
    .replaceAll(/\b(bearer|basic)\s+[\w.~+/=-]+/gi, `$1 ${REDACTED}`)
    .replaceAll(
      /\b(authorization|auth[-_]?token|access[-_]?token|token|password|passphrase|secret|api[-_]?key)(["']?\s*[=:]\s*)(?!bearer\b|basic\b)("[^"]*"|'[^']*'|[^\s,;&)}\]"']+)/gi,
      `$1$2${REDACTED}`,
    );
}

/** A text of ours for one line of a log or a terminal. */
export function safeText(text: string, maxLength: number = MAX_TEXT_LENGTH): string {
  const safe = printable(withoutCredentials(text));
  return safe.length <= maxLength ? safe : `${safe.slice(0, maxLength)}…`;
}

/** Somebody else's text (SQLite's, V8's): what it quotes may be a value or the content of a file. */
export function safeForeignText(text: string): string {
  const [firstLine = ""] = text.split("\n", 1);
  // What the system says of a call quotes paths alone.
  if (/^E[A-Z0-9]+: [\w /-]+, \w+ '/.test(firstLine)) return safeText(firstLine, 300);
  return safeText(
    firstLine
      .replaceAll(/<Buffer [^>]*>?/g, `<Buffer ${REDACTED}>`)
      .replaceAll(/"(?:[^"\\]|\\.)*("|$)/g, `"${REDACTED}"`)
      .replaceAll(/`[^`]*(`|$)/g, `\`${REDACTED}\``)
      // An apostrophe within a word is none.
      .replaceAll(/(?<!\w)'(?:[^']|'')*('|$)/g, `'${REDACTED}'`)
      .replaceAll(/\b[0-9a-f]{33,}\b/gi, REDACTED)
      .replaceAll(/[\w+/]{65,}={0,2}/g, REDACTED),
    300,
  );
}

/** A notice as it may be logged. */
export function safeNotice({ level, name, text, fields }: Notice): Notice {
  const isForeign = fields["code"] === "internal";
  const safe: Record<string, string | number | boolean | null> = {};
  for (const [key, value] of Object.entries(fields).slice(0, MAX_FIELDS)) {
    if (!/^\w{1,64}$/.test(key)) continue;
    // The name stays: whoever misses the value finds the rule.
    if (SECRET_FIELDS.includes(key)) safe[key] = REDACTED;
    else if (value === null || typeof value === "number" || typeof value === "boolean") safe[key] = value;
    else if (typeof value === "string" && SHOWN_TEXTS.has(key)) {
      const isOurs = !(isForeign && (key === "message" || key === "reason"));
      safe[key] = isOurs ? safeText(value, MAX_FIELD_LENGTH) : safeForeignText(value);
    } else safe[key] = REDACTED;
  }
  return {
    level,
    name: /^\w{1,64}$/.test(name) ? name : "unnamed",
    text: isForeign ? safeForeignText(text) : safeText(text),
    fields: safe,
  };
}

/** An error as it may be shown: never its causes, never what they carry. */
export interface SafeError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  /** Of a bug: where it was, innermost first, without what V8 quotes above it. */
  readonly stack: readonly string[];
}

const MAX_FRAMES = 20;

/** @param value anything that was thrown */
export function safeError(value: unknown): SafeError {
  const { code, message, hint, retryable } = asTailraceError(value);
  const isForeign = code === "internal";
  return {
    code,
    message: isForeign ? safeForeignText(message) : safeText(message),
    hint: hint === undefined ? undefined : safeText(hint),
    retryable,
    stack: isForeign ? framesOf(value) : [],
  };
}

function framesOf(value: unknown): readonly string[] {
  if (!(value instanceof Error) || value.stack === undefined) return [];
  return (
    value.stack
      .split("\n")
      .filter((line) => /^ {4}at /.test(line))
      .slice(0, MAX_FRAMES)
      // A module within a URL is all content.
      .map((line) => safeText(line.trim().replaceAll(/\bdata:\S*/g, `data:${REDACTED}`), 300))
  );
}
