import type { Counts } from "./run.ts";

/** What was tried, target by target. */
export function tableOf(counts: readonly Counts[]): string {
  const sums = [...Map.groupBy(counts, ({ target }) => target)].map(([target, parts]) => ({
    target,
    accepted: sum(parts.map(({ accepted }) => accepted)),
    refused: sum(parts.map(({ refused }) => refused)),
    wrong: sum(parts.map(({ wrong }) => wrong)),
    ms: sum(parts.map(({ ms }) => ms)),
  }));
  const rows = sums.map(({ target, accepted, refused, wrong, ms }) => {
    const inputs = accepted + refused + wrong;
    return [target, inputs, Math.round((inputs / Math.max(ms, 1)) * 1000), accepted, refused, wrong].map(
      String,
    );
  });
  const head = ["target", "inputs", "a second", "accepted", "refused", "wrong"];
  const total = [
    "total",
    sum(rows.map(([, inputs]) => Number(inputs))),
    "",
    "",
    "",
    sum(sums.map(({ wrong }) => wrong)),
  ];
  const all = [head, ...rows, total.map(String)];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
