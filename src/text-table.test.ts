import { describe, expect, test } from "vitest";
import { UNKNOWN } from "../shared/human.ts";
import { pairLines, tableLines, wrappedLines } from "./text-table.ts";
import type { Cell, Column, Paper } from "./text-table.ts";

const paper = (columns: number): Paper => ({
  columns,
  style: (format, text) => (format === "red" ? `<${text}>` : text),
});
const columns: readonly Column[] = [
  { heading: "id" },
  { heading: "address", dropOrder: 2, isOptional: true },
  { heading: "lag", align: "right" },
  { heading: "seen", dropOrder: 1 },
];
const rows: readonly (readonly Cell[])[] = [
  ["edge-1", "10.0.0.7", "1,204", "3 s ago"],
  [{ text: "edge-22", style: "red" }, UNKNOWN, "7", "now"],
];

describe("a table", () => {
  test("stands in columns, numbers by their last digit, whatever the styles", () => {
    expect(tableLines(columns, rows, paper(Infinity))).toEqual([
      "id       address     lag  seen",
      "edge-1   10.0.0.7  1,204  3 s ago",
      "<edge-22>  –             7  now",
    ]);
  });

  test("that is exactly as wide as the paper is whole", () => {
    expect(tableLines(columns, rows, paper(33))[0]).toBe("id       address     lag  seen");
  });

  test("gives up the less important columns where the paper is narrow", () => {
    expect(tableLines(columns, rows, paper(32))[1]).toBe("edge-1   1,204  3 s ago");
    expect(tableLines(columns, rows, paper(22))[1]).toBe("edge-1   1,204");
  });

  test("keeps a narrow column that fits where a wide one had to go", () => {
    const some: readonly Column[] = [
      { heading: "id" },
      { heading: "narrow", dropOrder: 2 },
      { heading: "a heading that is wide", dropOrder: 1 },
    ];
    expect(tableLines(some, [["edge-1", "1", "2"]], paper(20))[0]).toBe("id      narrow");
  });

  test("becomes a list of all that it has where even the important ones do not fit", () => {
    expect(tableLines(columns, rows.slice(0, 1), paper(10))).toEqual([
      "edge-1",
      "  address  10.0.0.7",
      "  lag      1,204",
      "  seen     3 s ago",
    ]);
  });

  test("of names and what they stand for wraps what is too long, each line in its style, where there is room to", () => {
    const pairs = [
      ["kept", { text: "at least 1 GiB; at most 10 GiB", style: "red" }],
      ["id", "0123456789012345678901234567890123456789"],
    ] as const;
    expect(pairLines(pairs, paper(30))).toEqual([
      "kept  <at least 1 GiB; at most>",
      "      <10 GiB>",
      "id    0123456789012345678901234567890123456789",
    ]);
    expect(pairLines(pairs, paper(25))[0]).toBe("kept  <at least 1 GiB; at most 10 GiB>");
  });

  test("leaves out what no row has", () => {
    expect(tableLines(columns, rows.slice(1), paper(Infinity))[0]).toBe("id       lag  seen");
  });

  test("counts characters, not their encoding", () => {
    expect(
      tableLines(
        [{ heading: "id" }, { heading: "x" }],
        [
          ["🦫🦫", "1"],
          ["abc", "2"],
        ],
        paper(80),
      ),
    ).toEqual(["id   x", "🦫🦫   1", "abc  2"]);
  });
});

test("a sentence is broken between words, under its lead; a word that is too long stands alone", () => {
  expect(wrappedLines("note  ", "a replica is lost, unfortunately", paper(18))).toEqual([
    "note  a replica is",
    "      lost,",
    "      unfortunately",
  ]);
  expect(wrappedLines("note  ", "a replica is lost", paper(Infinity))).toEqual(["note  a replica is lost"]);
});
