import errors from "undici/lib/core/errors.js";
import Pool from "undici/lib/dispatcher/pool.js";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import { reusingConnector } from "./connections.ts";

/** An answer whose body has been received whole. */
export interface Answer {
  readonly status: number;
  /** Names in lower case; a header that came more than once is absent, as none of the protocol's may. */
  readonly headers: ReadonlyMap<string, string>;
  /** As it came over the wire: `content-encoding` is the caller's to undo. */
  readonly body: Buffer;
}

export interface RequestOptions {
  /** GET unless it says otherwise. */
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** A larger body is a protocol_violation, and is not received further. */
  readonly maxBodyBytes: number;
  /** Memory for the body, at least that long: used again and again it spares the garbage collector much work. */
  readonly into?: Buffer;
  /** How long the headers may take; the body's pace has limits of its own. */
  readonly headersTimeoutMs?: number;
}

/** A receiver of a long body: called in order, and not again once it has thrown or returned false. */
export interface BodySink {
  /** @returns false to refuse the body: the request ends at once, and successfully */
  start(status: number, headers: ReadonlyMap<string, string>, abort: (error: Error) => void): boolean;
  /**
   * Works synchronously, and that is the back pressure. The bytes are good until it returns. What it throws ends the
   * request and is thrown by it.
   */
  data(bytes: Buffer): void;
}

/** The way to another node. Every failure is a TailraceError: `unreachable`, `timeout`, `protocol_violation`, `closed`. */
export interface Transport {
  /** @param target path below the node's URL, with its query */
  get(target: string, options: RequestOptions): Promise<Answer>;
  /** A body of any length, piece by piece. Bodies of errors (status ≥ 400) go to the sink as well. */
  stream(target: string, options: Omit<RequestOptions, "maxBodyBytes">, sink: BodySink): Promise<void>;
  close(): Promise<void>;
}

/** For one node: the long poll, a download beside it, and one to spare. */
const MAX_CONNECTIONS = 3;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** Without a single byte for this long, a body has stalled. */
const BODY_IDLE_TIMEOUT_MS = 15_000;
/** A body held in memory has to be complete after this time, however it drips. */
const BODY_TOTAL_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 16 * 1024;

/** @throws invalid_configuration unless the text is an absolute http or https URL without query or fragment */
export function parseNodeUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new TailraceError("invalid_configuration", `not the URL of a node: ${JSON.stringify(text)}`, {
      hint: "It looks like http://host:4800, without query or fragment.",
    });
  }
  return url;
}

/** A node's URL as it may be shown: without user and password. */
export function nodeName(node: URL): string {
  const shown = new URL(node);
  shown.username = "";
  shown.password = "";
  return shown.href;
}

/** HTTP by undici's own pool: one keep-alive connection for the long poll, so that a commit costs one round trip. */
export class HttpTransport implements Transport {
  private readonly pool: Pool;
  private readonly prefix: string;
  private readonly node: string;

