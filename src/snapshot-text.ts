import type { SnapshotsDocument } from "../shared/admin.ts";
import { UNKNOWN, ago, count, cursor, duration, printable, size } from "../shared/human.ts";
import { tableLines } from "./text-table.ts";
import type { Column, Paper } from "./text-table.ts";

const COLUMNS: readonly Column[] = [
  { heading: "generation", align: "right" },
  { heading: "txid", align: "right" },
  { heading: "taken", align: "right" },
  { heading: "size", align: "right" },
  { heading: "log after it", align: "right", dropOrder: 1 },
  { heading: "in use", align: "right", dropOrder: 2 },
  { heading: "log goes on at", align: "right", dropOrder: 3 },
  { heading: "checksum", dropOrder: 4 },
];

const NONE = "none yet: the first replica that asks for one has it made";

type Snapshots = Pick<SnapshotsDocument, "snapshots" | "nowMs"> & {
  readonly snapshotSinceMs?: number | null;
};

/** Snapshots, oldest first, and whether another is being taken. */
export function snapshotLines(
  { snapshots, snapshotSinceMs = null, nowMs }: Snapshots,
  paper: Paper,
): readonly string[] {
  const rows = snapshots.map((snapshot) => [
    String(snapshot.generation),
    String(snapshot.txid),
    ago(snapshot.createdMs, nowMs),
    size(snapshot.sizeBytes),
    snapshot.logBytesAfter === null ? UNKNOWN : size(snapshot.logBytesAfter),
    count(snapshot.downloads),
    cursor(snapshot.cursor),
    printable(snapshot.databaseChecksum),
  ]);
  const table = rows.length === 0 ? [] : tableLines(COLUMNS, rows, paper);
  if (snapshotSinceMs === null) return rows.length === 0 ? [NONE] : table;
  const since = duration(Math.max(0, nowMs - snapshotSinceMs));
  return [...table, `${rows.length === 0 ? "the first" : "another"} is being taken, for ${since} now`];
}
