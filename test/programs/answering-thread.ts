import { parentPort } from "node:worker_threads";
import { TailraceError, assert } from "../../shared/errors.ts";
import { answerQuestion } from "../../shared/blocking-question.ts";

/*
 * A thread for shared/blocking-question.test.ts. It answers with the number of its answers; told `hold` it is held up
 * until cell 0 is 1 (cell 1 says that it is), told `break` its answers are errors.
 */
assert(parentPort !== null, "this runs as a worker");
let count = 0;
let isBroken = false;

answerQuestion(parentPort, () => {
  if (isBroken) throw new TailraceError("not_ready", "broken by the test");
  return { count: ++count, asOfMs: Date.now() };
});
parentPort.on("message", (message: { kind: string; cell?: Int32Array }) => {
  const { kind, cell } = message;
  if (kind === "break") isBroken = true;
  if (kind !== "hold" || cell === undefined) return;
  Atomics.store(cell, 1, 1);
  Atomics.notify(cell, 1);
  Atomics.wait(cell, 0, 0, 10_000);
});
