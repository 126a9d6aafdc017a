import type { Counter, Histogram } from "prom-client";
import type { ErrorCode } from "../errors.ts";
import { compareReplicas } from "../plan/health.ts";
import type { EngineStatus, ReplicaStatus, SnapshotStatus } from "../status.ts";
import { LATENCY_SECONDS, PASS_SECONDS } from "./buckets.ts";
import { defineEventLoop } from "./event-loop.ts";
import type { EventLoopDelay } from "./event-loop.ts";
import { MetricSet, secondsOf } from "./metric-set.ts";
import type { MetricDefinition, MetricsJson, Samples } from "./metric-set.ts";

/** Replicas that have series of their own: the worst ones, so that a thousand replicas do not make ten thousand series. */
const MAX_REPLICAS_WITH_SERIES = 200;

/** Of these a single one is a matter for a human. */
const ALERTING_CODES: readonly ErrorCode[] = ["damaged", "database_corrupt", "not_a_database"];

/** What the two roles call the same; a role's own status says where each stands. */
interface Common extends EngineStatus {
  readonly wal?: unknown;
  readonly replicasLost?: unknown;
  readonly replicasReleased?: unknown;
}

/** The metrics that an engine has on every node: of its log, its snapshots, the replicas that it feeds, its disk. */
export class EngineMetrics<Status extends EngineStatus> {
  protected readonly set: MetricSet<Status> = new MetricSet<Status>();
  /** Seconds that each forced write of log bytes took. */
  readonly fsyncSeconds: Histogram;
  readonly checkpoints: Counter<"result">;
  readonly snapshotSeconds: Histogram;
  readonly snapshotFailures: Counter;
  readonly verifications: Counter<"result">;
  private readonly errors: Counter<"code">;

  constructor(eventLoop: EventLoopDelay) {
    const { set } = this;
    defineEventLoop(set, eventLoop);
    this.errors = set.counter(
      "tailrace_errors_total",
      "Errors of the engine, also those that were overcome.",
      ["code"],
    );
    // A series that begins with its first error would have no increase to alert on.
    for (const code of ALERTING_CODES) this.errors.inc({ code }, 0);
    this.verifications = set.counter(
      "tailrace_verifications_total",
      "Readings of every page and of the log from the files: identical, different, failed.",
      ["result"],
    );
    for (const result of ["identical", "different", "failed"]) this.verifications.inc({ result }, 0);
    this.fsyncSeconds = set.histogram(
      "tailrace_log_fsync_seconds",
      "How long it took to force log bytes to disk, each time.",
      LATENCY_SECONDS,
    );
    this.checkpoints = set.counter(
      "tailrace_checkpoints_total",
      "Checkpoints of the SQLite WAL: complete, partial (readers or writers left some), busy (another process was at it), failed.",
      ["result"],
    );
    for (const result of ["complete", "partial", "busy", "failed"]) this.checkpoints.inc({ result }, 0);
    set.gauge("tailrace_sqlite_wal_bytes", "Size of the SQLite WAL.", (status) =>
      numberIn((status as Common).wal, "sizeBytes"),
    );
    this.snapshotSeconds = set.histogram(
      "tailrace_snapshot_seconds",
      "How long it took to make a snapshot, each time.",
      PASS_SECONDS,
    );
    this.snapshotFailures = set.counter("tailrace_snapshot_failures_total", "Snapshots that failed.");
    defineSnapshots(set);
    defineLog(set);
    defineReplicas(set);
  }

  get definitions(): readonly MetricDefinition[] {
    return this.set.definitions;
  }

  /** An error has come up, whether or not it can be overcome. */
  failed(code: string): void {
    this.errors.inc({ code });
  }

  /** Of this thread, as of now. @param status null while there is none */
  json(status: Status | null): Promise<MetricsJson> {
    return this.set.json(status);
  }
}

function defineSnapshots(set: MetricSet<EngineStatus>): void {
  set.gauge("tailrace_snapshots", "Snapshots in the data folder.", ({ snapshots }) => snapshots.length);
  set.gauge("tailrace_snapshot_timestamp_seconds", "When the newest snapshot was made.", (status) =>
    secondsOf(newest(status)?.createdMs),
  );
  set.gauge("tailrace_snapshot_bytes", "Size of the newest snapshot.", (status) => newest(status)?.sizeBytes);
}

