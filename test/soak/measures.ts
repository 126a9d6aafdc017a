import type { Limits } from "./verdict.ts";

/** Of whom a measure is taken: of every process, of the nodes alone, or of nodes of one role. */
export type Measured = "process" | "node" | "primary" | "replica";

export type Unit = "bytes" | "count" | "percent" | "seconds" | "a second";

export interface Measure {
  readonly title: string;
  readonly unit: Unit;
  readonly of: Measured;
  /** Of the nodes that stay. Null: only shown. */
  readonly limits: Limits | null;
}

export type MeasureName =
  | "residentBytes"
  | "proportionalBytes"
  | "anonymousBytes"
  | "cpuPercent"
  | "descriptors"
  | "threads"
  | "chunkCacheBytes"
  | "inFlightBytes"
  | "logBytes"
  | "snapshotBytes"
  | "dataFolderBytes"
  | "walBytes"
  | "lagSeconds"
  | "lagTransactions"
  | "commitsPerSecond"
  | "errors"
  | "resyncs";

const MIB = 2 ** 20;

/** V8 lets garbage that has become old pile up for minutes, in each thread, before it collects it. Seen: 8 to 17 MiB. */
const HEAP_TOOTH_BYTES = 24 * MIB;

function limits(perHour: number, atLeast: number, level: number): Limits {
  return { perHour, atLeast, level };
}

/**
 * All that is measured, in the order in which it is shown. Levels are what docs/operations.md says of memory, and what the
 * soak's own settings (cast.ts) allow of the disk.
 */
export const MEASURES: Readonly<Record<MeasureName, Measure>> = {
  residentBytes: {
    title: "Resident memory",
    unit: "bytes",
    of: "process",
    limits: limits(8 * MIB, HEAP_TOOTH_BYTES, 300 * MIB),
  },
  proportionalBytes: { title: "Proportional memory", unit: "bytes", of: "process", limits: null },
  anonymousBytes: {
    title: "Memory of its own",
    unit: "bytes",
    of: "process",
    limits: limits(8 * MIB, HEAP_TOOTH_BYTES, 260 * MIB),
  },
  cpuPercent: {
    title: "Processor, of one core",
    unit: "percent",
    of: "process",
    limits: limits(20, 10, 100),
  },
  descriptors: { title: "Descriptors", unit: "count", of: "process", limits: limits(6, 4, 120) },
  threads: { title: "Threads", unit: "count", of: "process", limits: limits(2, 2, 40) },
  chunkCacheBytes: {
    title: "Chunks in memory for the next asker",
    unit: "bytes",
    of: "node",
    limits: limits(8 * MIB, 8 * MIB, 64 * MIB),
  },
  inFlightBytes: { title: "Chunks being sent", unit: "bytes", of: "node", limits: null },
  logBytes: {
    title: "Log on disk",
    unit: "bytes",
    of: "node",
    limits: limits(16 * MIB, 16 * MIB, 160 * MIB),
  },
  snapshotBytes: {
    title: "Snapshots on disk",
    unit: "bytes",
    of: "node",
    limits: limits(16 * MIB, 16 * MIB, 200 * MIB),
  },
  dataFolderBytes: {
    title: "Data folder",
    unit: "bytes",
    of: "node",
    limits: limits(16 * MIB, 16 * MIB, 360 * MIB),
  },
  walBytes: { title: "SQLite WAL", unit: "bytes", of: "node", limits: limits(8 * MIB, 8 * MIB, 96 * MIB) },
  lagSeconds: { title: "Lag", unit: "seconds", of: "replica", limits: limits(1, 1, 5) },
  lagTransactions: {
    title: "Lag, transactions",
    unit: "count",
    of: "replica",
    limits: limits(100, 100, 2_000),
  },
  commitsPerSecond: { title: "Commits", unit: "a second", of: "primary", limits: null },
  errors: { title: "Errors of the engine so far", unit: "count", of: "node", limits: limits(1, 3, 20) },
  resyncs: { title: "Resyncs so far", unit: "count", of: "replica", limits: limits(0, 0, 0) },
};

export const MEASURE_NAMES: readonly MeasureName[] = Object.keys(MEASURES) as MeasureName[];

/** What was measured of one process at one moment; what is not known is left out. */
export type Figures = Partial<Record<MeasureName, number>>;
