import { z } from "zod";
import { formatAmount } from "./amount.ts";
import { amountSetting, bytes, milliseconds } from "./setting-types.ts";
import type { SettingMeta } from "./setting-types.ts";

/*
 * What a node keeps, and for how long: the same limits on the command line, in the library, and at run time.
 */

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const HOUR_MS = 3_600_000;

/**
 * Limits that can change while a node runs, of what it keeps for the replicas that ask it. Numbers alone: bytes and
 * milliseconds.
 */
export interface NodeLimits {
  /** The log is not cut below this size, in bytes, even when nobody needs it. Default: 1 GiB; on a replica 64 MiB. */
  readonly keepLogBytes: number;
  /**
   * Past this size of the log, in bytes, the replica that is furthest behind is given up and has to resync; what recovery
   * and the newest snapshot need stays all the same. 0: no limit. Default: 10 GiB; on a replica 1 GiB.
   */
  readonly maxLogBytes: number;
  /** How long the log is held for a replica that does not ask any more, in ms. Default: 24 hours. */
  readonly holdInactiveMs: number;
  /** Snapshots that are kept, each as large as the database. Default: 2. */
  readonly keepSnapshots: number;
}

/** A primary's: it also keeps log by age, renews snapshots, and checkpoints for those who write. */
export interface PrimaryLimits extends NodeLimits {
  /** No part of the log goes that is younger than this, in ms. Default: 0. */
  readonly keepLogMs: number;
  /** A new snapshot is taken when the log after the newest has this size, in bytes. Default: 256 MiB. */
  readonly snapshotAfterBytes: number;
  /** A new snapshot is taken when the newest is this old, in ms, and something was committed since. Default: 24 hours. */
  readonly snapshotMaxAgeMs: number;
  /** SQLite WAL size, in bytes, from which Tailrace checkpoints. Default: 1 MiB. */
  readonly walSoftLimitBytes: number;
}

export const SEGMENT_MIN_BYTES: number = 64 * KIB;
export const SEGMENT_MAX_BYTES: number = GIB;

interface LimitDefinition {
  readonly type: z.ZodType<number, number | string> | z.ZodType<number, number>;
  /** On a primary. */
  readonly initial: number;
  readonly onReplica?: number;
  readonly meta: SettingMeta;
}

const definitions: Readonly<Record<keyof PrimaryLimits, LimitDefinition>> = {
  keepLogBytes: {
    type: bytes(),
    initial: GIB,
    onReplica: 64 * MIB,
    meta: {
      placeholder: "SIZE",
      unit: "bytes",
      description: "log that is kept although nobody needs it",
    },
  },
  keepLogMs: {
    type: milliseconds(),
    initial: 0,
    meta: {
      placeholder: "TIME",
      unit: "ms",
      description: "age up to which log is kept although nobody needs it",
    },
  },
  maxLogBytes: {
    type: bytes({ min: MIB, none: "none" }),
    initial: 10 * GIB,
    onReplica: GIB,
    meta: {
      placeholder: "SIZE",
      unit: "bytes",
      none: "none",
      description: "log size past which the replica furthest behind is given up; none or 0: no limit",
    },
  },
  holdInactiveMs: {
    type: milliseconds(),
    initial: 24 * HOUR_MS,
    meta: {
      placeholder: "TIME",
      unit: "ms",
      description: "how long log is held for a replica that has stopped asking",
    },
  },
  snapshotAfterBytes: {
    type: bytes({ min: 64 * KIB }),
    initial: 256 * MIB,
    meta: {
      placeholder: "SIZE",
      unit: "bytes",
      description: "log after the newest snapshot at which another one is taken",
    },
  },
  snapshotMaxAgeMs: {
    type: milliseconds({ min: 1_000 }),
    initial: 24 * HOUR_MS,
    meta: {
      placeholder: "TIME",
      unit: "ms",
      description:
        "age of the newest snapshot at which another one is taken, if anything was committed since",
    },
  },
  keepSnapshots: {
    type: z.int().min(1).max(100),
    initial: 2,
    meta: { placeholder: "N", description: "snapshots that are kept, each as large as the database" },
  },
  walSoftLimitBytes: {
    type: bytes({ min: 64 * KIB, max: GIB }),
    initial: MIB,
    meta: {
      placeholder: "SIZE",
      unit: "bytes",
      description: "size of the SQLite WAL from which on it is checkpointed",
    },
  },
};

type LimitShape<Key extends keyof PrimaryLimits> = Record<Key, z.ZodType<number>>;

/** The keys of {@link NodeLimits}. */
export const REPLICA_LIMIT_KEYS: readonly (keyof NodeLimits)[] = [
  "keepLogBytes",
  "maxLogBytes",
  "holdInactiveMs",
  "keepSnapshots",
];

