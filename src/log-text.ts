import type { WalStatus } from "../shared/admin.ts";
import { UNKNOWN, ago, count, counted, cursor, duration, printable, size, time } from "../shared/human.ts";
import type { LogStatus, SegmentStatus } from "../shared/status.ts";
import { tableLines } from "./text-table.ts";
import type { Column, Paper } from "./text-table.ts";

type Pairs = readonly (readonly [name: string, text: string])[];

/** So many reasons for which a segment is kept are named. */
const NAMED_REASONS = 3;

/** What a node's log is, and what limits it. */
export function logPairs(log: LogStatus, nowMs: number): Pairs {
  const committed = log.headTimeMs === null ? "" : `, committed ${moment(log.headTimeMs, nowMs)}`;
  const segments = counted(log.segmentCount, "segment");
  const checksum = printable(log.databaseChecksum);
  return [
    ["head", `txid ${log.headTxid}, checksum ${checksum}${committed}`],
    ["size", `${size(log.sizeBytes)} in ${segments}, ${cursor(log.start)} to ${cursor(log.end)}`],
    ["growth", growthText(log)],
    ["kept", keptText(log)],
    ["disk", diskText(log)],
    ["log id", `${printable(log.logId)}, epoch ${log.epoch}, durability ${log.durability}`],
  ];
}

function growthText({ bytesPerSecond, commitsPerSecond }: LogStatus): string {
  if (bytesPerSecond === null || commitsPerSecond === null) return "not known yet";
  return `${size(bytesPerSecond)}/s, ${count(Math.round(commitsPerSecond * 10) / 10)} commits/s`;
}

function keptText({ keepBytes, keepMs, maxBytes, holdInactiveMs }: LogStatus): string {
  const least = [...(keepBytes > 0 ? [size(keepBytes)] : []), ...(keepMs > 0 ? [duration(keepMs)] : [])];
  return [
    ...(least.length === 0 ? [] : [`at least ${least.join(" and ")}`]),
    maxBytes === null ? "no limit" : `at most ${size(maxBytes)}, past which replicas are given up`,
    `inactive replicas are held for ${duration(holdInactiveMs)}`,
  ].join("; ");
}

function diskText({ diskFreeBytes, diskSizeBytes }: LogStatus): string {
  if (diskFreeBytes === null) return UNKNOWN;
  return `${size(diskFreeBytes)} free${diskSizeBytes === null ? "" : ` of ${size(diskSizeBytes)}`}`;
}

/** What a node's SQLite WAL is: a primary tells of frames captured, a replica of frames copied. */
export function walPairs(wal: WalStatus): Pairs {
  const limit = wal.softLimitBytes === undefined ? "" : `; starts over from ${size(wal.softLimitBytes)} on`;
  const pairs: [string, string][] = [["size", `${size(wal.sizeBytes)}${limit}`]];
  if (wal.publishedFrames !== undefined) {
    const captured = wal.capturedFrames === undefined ? "" : `, ${count(wal.capturedFrames)} captured`;
    const copied = wal.backfilledFrames === undefined ? "" : `, ${count(wal.backfilledFrames)} checkpointed`;
    pairs.push(["frames", `${count(wal.publishedFrames)} committed${captured}${copied}`]);
  } else if (wal.frames !== undefined) {
    const copied = wal.copiedFrames === undefined ? "" : `, ${count(wal.copiedFrames)} checkpointed`;
    pairs.push(["frames", `${count(wal.frames)}${copied}`]);
  }
  const checkpoints = wal.completedCheckpoints ?? wal.checkpoints;
  if (checkpoints !== undefined) {
    const restarts = wal.restarts === undefined ? "" : `, ${counted(wal.restarts, "restart")} of the WAL`;
    pairs.push(["checkpoints", `${count(checkpoints)} completed${restarts}`]);
  }
  if ((wal.heldWriters ?? 0) > 0)
    pairs.push(["writers", `held up ${counted(wal.heldWriters!, "time")} to make room`]);
  return pairs;
}

const SEGMENT_COLUMNS: readonly Column[] = [
  { heading: "segment", align: "right" },
  { heading: "size", align: "right" },
  { heading: "state", dropOrder: 1 },
  { heading: "written", align: "right", dropOrder: 2 },
  { heading: "kept for" },
];

/** The files of a log, oldest first. */
export function segmentLines(
  segments: readonly SegmentStatus[],
  nowMs: number,
  paper: Paper,
): readonly string[] {
  const rows = segments.map(({ segment, sizeBytes, isSealed, modifiedMs, keptFor }) => [
    String(segment),
    size(sizeBytes),
    isSealed ? "sealed" : "growing",
    ago(modifiedMs, nowMs),
    isSealed ? reasonsText(keptFor) : "what comes next",
  ]);
  return tableLines(SEGMENT_COLUMNS, rows, paper);
}

function reasonsText(reasons: readonly string[]): string {
  if (reasons.length === 0) return "nothing: it goes soon";
  const named = reasons.slice(0, NAMED_REASONS).map((reason) => printable(reason));
  const more = reasons.length - named.length;
  return `${named.join(", ")}${more === 0 ? "" : ` and ${count(more)} more`}`;
}

function moment(timeMs: number, nowMs: number): string {
  return `${time(timeMs)}, ${ago(timeMs, nowMs)}`;
}
