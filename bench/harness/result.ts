/** What a benchmark answers: rows for people, figures for machines. Units stand last in every name. */
export interface BenchResult {
  readonly rows: readonly Readonly<Record<string, string | number>>[];
  /** Among them at least one `…Ratio`: the product against its baseline in the same run. */
  readonly figures: Readonly<Record<string, number>>;
  /** What has to be said last, beside them. */
  readonly conclusion?: string;
}

export interface Bench {
  /** One sentence: what is measured, against what. */
  readonly question: string;
  run(): Promise<BenchResult>;
}

/** A value of the sorted order: 0.5 is the median. NaN where nothing was measured. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = Float64Array.from(values).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function rounded(value: number, digits = 3): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}

/** A plain table: columns from the first row, numbers to the right. */
export function formatTable(rows: BenchResult["rows"]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? "")))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, index) =>
          typeof rows[0]?.[columns[index]!] === "number"
            ? cell.padStart(widths[index]!)
            : cell.padEnd(widths[index]!),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
