const SYNCHRONOUS: Readonly<Record<string, number>> = { OFF: 0, NORMAL: 1, FULL: 2, EXTRA: 3 };

/** Neither writes nor ends a transaction that does. */
const READS =
  /^\s*(SELECT|BEGIN|SAVEPOINT|EXPLAIN|VALUES|PRAGMA\s+(?!wal_checkpoint|journal_mode)\w+\s*(;|$))/i;
const SETTINGS =
  /^\s*PRAGMA\s+(wal_autocheckpoint|synchronous|cache_size|busy_timeout|locking_mode|foreign_keys|table_info)\b/i;

/** What a piece of SQL may do to files. */
export interface Doing {
  readonly writes: boolean;
  readonly isCheckpoint: boolean;
  /** The new setting of PRAGMA synchronous. */
  readonly synchronous: number | undefined;
}

export function doingOf(sql: string): Doing {
  const statements = sql.split(";").filter((statement) => statement.trim() !== "");
  const setting = /PRAGMA\s+synchronous\s*=\s*(\w+)/i.exec(sql)?.[1]?.toUpperCase();
  return {
    writes: statements.some(
      (statement) => !READS.test(statement) && !SETTINGS.test(statement) && !ends(statement),
    ),
    isCheckpoint: /wal_checkpoint/i.test(sql),
    synchronous: setting === undefined ? undefined : (SYNCHRONOUS[setting] ?? Number(setting)),
  };
}

/** SQL that waits for no lock: on the one thread of the simulation it would be in vain. */
export function withoutWaiting(sql: string): string {
  return sql.replaceAll(/(PRAGMA\s+busy_timeout\s*=\s*)\d+/gi, "$10");
}

/** Writes what was written before, if anything was. */
function ends(statement: string): boolean {
  return /^\s*(COMMIT|END|ROLLBACK|RELEASE)\b/i.test(statement);
}
