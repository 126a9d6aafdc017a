import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

interface Acknowledged {
  readonly token: string;
  readonly cycle: number;
}

/**
 * What was acknowledged to the writers, as their journals have it. Only what is followed by a line feed counts: before
 * that, the journal had not said it when its writer was killed.
 */
export class Ledger {
  private readonly journals: readonly string[];
  private readonly readBytes: number[];
  private readonly acknowledged: Map<number, Acknowledged>[];
  /** The exercise whose commits are read now. */
  cycle = 0;

  /** @param journals one for each writer, which is known by its place among them */
  constructor(journals: readonly string[]) {
    this.journals = journals;
    this.readBytes = journals.map(() => 0);
    this.acknowledged = journals.map(() => new Map<number, Acknowledged>());
  }

  /** Reads what has come since the last time. */
  read(): void {
    for (const [writer, journal] of this.journals.entries()) {
      const text = textFrom(journal, this.readBytes[writer]!);
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      this.readBytes[writer]! += whole.length;
      for (const line of whole.split("\n").slice(0, -1)) {
        const [n, token] = line.split(" ");
        this.acknowledged[writer]!.set(Number(n), { token: token!, cycle: this.cycle });
      }
    }
  }

  /** The database goes back to an older state, which has only so much of it. While no writer runs. */
  takeBackTo(file: string): void {
    this.read();
    const kept = entriesOf(file);
    for (const [writer, entries] of this.acknowledged.entries())
      for (const n of entries.keys()) if (!kept.has(`${writer} ${n}`)) entries.delete(n);
  }

  /** How many were acknowledged in this cycle, and still stand. */
  get acknowledgedInCycle(): number {
    return this.all().filter(({ cycle }) => cycle === this.cycle).length;
  }

  /** What was acknowledged, in any cycle, and is not in the database. */
  missingIn(file: string): { readonly what: string; readonly cycle: number }[] {
    const found = entriesOf(file);
    return this.all()
      .filter(({ key, token }) => found.get(key) !== token)
      .map(({ key, token, cycle }) => ({
        what: `${key} ${token} of cycle ${cycle}, found ${found.get(key)}`,
        cycle,
      }));
  }

  private all(): (Acknowledged & { readonly key: string })[] {
    return this.acknowledged.flatMap((entries, writer) =>
      [...entries].map(([n, entry]) => ({ ...entry, key: `${writer} ${n}` })),
    );
  }
}

/** The commits that a database has, as any reader sees it: tokens by `WRITER NUMBER`. */
function entriesOf(file: string): Map<string, string> {
  using database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
  const rows = database.prepare("SELECT writer || ' ' || n AS key, token FROM entry").all();
  return new Map(rows.map(({ key, token }) => [String(key), String(token)]));
}

/** How many commits a database has; -1 where it cannot be read. */
export function stepOf(file: string): number {
  if (!existsSync(file)) return -1;
  try {
    using database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    return Number(database.prepare("SELECT max(step) AS step FROM spread").get()!["step"]);
  } catch {
    return -1;
  }
}

function textFrom(file: string, offset: number): string {
  if (!existsSync(file)) return "";
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(fstatSync(descriptor).size - offset);
    readSync(descriptor, bytes, 0, bytes.length, offset);
    return bytes.toString("latin1");
  } finally {
    closeSync(descriptor);
  }
}
