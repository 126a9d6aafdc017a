import type { NodePosition } from "./node-client.ts";

/** How many of its positions are remembered for a node. */
const MAX_POSITIONS = 10_000;

export interface Comparison {
  readonly txid: number;
  readonly checksums: readonly [string, string];
  readonly isIdentical: boolean;
}

/**
 * Compares two nodes that move. They are hardly ever seen at one txid at one moment; but what has been seen of each
 * is kept, and a txid through which both have passed is as good.
 */
export class NodeComparer {
  private readonly seen: readonly [Map<number, string>, Map<number, string>] = [new Map(), new Map()];

  /** @returns the comparison, as soon as a txid is known of both nodes */
  see(node: 0 | 1, { txid, databaseChecksum }: NodePosition): Comparison | undefined {
    const own = this.seen[node];
    own.set(txid, databaseChecksum);
    const [oldest] = own.keys();
    if (own.size > MAX_POSITIONS && oldest !== undefined) own.delete(oldest);
    const other = this.seen[node === 0 ? 1 : 0].get(txid);
    if (other === undefined) return undefined;
    const checksums =
      node === 0 ? ([databaseChecksum, other] as const) : ([other, databaseChecksum] as const);
    return { txid, checksums, isIdentical: databaseChecksum === other };
  }
}
