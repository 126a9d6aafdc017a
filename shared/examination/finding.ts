/**
 * How bad it is. `note`: worth knowing, nothing to be done. `torn_tail`: an unfinished end, which the next start cuts by
 * itself. `damaged`: something is lost or contradicts the rest.
 */
export type Severity = "ok" | "note" | "torn_tail" | "damaged";

/** One thing that was found in a data folder. */
export interface Finding {
  readonly severity: Severity;
  /** Relative to the data folder. */
  readonly file: string;
  /** In bytes from the file's first; null where the file as a whole is meant. */
  readonly offset: number | null;
  readonly text: string;
  /** What follows from it, or is to be done; null where nothing is. */
  readonly advice: string | null;
}

/** Gathers findings in the order in which they are made. */
export class Findings {
  readonly list: Finding[] = [];

  add(severity: Severity, file: string, text: string, more: { offset?: number; advice?: string } = {}): void {
    this.list.push({ severity, file, offset: more.offset ?? null, text, advice: more.advice ?? null });
  }
}
