import { parentPort, workerData } from "node:worker_threads";
import { TailraceError, assert } from "../errors.ts";
import { answerCalls } from "../rpc.ts";
import { causeText } from "../storage/storage-error.ts";
import { passiveCheckpoint } from "./checkpoint.ts";
import type { CheckpointMethods, CheckpointWorkerData } from "./checkpointer.ts";
import { loadDriver } from "./driver.ts";

/*
 * The thread behind BackgroundCheckpointer: a connection whose one job is to copy frames into the database file, which
 * can take as long as the disk likes.
 */
assert(parentPort !== null, "runs as a worker");
const { driverName, file } = workerData as CheckpointWorkerData;

const driver = await loadDriver(driverName);
const connection = driver.open(file, { mustExist: true });
connection.exec("PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=NORMAL");

answerCalls(parentPort, {
  passive: () => {
    try {
      return passiveCheckpoint(connection);
    } catch (cause) {
      // Most likely a full disk. The frames stay in the WAL, and the next checkpoint tries again.
      const message = `cannot copy the WAL into ${file}: ${causeText(cause)}`;
      throw new TailraceError("storage_failed", message, {
        cause,
        retryable: true,
        hint: "Free some space on the disk, and see that the file may grow (ulimit -f).",
      });
    }
  },
  close: () => connection.close(),
} satisfies CheckpointMethods);
