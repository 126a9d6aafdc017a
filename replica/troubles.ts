import { toErrorData } from "../shared/errors.ts";
import type { TailraceError } from "../shared/errors.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Notice } from "../shared/notice.ts";
import type { Remedy } from "../shared/plan/follow-state.ts";
import { RecentErrors, recentError } from "../shared/recent-errors.ts";
import type { Txid } from "../shared/units.ts";
import { PeerError } from "./answers.ts";
import { followerNotices } from "./follower-notices.ts";

/** What has gone wrong with a follower lately, and what is told of it. */
export class Troubles {
  readonly errors: RecentErrors;
  /** How long the peer asked to be left alone by its last error; 0 where it did not. */
  retryAfterMs = 0;
  /** When the last failure came, the database was here. */
  txid: Txid = -1;
  /** The failure that is not overcome yet, and since when (monotonic). */
  private present: { readonly code: string; readonly sinceMs: number } | undefined;
  private readonly tell: (notice: Notice) => void;
  private readonly clocks: { readonly wallMs: () => number; readonly monotonicMs: () => number };

  constructor(
    tell: (notice: Notice) => void,
    clocks: { readonly wallMs: () => number; readonly monotonicMs: () => number },
    metrics: ReplicaEngineMetrics,
  ) {
    this.tell = tell;
    this.clocks = clocks;
    this.errors = new RecentErrors((code) => metrics.failed(code));
  }

  /** A step has failed. Told of when it is another failure than the one before, not at each try. */
  failed(error: TailraceError, remedy: Remedy, txid: Txid): void {
    const { wallMs, monotonicMs } = this.clocks;
    const isNews = this.present?.code !== error.code;
    this.errors.add(recentError(toErrorData(error), wallMs()));
    this.present = { code: error.code, sinceMs: this.present?.sinceMs ?? monotonicMs() };
    this.txid = txid;
    this.retryAfterMs = error instanceof PeerError ? error.retryAfterMs : 0;
    // What ends the following is told as its end, once, by whoever hears of it.
    if (isNews && remedy !== "stop") this.tell(followerNotices.failed(error, remedy));
  }

  /** All that the primary has is here: whatever was wrong is over. */
  overcome(txid: Txid): void {
    if (this.present === undefined) return;
    const { code, sinceMs } = this.present;
    this.present = undefined;
    const failedForMs = Math.round(this.clocks.monotonicMs() - sinceMs);
    this.tell(followerNotices.caughtUp({ txid, code, failedForMs }));
  }
}
