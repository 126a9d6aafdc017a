/**
 * Something that an operator should know, from any thread: a line of the structured log. No SQL value, no page content
 * and no secret ever stands in one.
 */
export interface Notice {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Stable, in snake case: `replica_lost`, `snapshot_taken`. Match on this, never on the text. */
  readonly name: string;
  /** A sentence for people. */
  readonly text: string;
  /** Raw numbers with units in the names; the same keys mean the same everywhere. */
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

/** A plain sentence, where nothing has to be counted or matched. */
export function message(text: string): Notice {
  return { level: "info", name: "message", text, fields: {} };
}
