import type { Random } from "../core/random.ts";

type Durability = "commit" | "group" | "os";

export interface ReplicaSettings {
  readonly name: string;
  /** Name of the node that it asks. */
  readonly follows: string;
  /** What comes over loopback is not compressed. Whatever host is named, the port counts. */
  readonly host: "127.0.0.1" | "node.simulated";
  readonly durability: Durability;
  readonly onForeignWrite: "stop" | "resync";
}

/** What a run is of, drawn from its seed. Limits are so small that everything happens within a thousand steps. */
export interface Settings {
  readonly pageSize: number;
  readonly accounts: number;
  readonly synchronous: "FULL" | "NORMAL";
  readonly autoVacuum: 0 | 1 | 2;
  readonly replicas: readonly ReplicaSettings[];
  /** How often somebody looks at a replica between two calls to the system. */
  readonly glanceChance: number;
  /** Of virtual time, between two decisions, on average. */
  readonly tempoMs: number;
  readonly primary: {
    readonly durability: Durability;
    readonly segmentSizeBytes: number;
    readonly keepLogBytes: number;
    readonly keepLogMs: number;
    readonly maxLogBytes: number;
    readonly holdInactiveMs: number;
    readonly keepSnapshots: number;
    readonly snapshotAfterBytes: number;
    readonly snapshotMaxAgeMs: number;
    readonly walSoftLimitBytes: number;
  };
  readonly feed: {
    readonly keepLogBytes: number;
    readonly maxLogBytes: number;
    readonly holdInactiveMs: number;
    readonly keepSnapshots: number;
  };
}

const KIB = 1024;
const DURABILITIES: readonly Durability[] = ["commit", "commit", "group", "os"];

export function drawSettings(random: Random, most: { readonly replicas?: number | undefined }): Settings {
  const pageSize = random.pick([512, 1024, 1024, 2048, 4096]);
  const count = 1 + random.int(3);
  const keepLogBytes = random.pick([0, 64 * KIB, 256 * KIB]);
  const replicas = Array.from({ length: count }, (_, index): ReplicaSettings => {
    const isChained = index > 0 && random.chance(0.35);
    return {
      name: `replica-${index + 1}`,
      host: random.pick(["127.0.0.1", "node.simulated"]),
      follows: isChained ? `replica-${random.int(index) + 1}` : "primary",
      durability: random.pick(DURABILITIES),
      onForeignWrite: random.pick(["resync", "stop"]),
    };
  });
  return {
    pageSize,
    accounts: random.pick([10, 40, 120]),
    synchronous: random.pick(["FULL", "NORMAL"]),
    autoVacuum: random.pick([0, 0, 1, 2]),
    replicas: replicas.slice(0, most.replicas ?? count),
    glanceChance: random.pick([0, 0.05, 0.5]),
    tempoMs: random.pick([3, 15, 60, 250]),
    primary: {
      durability: random.pick(DURABILITIES),
      segmentSizeBytes: 64 * KIB,
      keepLogBytes,
      keepLogMs: random.pick([0, 0, 2_000]),
      maxLogBytes: random.pick([0, 1024 * KIB, 1024 * KIB]),
      holdInactiveMs: random.pick([2_000, 20_000, 600_000]),
      keepSnapshots: 1 + random.int(3),
      snapshotAfterBytes: random.pick([64, 128, 1024]) * KIB,
      snapshotMaxAgeMs: random.pick([2_000, 60_000]),
      walSoftLimitBytes: random.pick([64, 256]) * KIB,
    },
    feed: {
      keepLogBytes: random.pick([0, 64 * KIB]),
      maxLogBytes: random.pick([0, 1024 * KIB]),
      holdInactiveMs: random.pick([2_000, 600_000]),
      keepSnapshots: 1,
    },
  };
}
