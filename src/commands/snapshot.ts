import { setTimeout as pause } from "node:timers/promises";
import { snapshotTakenDocumentSchema, snapshotsDocumentSchema } from "../../shared/admin.ts";
import type { SnapshotsDocument } from "../../shared/admin.ts";
import { TailraceError } from "../../shared/errors.ts";
import { duration, size } from "../../shared/human.ts";
import type { SnapshotStatus } from "../../shared/status.ts";
import type { AskSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { ask, errorOfNode, fetchStatus } from "../node-client.ts";
import { parseNodeUrl, shownUrl } from "../node-url.ts";
import type { Output } from "../output.ts";

/** How long the node itself is let wait: after it, there is progress to tell of. */
const FIRST_WAIT_MS = 2_000;
const POLL_MS = 500;
/** Between two lines of progress. */
const TELL_MS = 5_000;
/** Of one answer. */
const ANSWER_MS = 10_000;

/** What {@link ../commands.ts} says of `snapshot`. */
export async function run(call: Call<AskSettings>): Promise<number> {
  const { output, settings } = call;
  const url = parseNodeUrl(operand(call, 0));
  const startedMs = performance.now();
  const leftMs = (): number => settings.timeoutMs - (performance.now() - startedMs);

  const before = await list(url, Math.min(ANSWER_MS, leftMs()));
  const waitMs = Math.min(FIRST_WAIT_MS, settings.timeoutMs);
  const taken = await ask(url, {
    method: "POST",
    path: `/admin/snapshots?wait_ms=${waitMs}`,
    schema: snapshotTakenDocumentSchema,
    timeoutMs: waitMs + ANSWER_MS,
  });
  const snapshot = "snapshot" in taken ? taken.snapshot : await waitFor(url, before, leftMs, output);

  const { generation, txid, sizeBytes } = snapshot;
  const took = duration(performance.now() - startedMs);
  output.data({ snapshot }, `snapshot ${generation} at txid ${txid}, ${size(sizeBytes)}, taken in ${took}`);
  return EXIT_DONE;
}

/** Until there is a generation that was not there before, or the node takes none any more. */
async function waitFor(
  url: string,
  before: SnapshotsDocument,
  leftMs: () => number,
  output: Output,
): Promise<SnapshotStatus> {
  let toldMs = -Infinity;
  for (;;) {
    const { snapshots, snapshotSinceMs, nowMs } = await list(url, Math.max(1, Math.min(ANSWER_MS, leftMs())));
    const newest = newestOf(snapshots);
    if (newest !== undefined && newest.generation > (newestOf(before.snapshots)?.generation ?? 0))
      return newest;
    if (snapshotSinceMs === null) throw await failureOf(url, before.nowMs);
    if (performance.now() - toldMs >= TELL_MS) {
      toldMs = performance.now();
      output.message(
        `the snapshot is being taken, for ${duration(Math.max(0, nowMs - snapshotSinceMs))} now`,
      );
    }
    if (leftMs() <= POLL_MS) {
      throw new TailraceError("timeout", `${shownUrl(url)} is not done with its snapshot in time`, {
        retryable: true,
        hint: "It goes on with it: see tailrace snapshots.",
      });
    }
    await pause(POLL_MS);
  }
}

async function list(url: string, timeoutMs: number): Promise<SnapshotsDocument> {
  return ask(url, { path: "/admin/snapshots", schema: snapshotsDocumentSchema, timeoutMs });
}

function newestOf(snapshots: readonly SnapshotStatus[]): SnapshotStatus | undefined {
  return snapshots.toSorted((a, b) => b.generation - a.generation)[0];
}

/** What the node has failed with since. */
async function failureOf(url: string, sinceMs: number): Promise<TailraceError> {
  const { document } = await fetchStatus(url, ANSWER_MS);
  const error = document.errors.findLast(({ timeMs }) => timeMs >= sinceMs);
  if (error !== undefined) return errorOfNode(url, error);
  return new TailraceError("storage_failed", `${shownUrl(url)} has taken no snapshot, and does not say why`, {
    hint: "The log of its process says more.",
  });
}
