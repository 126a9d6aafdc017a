import { UNKNOWN } from "../shared/human.ts";
import type { Style } from "./output.ts";

export interface Column {
  readonly heading: string;
  /** Numbers stand under each other by their last digit. Default: left. */
  readonly align?: "left" | "right";
  /** Where there is no room, the column with the highest number goes first. Without one, it stays. */
  readonly dropOrder?: number;
  /** Left out where no row has anything to say in it. */
  readonly isOptional?: boolean;
}

/** What stands in one place; the style is left out of its width. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** What text is written on. */
export interface Paper {
  /** Infinity where there is no terminal: a pipe has no width. */
  readonly columns: number;
  readonly style: (format: Style, text: string) => string;
}

const GAP = 2;
/** Where a text has less room than this beside its name, more lines would not make it more readable. */
const MIN_ROOM = 20;

/**
 * Rows under headings. Where the paper is too narrow, the less important columns go; where even the important ones do
 * not fit, each row becomes a list of all that it says.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paper: Paper,
): readonly string[] {
  const widths = columns.map(({ heading }, index) =>
    Math.max(width(heading), ...rows.map((row) => width(textOf(row[index])))),
  );
  const isEmpty = (index: number): boolean => rows.every((row) => textOf(row[index]) === UNKNOWN);
  const shown = new Set(
    [...columns.keys()].filter((index) => columns[index]?.isOptional !== true || !isEmpty(index)),
  );
  const total = (): number => [...shown].reduce((sum, index) => sum + widths[index]! + GAP, -GAP);
  const droppable = [...columns.entries()]
    .filter(([, { dropOrder }]) => dropOrder !== undefined)
    .toSorted(([, a], [, b]) => b.dropOrder! - a.dropOrder!);
  const dropped: number[] = [];
  for (const [index] of droppable) if (total() > paper.columns && shown.delete(index)) dropped.unshift(index);
  // A wide one may have gone where a narrow one more important than it still fits.
  for (const index of dropped) if (total() + GAP + widths[index]! <= paper.columns) shown.add(index);
  const places = [...shown].toSorted((a, b) => a - b);
  if (total() > paper.columns) return listLines(columns, rows, paper);

  const line = (cells: readonly Cell[], style: (cell: Cell) => string): string =>
    places
      .map((index, place) => {
        const cell = cells[index] ?? "";
        const space = " ".repeat(widths[index]! - width(textOf(cell)));
        const isLast = place === places.length - 1;
        if (columns[index]?.align === "right") return space + style(cell);
        return style(cell) + (isLast ? "" : space);
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  const headings = line(
    columns.map(({ heading }) => heading),
    (cell) => textOf(cell),
  );
  return [paper.style("dim", headings), ...rows.map((cells) => line(cells, (cell) => styled(cell, paper)))];
}

function listLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paper: Paper,
): readonly string[] {
  return rows.flatMap(([first = "", ...rest]) => [
    paper.style("bold", textOf(first)),
    ...pairLines(
      rest
        .map((cell, index) => [columns[index + 1]!, cell] as const)
        .filter(([{ isOptional }, cell]) => isOptional !== true || textOf(cell) !== UNKNOWN)
        .map(([{ heading }, cell]) => [heading, cell]),
      { ...paper, columns: paper.columns - GAP },
    ).map((line) => `${" ".repeat(GAP)}${line}`),
  ]);
}

/** Names and what they stand for, each pair on a line of its own, or on as many as the paper's width asks for. */
export function pairLines(
  pairs: readonly (readonly [name: string, cell: Cell])[],
  paper: Paper,
): readonly string[] {
  const widest = Math.max(...pairs.map(([name]) => width(name)));
  return pairs.flatMap(([name, cell]) => {
    const lead = name + " ".repeat(widest - width(name) + GAP);
    const style = (text: string): string => (typeof cell === "object" ? paper.style(cell.style, text) : text);
    const isWide = paper.columns - lead.length >= MIN_ROOM;
    return wrappedLines(lead, textOf(cell), isWide ? paper : { ...paper, columns: Infinity }).map((line) =>
      `${line.slice(0, lead.length)}${style(line.slice(lead.length))}`.trimEnd(),
    );
  });
}

/** A sentence on as many lines as the paper's width asks for, the first after a lead, the others under it. */
export function wrappedLines(lead: string, text: string, paper: Paper): readonly string[] {
  const indent = " ".repeat(width(lead));
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || width(lead) + width(longer) <= paper.columns) {
      line = longer;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].map((words, index) => (index === 0 ? lead : indent) + words);
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === "object" ? cell.text : (cell ?? "");
}

function styled(cell: Cell, { style }: Paper): string {
  return typeof cell === "object" ? style(cell.style, cell.text) : cell;
}

/** Characters, not UTF-16 units. */
function width(text: string): number {
  let characters = 0;
  for (const _ of text) characters++;
  return characters;
}
