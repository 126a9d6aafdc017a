import { parentPort, workerData } from "node:worker_threads";
import { assert, toErrorData } from "../errors.ts";
import type { ErrorData } from "../errors.ts";
import { DatabaseView } from "../pages/database-view.ts";
import type { SharedView } from "../pages/database-view.ts";
import type { DatabaseChecksum } from "../units.ts";
import { writeSnapshot } from "./write-snapshot.ts";

/** What one run of this thread is asked to do. */
export interface SnapshotTask {
  readonly view: SharedView;
  readonly file: string;
  readonly checksumsFile: string;
  readonly expected: DatabaseChecksum;
}

/** Its one message: why it has failed, or null. */
export type SnapshotOutcome = ErrorData | null;

assert(parentPort !== null, "the snapshot worker runs as a worker");
parentPort.postMessage(await run(workerData as SnapshotTask));

async function run({ view: shared, file, checksumsFile, expected }: SnapshotTask): Promise<SnapshotOutcome> {
  try {
    const view = DatabaseView.attach(shared);
    try {
      await writeSnapshot(view, file, checksumsFile, expected);
      return null;
    } finally {
      view.close();
    }
  } catch (error) {
    return toErrorData(error);
  }
}
