import type { ReplicasDocument } from "../shared/admin.ts";
import { UNKNOWN, ago, count, cursor, duration, printable, size } from "../shared/human.ts";
import { compareReplicas } from "../shared/plan/health.ts";
import type { ReplicaStatus } from "../shared/status.ts";
import { tableLines } from "./text-table.ts";
import type { Cell, Column, Paper } from "./text-table.ts";

/** Those of pg_stat_replication, then those of pg_replication_slots. */
const COLUMNS: readonly Column[] = [
  { heading: "id" },
  { heading: "address", dropOrder: 5, isOptional: true },
  { heading: "state" },
  { heading: "sent", align: "right", dropOrder: 7 },
  { heading: "received", align: "right", dropOrder: 4 },
  { heading: "applied", align: "right", dropOrder: 2 },
  { heading: "lag (tx)", align: "right" },
  { heading: "lag (size)", align: "right", dropOrder: 1 },
  { heading: "lag (time)", align: "right" },
  { heading: "retention", dropOrder: 6 },
  { heading: "left until lost" },
  { heading: "inactive since", dropOrder: 3, isOptional: true },
];

/** The replicas that a node feeds, the worst first; of very many, it lists but the worst. */
export function replicaLines(
  { replicas, replicasTotal, nowMs }: ReplicasDocument,
  paper: Paper,
): readonly string[] {
  const rows = replicas.toSorted(compareReplicas).map((replica) => cells(replica, nowMs));
  const more = replicasTotal - replicas.length;
  return [
    ...tableLines(COLUMNS, rows, paper),
    ...(more > 0 ? [`and ${count(more)} more, none of them worse`] : []),
  ];
}

function cells(replica: ReplicaStatus, nowMs: number): readonly Cell[] {
  return [
    printable(replica.id),
    replica.address === null ? UNKNOWN : printable(replica.address),
    stateCell(replica),
    replica.sent === null ? UNKNOWN : cursor(replica.sent),
    cursor(replica.received),
    replica.appliedTxid === null ? UNKNOWN : String(replica.appliedTxid),
    replica.lagTransactions === null ? UNKNOWN : count(replica.lagTransactions),
    replica.lagBytes === null ? UNKNOWN : size(replica.lagBytes),
    replica.lagSeconds === null ? UNKNOWN : duration(replica.lagSeconds * 1000),
    replica.retention,
    leftCell(replica, nowMs),
    replica.inactiveSinceMs === null ? UNKNOWN : ago(replica.inactiveSinceMs, nowMs),
  ];
}

function stateCell({ state }: ReplicaStatus): Cell {
  const text = state.replaceAll("_", " ");
  if (state === "lost") return { text, style: "red" };
  return state === "inactive" ? { text, style: "yellow" } : text;
}

/** `1.2 GiB, about 40 min` */
function leftCell(replica: ReplicaStatus, nowMs: number): Cell {
  const { retention, state, bytesUntilLost, secondsUntilLost, lostAtMs } = replica;
  if (retention === "lost" || state === "lost") {
    return { text: lostAtMs === null ? "lost" : `lost ${ago(lostAtMs, nowMs)}`, style: "red" };
  }
  if (bytesUntilLost === null) return UNKNOWN;
  const time = secondsUntilLost === null ? "" : `, about ${duration(secondsUntilLost * 1000)}`;
  const text = `${size(bytesUntilLost)}${time}`;
  return retention === "endangered" ? { text, style: "red" } : text;
}
