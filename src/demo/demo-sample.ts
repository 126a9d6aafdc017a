import { fetchStatus } from "../node-client.ts";
import type { NodeStatus } from "../node-client.ts";
import type { DemoProcess } from "./demo-process.ts";
import type { DemoRow } from "./demo-table.ts";
import type { TransferReader } from "./transfer-reader.ts";

export interface DemoNode {
  readonly name: string;
  readonly file: string;
  readonly url: string;
  readonly process: DemoProcess;
}

/**
 * A function that asks all nodes at once, the primary first, and says what changed since it was last called.
 *
 * @param readers of the replicas' files, by name
 */
export function sampleNodes(
  nodes: readonly DemoNode[],
  readers: ReadonlyMap<string, TransferReader>,
  timeoutMs: number,
): () => Promise<readonly DemoRow[]> {
  const last = new Map<string, { readonly txid: number; readonly atMs: number }>();
  return async () => {
    const statuses = await Promise.all(
      nodes.map(({ url }) => fetchStatus(url, timeoutMs).catch(() => undefined as NodeStatus | undefined)),
    );
    const atMs = performance.now();
    const lagsMs = new Map<string, number | null>();
    for (const [name, reader] of readers) lagsMs.set(name, await reader.lagMs());
    const headTxid = statuses[0]?.position?.txid ?? null;
    return nodes.map(({ name }, index) => {
      const status = statuses[index];
      const txid = status?.position?.txid ?? null;
      const before = last.get(name);
      if (txid !== null) last.set(name, { txid, atMs });
      return {
        name,
        txid,
        // The two were asked at one moment but answered at two: a replica may then be ahead of what its primary said.
        lagTransactions:
          index === 0 || txid === null || headTxid === null ? null : Math.max(0, headTxid - txid),
        lagMs: lagsMs.get(name) ?? null,
        transactionsPerSecond:
          txid === null || before === undefined ? null : ((txid - before.txid) * 1000) / (atMs - before.atMs),
        state: stateOf(status),
      };
    });
  };
}

/** A replica says in which state it follows; a primary serves or does not. */
function stateOf(status: NodeStatus | undefined): string {
  if (status === undefined) return "no answer";
  const { state, isReady } = status.document;
  return typeof state === "string" ? state : isReady ? "serving" : "not ready";
}