  constructor(node: URL) {
    this.node = nodeName(node);
    this.prefix = node.pathname.replace(/\/+$/, "");
    this.pool = new Pool(node.origin, {
      connections: MAX_CONNECTIONS,
      connect: reusingConnector({ timeout: CONNECT_TIMEOUT_MS, maxHeaderBytes: MAX_HEADER_BYTES }),
      bodyTimeout: BODY_IDLE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
  }

  async get(target: string, options: RequestOptions): Promise<Answer> {
    const { maxBodyBytes, into } = options;
    const parts: Buffer[] = [];
    let status = 0;
    let headers: ReadonlyMap<string, string> = new Map();
    let sizeBytes = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.stream(target, options, {
        start: (statusCode, received, abort) => {
          [status, headers] = [statusCode, received];
          timer = setTimeout(
            () => abort(this.timeout("the body was not complete in time")),
            BODY_TOTAL_TIMEOUT_MS,
          );
          return true;
        },
        data: (bytes) => {
          sizeBytes += bytes.length;
          if (sizeBytes > maxBodyBytes) {
            throw new TailraceError(
              "protocol_violation",
              `${this.node} answers ${target} with more than ${maxBodyBytes} bytes`,
              { retryable: true },
            );
          }
          if (into !== undefined) bytes.copy(into, sizeBytes - bytes.length);
          else parts.push(Buffer.from(bytes));
        },
      });
    } finally {
      clearTimeout(timer);
    }
    if (into !== undefined) return { status, headers, body: into.subarray(0, sizeBytes) };
    return { status, headers, body: parts.length === 1 ? parts[0]! : Buffer.concat(parts) };
  }

  stream(target: string, options: Omit<RequestOptions, "maxBodyBytes">, sink: BodySink): Promise<void> {
    const { method = "GET", headers = {}, signal, headersTimeoutMs = HEADERS_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        signal?.removeEventListener("abort", cancel);
        reject(this.translate(error, signal));
      };
      let cancel = (): void => reject(this.translate(signal?.reason, signal));
      if (signal?.aborted === true) return cancel();
      let isRefused = false;
      this.pool.dispatch(
        { path: this.prefix + target, method, headers, headersTimeout: headersTimeoutMs },
        {
          onRequestStart: (controller) => {
            cancel = () => controller.abort(asError(signal?.reason));
            if (signal?.aborted === true) cancel();
            else signal?.addEventListener("abort", cancel, { once: true });
          },
          onResponseStart: (controller, status, received) => {
            // 1xx answers are not the answer.
            if (status < 200) return;
            try {
              isRefused = !sink.start(status, single(received), (error) => controller.abort(error));
            } catch (error) {
              controller.abort(asError(error));
            }
            if (isRefused) controller.abort(new Error("refused"));
          },
          onResponseData: (controller, bytes) => {
            if (controller.aborted) return;
            try {
              sink.data(bytes);
            } catch (error) {
              controller.abort(asError(error));
            }
          },
          onResponseEnd: () => {
            signal?.removeEventListener("abort", cancel);
            resolve();
          },
          onResponseError: (_controller, error) => {
            if (!isRefused) return fail(error);
            signal?.removeEventListener("abort", cancel);
            resolve();
          },
        },
      );
    });
  }

  async close(): Promise<void> {
    await this.pool.destroy(new TailraceError("closed", "the replica is closing"));
  }

  private timeout(what: string): TailraceError {
    return new TailraceError("timeout", `${this.node}: ${what}`, { retryable: true });
  }

  /** The one place that knows undici's errors. */
  private translate(error: unknown, signal: AbortSignal | undefined): TailraceError {
    if (error instanceof TailraceError) return error;
    if (signal?.aborted === true) {
      return signal.reason instanceof TailraceError
        ? signal.reason
        : new TailraceError("closed", "the request was given up", { cause: error });
    }
    // Not the network's doing: it names what is wrong in here, or in whoever takes the body.
    if (error instanceof TypeError || error instanceof ReferenceError) return asTailraceError(error);
    if (
      error instanceof errors.HeadersTimeoutError ||
      error instanceof errors.BodyTimeoutError ||
      error instanceof errors.ConnectTimeoutError
    ) {
      return this.timeout(`no answer in time (${error.message})`);
    }
    if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError) {
      return new TailraceError("not_tailrace", `${this.node} does not speak HTTP: ${error.message}`, {
        cause: error,
        hint: "Check host and port of the primary.",
      });
    }
    return new TailraceError("unreachable", `${this.node} cannot be reached: ${reason(error)}`, {
      cause: error,
      retryable: true,
    });
  }
}

function single(received: NodeJS.Dict<string | string[]>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(received).flatMap(([name, value]) =>
      typeof value === "string" ? [[name.toLowerCase(), value] as const] : [],
    ),
  );
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

/** The innermost message says what happened: an AggregateError of a refused connection has an empty one. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}
