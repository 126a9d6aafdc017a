import type { TailraceError } from "../shared/errors.ts";
import type { Notice } from "../shared/notice.ts";
import type { Remedy } from "../shared/plan/follow-state.ts";
import type { Txid } from "../shared/units.ts";

const NEXT: Record<Exclude<Remedy, "stop">, string> = {
  retry: "trying again",
  resync: "comparing pages with the primary",
  bootstrap: "fetching a snapshot",
};

/** What a follower has to tell, in words. */
export const followerNotices = {
  bootstrapStarted: (source: string): Notice => ({
    level: "info",
    name: "bootstrap_started",
    text: `fetching a snapshot from ${source}`,
    fields: { source },
  }),

  bootstrapDone: (done: {
    readonly txid: Txid;
    readonly pages: number;
    readonly fetchedBytes: number;
  }): Notice => ({
    level: "info",
    name: "bootstrap_done",
    text: `the snapshot is here: transaction ${done.txid}`,
    fields: { ...done },
  }),

  resyncStarted: (source: string, txid: Txid | null): Notice => ({
    level: "info",
    name: "resync_started",
    text: `comparing pages with ${source}`,
    fields: { source, txid },
  }),

  /** @param fromTxid where the replica was before, null where that is not known; it may have had to step back */
  resyncDone: (done: {
    readonly pages: number;
    readonly fetchedBytes: number;
    readonly fromTxid: Txid | null;
    readonly txid: Txid;
  }): Notice => ({
    level: "info",
    name: "resync_done",
    text: `resync: ${done.pages} pages differed; at transaction ${done.txid}`,
    fields: { ...done },
  }),

  /** A failure, told when it begins, not at each try. Its name is the remedy, or what is wrong with this replica. */
  failed: (error: TailraceError, remedy: Exclude<Remedy, "stop">): Notice => ({
    level: "warn",
    name: remedy === "retry" ? "retrying" : error.code,
    text: `${error.code}: ${error.message} (${NEXT[remedy]})`,
    fields: { code: error.code, hint: error.hint ?? null },
  }),

  caughtUp: (after: {
    readonly txid: Txid;
    readonly code: string;
    readonly failedForMs: number;
  }): Notice => ({
    level: "info",
    name: "caught_up",
    text: `caught up again after ${after.code}: at transaction ${after.txid}`,
    fields: { ...after },
  }),
} as const;
