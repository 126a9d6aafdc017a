import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import type { NodeProcess } from "./node-process.ts";

/* Every name given to failpoint() in the product, by the circumstance under which it is passed. */

/** Hit by a replica that exists and follows. */
export const FOLLOWING: readonly string[] = [
  "receive.chunk-written",
  "apply.intent-written",
  "append.frames-written",
  "append.index-written",
  "append.published",
  "apply.published",
  "apply.position-written",
];
/** Hit by a replica's first commit into an empty WAL. */
export const EMPTY_WAL: readonly string[] = ["append.wal-header"];
/** Hit while a replica's checkpoint policy does its work. */
export const CHECKPOINTING: readonly string[] = ["checkpoint.before", "checkpoint.after"];
/** Hit by a replica that has no database yet. */
export const BOOTSTRAP: readonly string[] = [
  "bootstrap.part-written",
  "bootstrap.verified",
  "bootstrap.published",
];
/** Hit when a replica mends itself by fetching the pages that differ. */
export const RESYNC: readonly string[] = [
  "resync.pages-fetched",
  "resync.log-fetched",
  "resync.intent-written",
  "resync.published",
  "resync.log-replaced",
];
/** Hit by a primary under load. */
export const PRIMARY: readonly string[] = [
  "capture.frames-read",
  "capture.recorded",
  "capture.synced",
  "capture.pin-moved",
  "capture.checkpointed",
  "capture.restart-allowed",
  "log.fragment-written",
  "log.record-written",
  "log.synced",
  "log.segment-sealed",
  "log.segment-created",
];
/** Hit by a primary that is told to end. */
export const CLOSING: readonly string[] = ["pages.entries-written"];
/** Hit by a primary that takes its first snapshot. */
export const SNAPSHOT: readonly string[] = [
  "snapshot.image-written",
  "snapshot.sums-written",
  "snapshot.published",
];
/** Hit by a repair that cuts a log. */
export const REPAIR: readonly string[] = ["repair.begun", "repair.tail-saved", "repair.moved", "repair.cut"];
/** Hit by a primary that drops a part of its log which no replica needs any more. */
export const RETENTION: readonly string[] = ["retention.tracked", "log.segment-removed", "retention.dropped"];
/** Only where a replica's durability asks for an fsync of its WAL; tested beside the appender. */
export const ELSEWHERE: readonly string[] = ["append.synced"];

const DEATH_LIMIT_MS = 15_000;

/** Starts it to die at a failpoint, and proves that it did. @returns it, dead */
export async function dieAt(
  point: string,
  launch: (env: Record<string, string>) => NodeProcess,
): Promise<NodeProcess> {
  const process = launch({ TAILRACE_FAILPOINT: point });
  const ending = await Promise.race([process.exited, pause(DEATH_LIMIT_MS, undefined, { ref: false })]);
  if (ending === undefined) await process.kill();
  expect(ending, `never came to ${point}; it printed:\n${process.text.slice(-2000)}`).toEqual({
    code: null,
    signal: "SIGKILL",
  });
  return process;
}
