import { parentPort, workerData } from "node:worker_threads";
import { TailraceError, assert } from "../errors.ts";
import { DatabaseView } from "../pages/database-view.ts";
import { runToEnd, scanView } from "../pages/scan.ts";
import { answerCalls } from "../rpc.ts";
import type { PageNumber } from "../units.ts";
import { PROGRESS_SIGNAL, STOP_SIGNAL } from "./verification-task.ts";
import type { PageHashes, VerificationMethods, VerificationTask } from "./verification-task.ts";

assert(parentPort !== null, "the verification runs as a worker");
const port = parentPort;
const { view: shared, signals } = workerData as VerificationTask;
const view = DatabaseView.attach(shared);
const slices = hashSlices();

answerCalls(port, {
  checksum: () => runToEnd(obedient(scanView(view, () => {}))),
  nextHashes: () => {
    const step = slices.next();
    return step.done ? null : step.value;
  },
  close: () => {
    view.close();
    port.close();
  },
} satisfies VerificationMethods);

function* hashSlices(): Generator<PageHashes, void, void> {
  const pages: PageNumber[] = [];
  const hashes: bigint[] = [];
  const scan = scanView(view, (pageNumber, hash) => {
    pages.push(pageNumber);
    hashes.push(hash);
  });
  for (const _lastPage of obedient(scan)) {
    yield { pages: Uint32Array.from(pages.splice(0)), hashes: BigUint64Array.from(hashes.splice(0)) };
  }
}

/** The same scan, but it tells how far it is, and stops when it is told to. @throws closed */
function* obedient<T>(scan: Generator<PageNumber, T, void>): Generator<PageNumber, T, void> {
  for (;;) {
    const step = scan.next();
    if (step.done) return step.value;
    Atomics.store(signals, PROGRESS_SIGNAL, step.value);
    if (Atomics.load(signals, STOP_SIGNAL) !== 0) {
      throw new TailraceError("closed", "the verification was stopped before its end");
    }
    yield step.value;
  }
}
