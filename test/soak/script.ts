/** How hard everything goes at it. Sizes are such that log and snapshots turn over many times in minutes. */
export interface Script {
  readonly sampleMs: number;
  /** From the first sample on; what comes before is not judged. V8 gives back what the start has taken after some 100 s. */
  readonly warmUpSeconds: number;
  readonly commitsPerSecond: number;
  readonly secondsBetweenBursts: number;
  readonly longReadSeconds: number;
  /** How long guests stay and stay away, at least and at most. */
  readonly guestSeconds: readonly [number, number];
  /** Where a guest is away for longer than its log is held. */
  readonly longAwaySeconds: number;
  /** The page is looked at once in so many samples; metrics and status each time. */
  readonly samplesPerPage: number;
  readonly primaryLimits: Readonly<Record<string, number>>;
  /** Flags of `tailrace replica`. */
  readonly replicaFlags: readonly string[];
}

const MIB = 2 ** 20;
const HOLD_INACTIVE_MS = 20_000;

export const SOAK_SCRIPT: Script = {
  sampleMs: 1_000,
  warmUpSeconds: 120,
  commitsPerSecond: 40,
  secondsBetweenBursts: 8,
  longReadSeconds: 3,
  guestSeconds: [3, 12],
  longAwaySeconds: 30,
  samplesPerPage: 5,
  primaryLimits: {
    segmentSizeBytes: 4 * MIB,
    keepLogBytes: 16 * MIB,
    maxLogBytes: 128 * MIB,
    holdInactiveMs: HOLD_INACTIVE_MS,
    snapshotAfterBytes: 24 * MIB,
    walSoftLimitBytes: 4 * MIB,
  },
  replicaFlags: [
    "--keep-log-bytes=16MiB",
    "--max-log-bytes=128MiB",
    `--hold-inactive-ms=${HOLD_INACTIVE_MS}`,
  ],
};

/** The same within seconds: everything happens once. */
export const SHORT_SCRIPT: Script = {
  ...SOAK_SCRIPT,
  sampleMs: 200,
  warmUpSeconds: 0,
  secondsBetweenBursts: 1,
  longReadSeconds: 0.1,
  guestSeconds: [0.5, 0.5],
  longAwaySeconds: 0,
};
