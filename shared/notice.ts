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

/**
 * The names of fields that may hold text; under any other name the log shows no text (src/log/redact.ts). So whoever adds
 * one has to think of what could stand in it.
 */
export const TEXT_FIELDS = [
  "address",
  "code",
  "dataDir",
  "driver",
  "durability",
  "file",
  "hint",
  "id",
  "logLevel",
  "logLevelBefore",
  "message",
  "needsRestart",
  "path",
  "primary",
  "reason",
  "role",
  "setAsideAs",
  "source",
  "url",
  "was",
] as const;

type TextField = (typeof TEXT_FIELDS)[number];

/** Fields of which none would be masked: `never` where text stands under a name that is not listed. */
export type ShownFields<Fields> = {
  readonly [Key in keyof Fields]: Fields[Key] extends number | boolean | null
    ? Fields[Key]
    : Key extends TextField
      ? Fields[Key]
      : never;
};

/** The one way to make a notice: text under a name that the log would mask does not compile. */
export function notice<Fields extends Notice["fields"]>(
  level: Notice["level"],
  name: string,
  text: string,
  fields: Fields & ShownFields<Fields>,
): Notice {
  return { level, name, text, fields };
}

/** A plain sentence, where nothing has to be counted or matched. */
export function message(text: string): Notice {
  return notice("info", "message", text, {});
}
