import { once } from "node:events";
import { TailraceError, fromErrorData } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import type { DatabaseView } from "../pages/database-view.ts";
import type { SnapshotInfo } from "../serve/engine.ts";
import { startThread, workerUrl } from "../threads.ts";
import { hex64 } from "../units.ts";
import type { Cursor, DatabaseChecksum, Txid } from "../units.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import type { SnapshotOutcome, SnapshotTask } from "./snapshot-worker.ts";

/** What the log says of the state that is to be copied. */
export interface SnapshotSubject {
  /** Of exactly that state. Stays open, and the caller's, until the promise settles. */
  readonly view: DatabaseView;
  readonly txid: Txid;
  readonly databaseChecksum: DatabaseChecksum;
  /** The log byte after the transaction. */
  readonly cursor: Cursor;
  readonly logId: string;
  readonly epoch: number;
  /** Unix ms. */
  readonly createdMs: number;
}

/**
 * Makes the next generation from a view, in a thread of its own, while writers go on.
 *
 * A crash at any point leaves either a whole generation or files that {@link SnapshotStore.open} removes.
 *
 * @param signal stops the copying
 * @throws diverged when the pages do not have the checksum that the log says; storage_failed, damaged; closed after
 *   the signal
 */
export async function takeSnapshot(
  store: SnapshotStore,
  subject: SnapshotSubject,
  signal?: AbortSignal,
): Promise<SnapshotInfo> {
  const { view, databaseChecksum, ...stated } = subject;
  const { generation, file, checksumsFile } = store.begin();
  try {
    await copyInWorker({ view: view.share(), file, checksumsFile, expected: databaseChecksum }, signal);
    const snapshot: SnapshotInfo = {
      ...stated,
      generation,
      databaseChecksum: hex64(databaseChecksum),
      pageSizeBytes: view.pageSizeBytes,
      pageCount: view.pageCount,
      file,
      checksumsFile,
    };
    store.publish(snapshot);
    failpoint("snapshot.published");
    return snapshot;
  } catch (error) {
    store.abandon(generation);
    throw error;
  }
}

async function copyInWorker(task: SnapshotTask, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) throw stopped();
  const worker = startThread(workerUrl("./snapshot-worker", import.meta.url), {
    workerData: task,
    name: "tailrace snapshot",
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener("abort", stop, { once: true });
  let outcome: SnapshotOutcome | undefined;
  worker.on("message", (message: SnapshotOutcome) => (outcome = message));
  try {
    // Only an ended thread is sure to read through the caller's view no more.
    await once(worker, "exit");
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  if (outcome === undefined) throw stopped();
  if (outcome !== null) throw fromErrorData(outcome);
}

function stopped(): TailraceError {
  return new TailraceError("closed", "the snapshot was stopped before it was whole");
}