/** The keys of {@link PrimaryLimits}. */
export const PRIMARY_LIMIT_KEYS: readonly (keyof PrimaryLimits)[] = [
  "keepLogBytes",
  "keepLogMs",
  "maxLogBytes",
  "holdInactiveMs",
  "snapshotAfterBytes",
  "snapshotMaxAgeMs",
  "keepSnapshots",
  "walSoftLimitBytes",
];

/** As flags, variables and keys of a file. */
export function limitSettings<Key extends keyof PrimaryLimits>(
  keys: readonly Key[],
  role: "primary" | "replica",
): LimitShape<Key> {
  return shapeOf(keys, (key) => {
    const { type, meta } = definitions[key];
    return amountSetting(type, initialOf(key, role), { ...meta, isReloadable: true });
  });
}

/** As options of the library: numbers alone. */
export function limitOptions<Key extends keyof PrimaryLimits>(
  keys: readonly Key[],
  role: "primary" | "replica",
): LimitShape<Key> {
  return shapeOf(keys, (key) => {
    const type: z.ZodType<number, number> = z
      .number()
      .pipe(definitions[key].type as unknown as z.ZodType<number, number>);
    return type.default(initialOf(key, role));
  });
}

function shapeOf<Key extends string>(
  keys: readonly Key[],
  make: (key: Key) => z.ZodType<number>,
): Record<Key, z.ZodType<number>> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<Key, z.ZodType<number>>;
}

function initialOf(key: keyof PrimaryLimits, role: "primary" | "replica"): number {
  const { initial, onReplica = initial } = definitions[key];
  return role === "replica" ? onReplica : initial;
}

/** Two limits that cannot both hold. */
export interface LimitConflict {
  /** The one to blame, and the one that it does not go with. */
  readonly key: string;
  readonly other: string;
  /** What the first is in relation to the second: `less than`. */
  readonly relation: string;
  /** What to do, given the names as the user knows them. */
  readonly wayOut: (name: (key: string) => string) => string;
}

/** What single values do not show to be wrong. */
export function limitConflicts(
  limits: Pick<NodeLimits, "keepLogBytes" | "maxLogBytes"> & { readonly segmentSizeBytes?: number },
): readonly LimitConflict[] {
  const { keepLogBytes, maxLogBytes, segmentSizeBytes } = limits;
  if (maxLogBytes === 0) return [];
  const conflicts: LimitConflict[] = [];
  if (maxLogBytes < keepLogBytes) {
    conflicts.push({
      key: "maxLogBytes",
      other: "keepLogBytes",
      relation: "less than",
      wayOut: (name) =>
        `Raise ${name("maxLogBytes")} (0: no limit), or lower ${name("keepLogBytes")} to ` +
        `${formatAmount(maxLogBytes, "bytes")} or less.`,
    });
  }
  if (segmentSizeBytes !== undefined && maxLogBytes < 2 * segmentSizeBytes) {
    conflicts.push({
      key: "maxLogBytes",
      other: "segmentSizeBytes",
      relation: "less than twice",
      wayOut: (name) =>
        `The log shrinks by whole segments, and the newest always stays: raise ${name("maxLogBytes")} to ` +
        `${formatAmount(2 * segmentSizeBytes, "bytes")} or more, or lower ${name("segmentSizeBytes")}.`,
    });
  }
  return conflicts;
}

/** What an issue of {@link refuseConflicts} carries. */
export interface ConflictParams {
  readonly conflict: LimitConflict;
  readonly limits: Readonly<Record<string, number | undefined>>;
}

/** For `.superRefine()` of a schema that has limits. */
export function refuseConflicts(
  limits: Parameters<typeof limitConflicts>[0],
  context: z.RefinementCtx,
): void {
  for (const conflict of limitConflicts(limits)) {
    const params: ConflictParams = { conflict, limits: { ...limits } };
    context.addIssue({
      code: "custom",
      path: [conflict.key],
      message: `${conflict.relation} ${conflict.other}`,
      params: { ...params },
    });
  }
}

/** Limits as engines take them: null, not 0, is no limit. */
export type ForEngine<Limits extends NodeLimits> = Omit<Limits, "maxLogBytes"> & {
  readonly maxLogBytes: number | null;
};

/** Of anything that has the limits of a primary or a replica, those alone. */
export function limitsForEngine<Key extends keyof PrimaryLimits>(
  keys: readonly Key[],
  from: NodeLimits & Pick<PrimaryLimits, Key>,
): ForEngine<NodeLimits & Pick<PrimaryLimits, Key>> {
  const limits = Object.fromEntries(keys.map((key) => [key, from[key]])) as NodeLimits &
    Pick<PrimaryLimits, Key>;
  return { ...limits, maxLogBytes: from.maxLogBytes === 0 ? null : from.maxLogBytes };
}
