import { printable } from "../shared/human.ts";
import type { Finding, Severity } from "../shared/plan/health.ts";
import type { Style } from "./output.ts";
import { wrappedLines } from "./text-table.ts";
import type { Paper } from "./text-table.ts";

const STYLES: Readonly<Record<Severity, Style>> = { error: "red", warning: "yellow", note: "dim" };
/** `warning` and a gap. */
const INDENT = 9;

/** What is wrong, and below each what to do about it. */
export function findingLines(findings: readonly Finding[], paper: Paper): readonly string[] {
  return findings.flatMap(({ severity, text, wayOut }) => {
    const [first = "", ...more] = wrappedLines(severity.padEnd(INDENT), printable(text), paper);
    return [
      paper.style(STYLES[severity], first.slice(0, severity.length)) + first.slice(severity.length),
      ...more,
      ...(wayOut === null ? [] : wrappedLines(" ".repeat(INDENT), printable(wayOut), paper)),
    ];
  });
}
