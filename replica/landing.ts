import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { pauseMs } from "../shared/plan/backoff.ts";
import { followerNotices } from "./follower-notices.ts";
import type { LastResync } from "./follower-status.ts";
import type { LocalReplica } from "./local-replica.ts";
import type { Receiver } from "./receiver.ts";
import type { SnapshotClient } from "./snapshot-client.ts";

export interface LandingOptions {
  readonly local: LocalReplica;
  readonly client: SnapshotClient;
  readonly receiver: Receiver;
  readonly source: string;
  readonly tell: (notice: Notice) => void;
  readonly metrics: ReplicaEngineMetrics;
  /** Unix ms. */
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A resync that comes so soon after another one, or sooner, comes after a pause: each reads the whole database. */
const SOON_MS = 60_000;

/** The ways onto solid ground, a bootstrap and a resync, and what is known of those that were gone. */
export class Landing {
  bootstraps = 0;
  resyncs = 0;
  lastResync: LastResync | null = null;
  /** Of the one under way. */
  progress: Record<string, number> | null = null;
  private readonly options: LandingOptions;
  /** The way that was told of, and has not come to its end yet: not told again at each try. */
  private begun: "bootstrap" | "resync" | undefined;
  /** Resyncs, each soon after the one before, and when the newest was over. */
  private inARow = 0;
  private landedMs = -Infinity;

  constructor(options: LandingOptions) {
    this.options = options;
  }

  /** @throws as {@link LocalReplica.bootstrap} */
  async bootstrap(signal: AbortSignal): Promise<void> {
    const { local, client, source, tell } = this.options;
    if (this.begun !== "bootstrap") tell(followerNotices.bootstrapStarted(source));
    this.begun = "bootstrap";
    const before = client.fetchedBytes;
    const onProgress = (doneBytes: number, totalBytes: number): void => {
      this.progress = { doneBytes, totalBytes };
    };
    await local.bootstrap(client, onProgress, signal).finally(() => (this.progress = null));
    this.begun = undefined;
    this.bootstraps += 1;
    const { txid, pageCount: pages } = local.position!.applied;
    tell(followerNotices.bootstrapDone({ txid, pages, fetchedBytes: client.fetchedBytes - before }));
  }

  /** @throws as {@link LocalReplica.resync} */
  async resync(signal: AbortSignal): Promise<void> {
    const { local, client, receiver, source, tell, wallMs, monotonicMs, metrics } = this.options;
    await this.calm(signal);
    const fromTxid = local.position?.applied.txid ?? null;
    if (this.begun !== "resync") tell(followerNotices.resyncStarted(source, fromTxid));
    this.begun = "resync";
    const onProgress = (fetchedPages: number): void => {
      this.progress = { fetchedPages };
    };
    const { pages, fetchedBytes } = await local
      .resync({ client, receiver, onProgress, signal })
      .finally(() => (this.progress = null));
    this.begun = undefined;
    this.resyncs += 1;
    this.landedMs = monotonicMs();
    metrics.resyncPages.inc(pages);
    this.lastResync = { pages, fetchedBytes, timeMs: wallMs() };
    const { txid } = local.position!.applied;
    tell(followerNotices.resyncDone({ pages, fetchedBytes, fromTxid, txid }));
  }

  /** A node that says again and again that its log does not lead on is not to keep the disk busy. */
  private async calm(signal: AbortSignal): Promise<void> {
    // Tries of one resync have pauses between them already.
    if (this.begun === "resync") return;
    const { monotonicMs, random, sleep } = this.options;
    this.inARow = monotonicMs() - this.landedMs < SOON_MS ? this.inARow + 1 : 0;
    if (this.inARow > 0) await sleep(pauseMs(this.inARow, random()), signal);
    signal.throwIfAborted();
  }
}
