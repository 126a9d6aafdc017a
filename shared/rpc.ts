import type { MessagePort, Worker } from "node:worker_threads";
import { TailraceError, fromErrorData, toErrorData } from "./errors.ts";
import type { ErrorData } from "./errors.ts";

/** What a thread offers to another: named functions over structured-cloneable values, and events the other way. */
export type Methods = Record<string, (argument: never) => unknown>;
export type Events = Record<string, unknown>;

type Port = MessagePort | Worker;

type Message =
  | { readonly kind: "call"; readonly id: number; readonly method: string; readonly argument: unknown }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: ErrorData }
  | { readonly kind: "event"; readonly name: string; readonly value: unknown };

/** Answers the other side's calls. A handler may be asynchronous; what it throws arrives as the same TailraceError. */
export function answerCalls(port: MessagePort, methods: Methods): void {
  port.on("message", (message: Message) => {
    if (message.kind !== "call") return;
    const { id, method, argument } = message;
    const answer = async (): Promise<unknown> => {
      const handler = methods[method];
      if (handler === undefined) throw new TailraceError("internal", `no method ${method}`);
      return await (handler as (argument: unknown) => unknown)(argument);
    };
    answer().then(
      (value) => port.postMessage({ kind: "result", id, value } satisfies Message),
      (error: unknown) =>
        port.postMessage({ kind: "error", id, error: toErrorData(error) } satisfies Message),
    );
  });
}

/** Sends an event to the other side. */
export function emit<E extends Events, K extends keyof E & string>(
  port: MessagePort,
  name: K,
  value: E[K],
): void {
  port.postMessage({ kind: "event", name, value } satisfies Message);
}

/** The calling side of a port. */
export class RpcClient<M extends Methods, E extends Events> {
  private readonly port: Port;
  private readonly waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (error: Error) => void }
  >();
  private readonly listeners = new Map<string, (value: never) => void>();
  private closedWith: TailraceError | undefined;
  private lastId = 0;

  constructor(port: Port) {
    this.port = port;
    port.on("message", (message: Message) => this.receive(message));
  }

  /** @throws whatever the handler threw; `closed` once the other side is gone */
  call<K extends keyof M & string>(
    method: K,
    ...[argument]: Parameters<M[K]>
  ): Promise<Awaited<ReturnType<M[K]>>> {
    if (this.closedWith !== undefined) return Promise.reject(this.closedWith);
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.port.postMessage({ kind: "call", id, method, argument } satisfies Message);
    });
  }

  /** One listener an event; a second replaces the first. */
  on<K extends keyof E & string>(name: K, listener: (value: E[K]) => void): void {
    this.listeners.set(name, listener);
  }

  /** Fails every waiting and later call: for when the other side has gone. */
  fail(error: TailraceError): void {
    this.closedWith ??= error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  private receive(message: Message): void {
    if (message.kind === "event") this.listeners.get(message.name)?.(message.value as never);
    if (message.kind !== "result" && message.kind !== "error") return;
    const call = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.kind === "result") call?.resolve(message.value as never);
    else call?.reject(fromErrorData(message.error));
  }
}
