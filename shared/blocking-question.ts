import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort, Worker } from "node:worker_threads";
import { fromErrorData, toErrorData } from "./errors.ts";
import type { ErrorData, TailraceError } from "./errors.ts";

/** How long the asker's thread stands still at most. An idle thread answers in a fraction of a millisecond. */
const ANSWER_LIMIT_MS = 100;

interface QuestionPortMessage {
  readonly kind: "question-port";
  readonly port: MessagePort;
  /** One number: the last question that was answered. The asker sleeps on it. */
  readonly answered: Int32Array;
}

/** An answer that says how old it is. */
interface Dated {
  /** Unix ms. */
  readonly asOfMs: number;
}

type Answer<Value> =
  | { readonly id: number; readonly value: Value }
  | { readonly id: number; readonly error: ErrorData };

/**
 * One question to a thread, answered within a synchronous call: for a function of the library that may not be
 * asynchronous. The other side of {@link answerQuestion}.
 */
export class BlockingQuestion<Value extends Dated> {
  private readonly port: MessagePort;
  private readonly answered: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  private last: Value;
  private lastId = 0;
  private failedWith: TailraceError | undefined;

  /** @param first what is known before the first answer */
  constructor(worker: Worker, first: Value) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.last = first;
    const message: QuestionPortMessage = { kind: "question-port", port: port2, answered: this.answered };
    worker.postMessage(message, [port2]);
  }

  /**
   * @returns the thread's answer as of now; the newest one known where it does not come in time
   * @throws whatever the handler threw
   */
  ask(limitMs: number = ANSWER_LIMIT_MS): Value {
    if (this.failedWith !== undefined) throw this.failedWith;
    const id = ++this.lastId;
    this.port.postMessage(id);
    const endMs = performance.now() + limitMs;
    for (;;) {
      // Read before the port is looked at: an answer that comes in between ends the sleep at once.
      const seen = Atomics.load(this.answered, 0);
      if (this.receive(id)) return this.last;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return this.last;
      Atomics.wait(this.answered, 0, seen, leftMs);
    }
  }

  /** Takes over what another call has brought. What {@link ask} gives from here on is at least as new. */
  remember(value: Value): void {
    if (value.asOfMs >= this.last.asOfMs) this.last = value;
  }

  /** Fails every later question: for when the thread has gone. */
  fail(error: TailraceError): void {
    this.failedWith ??= error;
    this.port.close();
  }

  /** Takes what has come, late answers to earlier questions too. @returns whether the answer was among it */
  private receive(id: number): boolean {
    for (;;) {
      const received = receiveMessageOnPort(this.port);
      if (received === undefined) return false;
      const message = received.message as Answer<Value>;
      if (message.id === id) {
        if ("error" in message) throw fromErrorData(message.error);
        this.last = message.value;
        return true;
      }
      if ("value" in message) this.remember(message.value);
    }
  }
}

/** Answers the questions of whoever started this thread. The handler must not be asynchronous: the asker stands still. */
export function answerQuestion(parent: MessagePort, handler: () => unknown): void {
  parent.on("message", (message: { readonly kind?: unknown }) => {
    if (message.kind !== "question-port") return;
    const { port, answered } = message as QuestionPortMessage;
    port.on("message", (id: number) => {
      port.postMessage(answerTo(id, handler));
      Atomics.store(answered, 0, id);
      Atomics.notify(answered, 0);
    });
    port.unref();
  });
}

function answerTo(id: number, handler: () => unknown): Answer<unknown> {
  try {
    return { id, value: handler() };
  } catch (error) {
    return { id, error: toErrorData(error) };
  }
}