function newest({ snapshots }: EngineStatus): SnapshotStatus | undefined {
  return snapshots.toSorted((a, b) => a.generation - b.generation).at(-1);
}

function defineLog(set: MetricSet<EngineStatus>): void {
  set.gauge("tailrace_log_size_bytes", "Size of the log on disk.", ({ log }) => log?.sizeBytes);
  set.gauge("tailrace_log_segments", "Files of the log.", ({ log }) => log?.segmentCount);
  set.gauge(
    "tailrace_log_max_bytes",
    "Size of the log past which replicas are given up; no sample where there is no limit.",
    ({ log }) => log?.maxBytes,
  );
  set.gauge("tailrace_log_head_txid", "Newest transaction in the log.", ({ log }) => log?.headTxid);
  set.gauge(
    "tailrace_log_head_timestamp_seconds",
    "When the newest transaction was committed, by the primary's clock.",
    ({ log }) => secondsOf(log?.headTimeMs),
  );
  set.gauge("tailrace_disk_free_bytes", "Free space where the log is.", ({ log }) => log?.diskFreeBytes);
  set.gauge(
    "tailrace_disk_size_bytes",
    "Size of the file system where the log is.",
    ({ log }) => log?.diskSizeBytes,
  );
}

const STATES = ["streaming", "catching_up", "inactive", "lost"] as const;

function defineReplicas(set: MetricSet<EngineStatus>): void {
  set.gauges("tailrace_replicas", "Replicas known, by state.", ["state"], ({ replicas }) =>
    STATES.map((state) => [[state], replicas.filter((replica) => replica.state === state).length] as const),
  );
  set.gauge(
    "tailrace_replicas_endangered",
    "Replicas that will soon be given up for the size limit of the log.",
    ({ replicas }) => replicas.filter(({ retention }) => retention === "endangered").length,
  );
  set.tally("tailrace_replicas_lost_total", "How often a replica lost its place in the log.", (status) =>
    numberIn(status, "replicasLost"),
  );
  set.tally(
    "tailrace_replicas_released_total",
    "Replicas that are no longer waited for: inactive too long, or forgotten.",
    (status) => numberIn(status, "replicasReleased"),
  );
  const perReplica = (
    name: string,
    help: string,
    read: (replica: ReplicaStatus) => number | null | undefined,
  ): void => set.gauges(name, help, ["replica"], ({ replicas }) => samplesOf(worst(replicas), read));
  perReplica(
    "tailrace_replica_lag_seconds",
    "Age of the oldest transaction that the replica has not applied, by the primary's clock; 0 when it has all.",
    ({ lagSeconds }) => lagSeconds,
  );
  perReplica(
    "tailrace_replica_lag_bytes",
    "Log bytes that are not on the replica's disk.",
    ({ lagBytes }) => lagBytes,
  );
  perReplica(
    "tailrace_replica_lag_transactions",
    "Transactions that the replica has not applied.",
    ({ lagTransactions }) => lagTransactions,
  );
  perReplica(
    "tailrace_replica_fresh_timestamp_seconds",
    "The moment as of which the replica has applied everything. Now minus this is its lag, also when nobody measures it any more.",
    ({ freshAsOfMs }) => secondsOf(freshAsOfMs),
  );
  perReplica(
    "tailrace_replica_last_seen_timestamp_seconds",
    "When the replica was last heard of.",
    ({ lastSeenMs }) => secondsOf(lastSeenMs),
  );
  perReplica(
    "tailrace_replica_bytes_until_lost",
    "How much the log may still grow before the replica loses its place.",
    ({ bytesUntilLost }) => bytesUntilLost,
  );
}

function* samplesOf(
  replicas: readonly ReplicaStatus[],
  read: (replica: ReplicaStatus) => number | null | undefined,
): Samples {
  for (const replica of replicas) yield [[replica.id], read(replica)];
}

function worst(replicas: readonly ReplicaStatus[]): readonly ReplicaStatus[] {
  return replicas.length <= MAX_REPLICAS_WITH_SERIES
    ? replicas
    : replicas.toSorted(compareReplicas).slice(0, MAX_REPLICAS_WITH_SERIES);
}

function numberIn(holder: unknown, key: string): number | null {
  const value = (holder as Record<string, unknown> | null | undefined)?.[key];
  return typeof value === "number" ? value : null;
}
