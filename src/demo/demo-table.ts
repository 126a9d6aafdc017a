import { UNKNOWN, count } from "../../shared/human.ts";
import type { Output } from "../output.ts";

/** One node at one moment, as the demo shows it. What is not known is null. */
export interface DemoRow {
  readonly name: string;
  readonly txid: number | null;
  readonly lagTransactions: number | null;
  /** From a row's being written on the primary to its being read in the replica's file by another process. */
  readonly lagMs: number | null;
  readonly transactionsPerSecond: number | null;
  readonly state: string;
}

const HEADINGS = ["node", "txid", "lag (tx)", "lag (ms)", "tx/s", "state"] as const;

/** The rows as aligned lines, the first of them the headings. */
export function tableLines(rows: readonly DemoRow[]): readonly string[] {
  const cells = rows.map((row) => [
    row.name,
    whole(row.txid),
    whole(row.lagTransactions),
    row.lagMs === null ? UNKNOWN : row.lagMs.toFixed(1),
    whole(row.transactionsPerSecond),
    row.state,
  ]);
  const table = [[...HEADINGS], ...cells];
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table.map((line) =>
    line
      .map((cell, column) => {
        const isNumber = column > 0 && column < HEADINGS.length - 1;
        return isNumber ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
      })
      .join("   ")
      .trimEnd(),
  );
}

/** The rows as one line, for a pipe. */
export function plainLine(elapsedMs: number, rows: readonly DemoRow[]): string {
  const parts = rows.map(({ name, txid, lagTransactions, lagMs, transactionsPerSecond, state }) => {
    const lag =
      lagTransactions === null ? "" : ` lag ${lagTransactions} tx ${lagMs?.toFixed(1) ?? UNKNOWN} ms`;
    return `${name} txid ${txid ?? UNKNOWN}${lag} ${whole(transactionsPerSecond)} tx/s ${state}`;
  });
  return `${(elapsedMs / 1000).toFixed(1)} s  ${parts.join(" | ")}`;
}

/** A table that stays in its place on a terminal, and is a line at a time elsewhere. */
export class LiveTable {
  private readonly output: Output;
  private lineCount = 0;

  constructor(output: Output) {
    this.output = output;
  }

  show(elapsedMs: number, rows: readonly DemoRow[]): void {
    const { output } = this;
    if (!output.isTerminal) {
      output.data(
        { event: "sample", elapsedMs: Math.round(elapsedMs), nodes: rows },
        plainLine(elapsedMs, rows),
      );
      return;
    }
    const [headings = "", ...lines] = tableLines(rows);
    const columns = output.columns();
    const text = [
      output.style("bold", headings.slice(0, columns)),
      ...lines.map((line) => line.slice(0, columns)),
    ];
    const up = this.lineCount === 0 ? "" : `\u001B[${this.lineCount}A`;
    output.raw(`${up}${text.map((line) => `\u001B[2K${line}\n`).join("")}`);
    this.lineCount = text.length;
  }
}

function whole(value: number | null): string {
  return value === null ? UNKNOWN : count(Math.round(value));
}
