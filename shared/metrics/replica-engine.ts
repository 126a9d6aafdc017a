import type { Counter, Histogram } from "prom-client";
import type { ReplicaEngineStatus } from "../status.ts";
import { LATENCY_SECONDS } from "./buckets.ts";
import { EngineMetrics } from "./engine-common.ts";
import type { EventLoopDelay } from "./event-loop.ts";
import { secondsOf } from "./metric-set.ts";

/** The metrics of a replica's engine. */
export class ReplicaEngineMetrics extends EngineMetrics<ReplicaEngineStatus> {
  private readonly appliedTransactions: Counter;
  private readonly applyCommits: Counter;
  private readonly applySeconds: Histogram;
  readonly resyncPages: Counter;
  private readonly divergences: Counter;

  /** @param maxBacklogBytes received and not applied, past which the source is not asked for more */
  constructor(eventLoop: EventLoopDelay, { maxBacklogBytes }: { readonly maxBacklogBytes: number }) {
    super(eventLoop);
    const { set } = this;
    set.gauge("tailrace_applied_txid", "Newest transaction applied.", ({ position }) => position?.txid);
    this.appliedTransactions = set.counter(
      "tailrace_applied_transactions_total",
      "Transactions applied since the start, not counting those of a snapshot.",
    );
    this.applyCommits = set.counter(
      "tailrace_apply_commits_total",
      "Commits made for them. Transactions for each commit are the merge factor.",
    );
    this.applySeconds = set.histogram(
      "tailrace_apply_seconds",
      "How long it took to make one such commit of log records, each time.",
      LATENCY_SECONDS,
    );
    set.tally(
      "tailrace_received_bytes_total",
      "Log bytes received.",
      ({ receiver }) => receiver.receivedBytes,
    );
    set.gauge(
      "tailrace_backlog_bytes",
      "Log bytes received and not applied.",
      ({ applier }) => applier.backlogBytes,
    );
    set.level(
      "tailrace_backlog_max_bytes",
      "Backlog past which the source is not asked for more.",
      () => maxBacklogBytes,
    );
    set.gauge(
      "tailrace_lag_seconds",
      "How old what readers see is, by the primary's clock. Grows also while the source does not answer.",
      ({ lag }) => lag.seconds,
    );
    set.gauge(
      "tailrace_lag_transactions",
      "Transactions of the source that are not applied.",
      ({ lag }) => lag.transactions,
    );
    set.gauge(
      "tailrace_fresh_timestamp_seconds",
      "The moment, by the primary's clock, as of which everything is applied.",
      ({ lag }) => secondsOf(lag.freshAsOfMs),
    );
    set.gauge("tailrace_source_contact_timestamp_seconds", "When the source answered last.", ({ receiver }) =>
      secondsOf(receiver.lastContactMs),
    );
    set.tally("tailrace_retries_total", "Pauses before another try.", ({ receiver }) => receiver.retries);
    set.tally("tailrace_bootstraps_total", "Snapshots fetched whole.", ({ bootstraps }) => bootstraps);
    set.tally(
      "tailrace_resyncs_total",
      "Comparisons with the source of all pages.",
      ({ resyncs }) => resyncs,
    );
    this.resyncPages = set.counter("tailrace_resync_pages_total", "Pages fetched because they differed.");
    this.divergences = set.counter(
      "tailrace_divergences_total",
      "How often the database was not what the log says: a checksum, or a write of somebody else.",
    );
  }

  /** One commit of the replica has been made. @param transactions of the primary; several where a backlog is merged */
  applied(transactions: number, seconds: number): void {
    this.appliedTransactions.inc(transactions);
    this.applyCommits.inc();
    this.applySeconds.observe(seconds);
  }

  override failed(code: string): void {
    super.failed(code);
    if (code === "diverged" || code === "foreign_write") this.divergences.inc();
  }
}
