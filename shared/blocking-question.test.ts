import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BlockingQuestion } from "./blocking-question.ts";
import { TailraceError } from "./errors.ts";

interface Answer {
  readonly count: number;
  readonly asOfMs: number;
}

/** Longer than any thread takes that answers at all. */
const LONG_MS = 20_000;

let worker: Worker;
let question: BlockingQuestion<Answer>;
beforeEach(() => {
  worker = new Worker(new URL("../test/programs/answering-thread.ts", import.meta.url));
  question = new BlockingQuestion(worker, { count: 0, asOfMs: 0 });
});
afterEach(() => worker.terminate());

/** Holds the thread up. @returns lets it go on */
function hold(): () => void {
  const cell = new Int32Array(new SharedArrayBuffer(8));
  worker.postMessage({ kind: "hold", cell });
  // Two ports keep no order between them: it stands still before it is asked anything.
  Atomics.wait(cell, 1, 0, LONG_MS);
  return () => {
    Atomics.store(cell, 0, 1);
    Atomics.notify(cell, 0);
  };
}

test("each question is answered within the call", () => {
  expect([1, 2, 3].map(() => question.ask(LONG_MS).count)).toEqual([1, 2, 3]);
});

test("a thread that is held up costs no more than the limit, and what it said last is given, with its age", () => {
  const before = question.ask(LONG_MS);
  const release = hold();
  expect(question.ask(20)).toEqual(before);
  release();
  // Its late answer to the question before is not mistaken for the answer to this one.
  expect(question.ask(LONG_MS).count).toBe(before.count + 2);
});

test("what another call has brought is not forgotten for something older", () => {
  question.ask(LONG_MS);
  const release = hold();
  const newer = { count: 1_000, asOfMs: Date.now() + LONG_MS };
  question.remember(newer);
  question.remember({ count: 7, asOfMs: 1 });
  expect(question.ask(20)).toEqual(newer);
  release();
});

test("what the other side throws is thrown here", () => {
  worker.postMessage({ kind: "break" });
  hold()();
  expect(() => question.ask(LONG_MS)).toThrow(expect.objectContaining({ code: "not_ready" }));
});

test("a thread that has gone is not waited for", async () => {
  worker.once("exit", () => question.fail(new TailraceError("closed", "gone")));
  void worker.terminate();
  await once(worker, "exit");
  expect(() => question.ask(LONG_MS)).toThrow(expect.objectContaining({ code: "closed" }));
});
