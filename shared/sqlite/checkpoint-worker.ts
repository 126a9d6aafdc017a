import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../errors.ts";
import { answerCalls } from "../rpc.ts";
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
  passive: () => passiveCheckpoint(connection),
  close: () => connection.close(),
} satisfies CheckpointMethods);
