import { UNKNOWN_REPLICAS } from "../plan/retention.ts";
import type { HeldReplica } from "../plan/retention.ts";
import type { UnknownReplicas } from "./replicas-file.ts";
import type { FollowedLog } from "./log-extent.ts";

/**
 * Those who may have stood in a damaged file: nobody remembers them, so the log is held for them as for one replica that
 * is away.
 */
export class ForgottenReplicas {
  private unknown: UnknownReplicas | null;
  /** From where they are to be held is known with the log. */
  private isUnplaced: boolean;

  /**
   * @param stored from an earlier start
   * @param isDamaged the file was damaged at this one
   * @param downMs for how long this node was not there
   */
  constructor(stored: UnknownReplicas | null, isDamaged: boolean, downMs: number) {
    this.unknown = stored && { ...stored, sinceMs: stored.sinceMs + downMs };
    this.isUnplaced = isDamaged;
  }

  /** What a restart has to know of them. */
  get stored(): UnknownReplicas | null {
    return this.unknown;
  }

  /** That for which the log of that id is held, if anything. */
  heldIn(logId: string | undefined): HeldReplica | undefined {
    const { unknown } = this;
    if (unknown === null || unknown.logId !== logId) return undefined;
    return { id: UNKNOWN_REPLICAS, received: unknown.received, inactiveSinceMs: unknown.sinceMs };
  }

  /**
   * This is the log now. Whoever is not known in another one needs nothing of this one.
   *
   * @param sinceMs since when they count as away, Unix ms
   * @returns whether something has changed that a restart must know
   */
  follow({ logId, start }: FollowedLog, sinceMs: number): boolean {
    const isOther = this.unknown !== null && this.unknown.logId !== logId;
    if (isOther) this.unknown = null;
    if (!this.isUnplaced) return isOther;
    this.isUnplaced = false;
    this.unknown = { logId, received: start, sinceMs };
    return true;
  }

  /** Nothing is held for them any more. */
  release(): void {
    this.unknown = null;
  }
}
