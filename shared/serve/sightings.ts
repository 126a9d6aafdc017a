import { LRUCache } from "lru-cache";
import type { Cursor, Txid } from "../units.ts";
import type { Sighting } from "./engine.ts";

interface Seen {
  readonly id: string;
  address: string | null;
  received: Cursor;
  sent: Cursor | null;
  appliedTxid: Txid | null;
  lastSeenMs: number;
  openRequests: number;
}

export interface SightingsOptions {
  /** Unix ms. */
  readonly clock: () => number;
  /** Past it, the one longest silent is no longer known here. */
  readonly maxReplicas: number;
  /** Told of each change; `isNew` of a replica that was not known. */
  readonly onChange: (isNew: boolean) => void;
}

/**
 * What askers of `/wal` have said of themselves, in memory, for a bounded number of them, and which of it the engine has
 * not heard yet. What it means for them (lag, retention) is the engine's to say.
 */
export class Sightings {
  private readonly options: SightingsOptions;
  private readonly replicas: LRUCache<string, Seen>;
  /** Invariant: all of them are among `replicas`, so it is bounded like those, also while the engine takes none. */
  private changed = new Set<Seen>();

  constructor(options: SightingsOptions) {
    this.options = options;
    this.replicas = new LRUCache({
      max: options.maxReplicas,
      dispose: (seen) => this.changed.delete(seen),
    });
  }

  /**
   * A replica asks for the bytes from a cursor on: it has all before.
   *
   * @returns to be called when it was answered, with the cursor after what was sent, or without when it went away
   */
  asked(
    id: string,
    request: { readonly address: string | null; readonly cursor: Cursor; readonly appliedTxid: Txid | null },
  ): (sent?: Cursor) => void {
    const { clock } = this.options;
    const known = this.replicas.get(id);
    const seen = known ?? {
      id,
      address: null,
      received: request.cursor,
      sent: null,
      appliedTxid: null,
      lastSeenMs: 0,
      openRequests: 0,
    };
    if (known === undefined) this.replicas.set(id, seen);
    seen.address = request.address;
    seen.received = request.cursor;
    seen.appliedTxid = request.appliedTxid ?? seen.appliedTxid;
    seen.lastSeenMs = clock();
    seen.openRequests += 1;
    this.mark(seen, known === undefined);
    let isOpen = true;
    return (sent) => {
      if (!isOpen) return;
      isOpen = false;
      seen.openRequests -= 1;
      seen.sent = sent ?? seen.sent;
      seen.lastSeenMs = clock();
      // One that was forgotten meanwhile does not come back by an old request of its.
      if (this.replicas.peek(id) === seen) this.mark(seen, false);
    };
  }

  /** As if it had never asked: its next request makes it new. */
  forget(id: string): void {
    this.replicas.delete(id);
  }

  /** Those that have changed since the last call. */
  takeChanged(): Sighting[] {
    const changed = [...this.changed];
    this.changed.clear();
    const nowMs = this.options.clock();
    return changed.map(({ openRequests, lastSeenMs, ...seen }) => ({
      ...seen,
      lastSeenMs: openRequests > 0 ? nowMs : lastSeenMs,
      isAsking: openRequests > 0,
    }));
  }

  /** They count as changed again: the engine has not heard of them after all. */
  giveBack(sightings: readonly Sighting[]): void {
    for (const { id } of sightings) {
      const seen = this.replicas.peek(id);
      if (seen !== undefined) this.changed.add(seen);
    }
  }

  private mark(seen: Seen, isNew: boolean): void {
    this.changed.add(seen);
    this.options.onChange(isNew);
  }
}
