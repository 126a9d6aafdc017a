import { LagClock } from "../plan/lag-clock.ts";
import type { ReplicaStatus } from "../status.ts";
import type { Txid } from "../units.ts";
import type { TrackedReplica } from "./tracked-replica.ts";

/** What is not known is null. */
export type Lag = Pick<ReplicaStatus, "lagTransactions" | "lagSeconds" | "freshAsOfMs">;

/** How far replicas are behind in applying, by the clock of commits. */
export class ReplicaLag {
  /** The clock of commits now, Unix ms; null where it is not known. */
  private readonly commitClock: () => number | null;
  private readonly headFreshAsOfMs: () => number | null;
  private times: LagClock = new LagClock();

  /**
   * @param headFreshAsOfMs as of when, by that clock, the head is all there is, null where that is not known: on a replica,
   *   those that it feeds are never fresher than itself
   */
  constructor(commitClock: () => number | null, headFreshAsOfMs: () => number | null = commitClock) {
    this.commitClock = commitClock;
    this.headFreshAsOfMs = headFreshAsOfMs;
  }

  get headTxid(): Txid | undefined {
    return this.times.headTxid;
  }

  /** Another log begins. */
  begin(): void {
    this.times = new LagClock();
  }

  /** Up to there everything is committed. */
  note(txid: Txid, commitTimeMs: number | null): void {
    this.times.note(txid, commitTimeMs);
  }

  of(replica: TrackedReplica): Lag {
    const { appliedTxid } = replica;
    const { headTxid } = this;
    const isKnown = appliedTxid !== null && headTxid !== undefined;
    const nowMs = this.commitClock();
    const lagMs = nowMs === null ? null : this.lagMs(replica, nowMs);
    return {
      lagTransactions: isKnown ? Math.max(0, headTxid - appliedTxid) : null,
      lagSeconds: lagMs === null ? null : lagMs / 1000,
      freshAsOfMs: lagMs === null || nowMs === null ? null : nowMs - lagMs,
    };
  }

  /** Kept up for the time after a restart, when nothing is known of the transactions before it. */
  noteBehind(replica: TrackedReplica): void {
    const { appliedTxid } = replica;
    const { headTxid } = this;
    if (appliedTxid === null || headTxid === undefined) return;
    if (appliedTxid >= headTxid) replica.behindSinceMs = null;
    else replica.behindSinceMs = this.times.oldestAfterMs(appliedTxid) ?? replica.behindSinceMs;
  }

  /** Where the log's times do not reach back so far, by what was known before. */
  private lagMs({ appliedTxid, behindSinceMs }: TrackedReplica, nowMs: number): number | null {
    if (appliedTxid === null) return null;
    if (this.headTxid !== undefined && appliedTxid >= this.headTxid) {
      const freshAsOfMs = this.headFreshAsOfMs();
      return freshAsOfMs === null ? null : Math.max(0, nowMs - freshAsOfMs);
    }
    const bridgedMs = behindSinceMs === null ? null : Math.max(0, nowMs - behindSinceMs);
    return this.times.lagMs(appliedTxid, nowMs) ?? bridgedMs;
  }
}
