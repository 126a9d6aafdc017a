import { LRUCache } from "lru-cache";
import { compareCursors } from "../format/cursor.ts";
import type { ReplicaStatus } from "../status.ts";
import type { Cursor, Txid } from "../units.ts";
import type { NodeHead } from "./engine.ts";

/** A replica that neither asks nor waits for so long is inactive. */
const INACTIVE_AFTER_MS = 10_000;
/** Heads whose time is remembered, for the lag in seconds. */
const REMEMBERED_HEADS = 4096;

interface Seen {
  readonly id: string;
  address: string | null;
  received: Cursor;
  sent: Cursor | null;
  appliedTxid: Txid | null;
  lastSeenMs: number;
  openRequests: number;
}

/** What askers of `/wal` have said of themselves, in memory, for a bounded number of them. */
export class ReplicaRegistry {
  private readonly clock: () => number;
  private readonly replicas: LRUCache<string, Seen>;
  /** A ring of the newest heads: when which txid became durable. */
  private readonly heads: { readonly txid: Txid; readonly atMs: number }[] = [];
  private nextHead = 0;

  constructor(clock: () => number, maxReplicas: number) {
    this.clock = clock;
    this.replicas = new LRUCache({ max: maxReplicas });
  }

  headChanged(head: NodeHead): void {
    this.heads[this.nextHead] = { txid: head.txid, atMs: this.clock() };
    this.nextHead = (this.nextHead + 1) % REMEMBERED_HEADS;
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
    const seen = this.replicas.get(id) ?? {
      id,
      address: null,
      received: request.cursor,
      sent: null,
      appliedTxid: null,
      lastSeenMs: 0,
      openRequests: 0,
    };
    this.replicas.set(id, seen);
    seen.address = request.address;
    seen.received = request.cursor;
    seen.appliedTxid = request.appliedTxid ?? seen.appliedTxid;
    seen.lastSeenMs = this.clock();
    seen.openRequests += 1;
    let isOpen = true;
    return (sent) => {
      if (!isOpen) return;
      isOpen = false;
      seen.openRequests -= 1;
      seen.sent = sent ?? seen.sent;
      seen.lastSeenMs = this.clock();
    };
  }

  /** @param bytesBetween log bytes from a cursor to the head */
  async list(
    head: NodeHead | undefined,
    bytesBetween: (from: Cursor, to: Cursor) => Promise<number | null>,
  ): Promise<ReplicaStatus[]> {
    const seen = [...this.replicas.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return Promise.all(seen.map((replica) => this.describe(replica, head, bytesBetween)));
  }

  private async describe(
    replica: Seen,
    head: NodeHead | undefined,
    bytesBetween: (from: Cursor, to: Cursor) => Promise<number | null>,
  ): Promise<ReplicaStatus> {
    const { id, address, received, sent, appliedTxid, lastSeenMs, openRequests } = replica;
    const isInactive = openRequests === 0 && this.clock() - lastSeenMs > INACTIVE_AFTER_MS;
    const isAtEnd = head !== undefined && compareCursors(received, head.end) >= 0;
    const lagTransactions =
      head === undefined || appliedTxid === null ? null : Math.max(0, head.txid - appliedTxid);
    return {
      id,
      address,
      state: isInactive ? "inactive" : isAtEnd ? "streaming" : "catching_up",
      sent,
      received,
      appliedTxid,
      lagTransactions,
      lagBytes: head === undefined ? null : isAtEnd ? 0 : await bytesBetween(received, head.end),
      lagSeconds: lagTransactions === null ? null : lagTransactions === 0 ? 0 : this.ageSeconds(appliedTxid!),
      lastSeenMs,
      inactiveSinceMs: isInactive ? lastSeenMs : null,
      // Nothing limits yet how long the log is kept for a replica.
      bytesUntilLost: null,
    };
  }

  /** Since when there has been a transaction past this one; null when that was too many heads ago. */
  private ageSeconds(appliedTxid: Txid): number | null {
    let earliest: number | null = null;
    let isCovered = false;
    for (const { txid, atMs } of this.heads) {
      if (txid <= appliedTxid) isCovered = true;
      else if (earliest === null || atMs < earliest) earliest = atMs;
    }
    return earliest === null || !isCovered ? null : Math.max(0, this.clock() - earliest) / 1000;
  }
}
