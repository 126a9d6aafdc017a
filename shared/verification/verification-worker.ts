import { parentPort, workerData } from "node:worker_threads";
import { TailraceError, assert } from "../errors.ts";
import { DatabaseView } from "../pages/database-view.ts";
import { runToEnd, scanView } from "../pages/scan.ts";
import type { OnPage } from "../pages/scan.ts";
import { answerCalls } from "../rpc.ts";
import type { DatabaseChecksum, PageNumber } from "../units.ts";
import { scanLog } from "./log-scan.ts";
import { LOG_BYTES_SIGNAL, PAGES_SIGNAL, STOP_SIGNAL } from "./verification-task.ts";
import type { PageHashes, VerificationMethods, VerificationTask } from "./verification-task.ts";

assert(parentPort !== null, "the verification runs as a worker");
const port = parentPort;
const { view: shared, signals } = workerData as VerificationTask;
const view = shared === null ? undefined : DatabaseView.attach(shared);
const slices = hashSlices();

answerCalls(port, {
  checksum: () => runToEnd(pages(() => {})),
  nextHashes: () => {
    const step = slices.next();
    return step.done ? null : step.value;
  },
  logDamage: (stretch) =>
    runToEnd(obedient(scanLog(stretch), (bytes) => Atomics.add(signals, LOG_BYTES_SIGNAL, BigInt(bytes)))),
  close: () => {
    view?.close();
    port.close();
  },
} satisfies VerificationMethods);

function* hashSlices(): Generator<PageHashes, void, void> {
  const numbers: PageNumber[] = [];
  const hashes: bigint[] = [];
  const scan = pages((pageNumber, hash) => {
    numbers.push(pageNumber);
    hashes.push(hash);
  });
  for (const _lastPage of scan) {
    yield { pages: Uint32Array.from(numbers.splice(0)), hashes: BigUint64Array.from(hashes.splice(0)) };
  }
}

function pages(onPage: OnPage): Generator<PageNumber, DatabaseChecksum, void> {
  assert(view !== undefined, "pages are read from a view");
  return obedient(scanView(view, onPage), (page) => Atomics.store(signals, PAGES_SIGNAL, BigInt(page)));
}

/** The same scan, but it tells how far it is, and stops when it is told to. @throws closed */
function* obedient<T>(
  scan: Generator<number, T, void>,
  tell: (progress: number) => void,
): Generator<number, T, void> {
  try {
    for (;;) {
      const step = scan.next();
      if (step.done) return step.value;
      tell(step.value);
      if (Atomics.load(signals, STOP_SIGNAL) !== 0n) {
        throw new TailraceError("closed", "the verification was stopped before its end");
      }
      yield step.value;
    }
  } finally {
    // What it has open.
    scan.return(undefined as never);
  }
}
