import { connect } from "node:net";
import type { Socket } from "node:net";

/** One answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  /** Names in lower case; a value each time that the header came. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** After the transfer coding was undone. */
  readonly body: Buffer;
}

export interface Exchange {
  readonly answers: readonly RawAnswer[];
  /** Bytes that are no whole answer. */
  readonly rest: Buffer;
  /** How it came to an end. */
  readonly end: "closed" | "answered" | "timeout";
}

export interface ExchangeOptions {
  readonly port: number;
  /** What is sent, piece by piece, one turn of the event loop after the other. */
  readonly pieces: readonly Buffer[];
  /** The methods of the requests in it, one after the other: only with them answers can be told apart. */
  readonly methods: readonly string[];
  /** The client has nothing more to say. */
  readonly isEnding: boolean;
  readonly limitMs: number;
}

const MAX_BYTES = 8 << 20;

/** Sends bytes to a node, and takes apart what comes back. */
export function exchange({ port, pieces, methods, isEnding, limitMs }: ExchangeOptions): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    const finish = (end: Exchange["end"]): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...takeApart(Buffer.concat(parts), methods, end === "closed"), end });
    };
    const timer = setTimeout(() => finish("timeout"), limitMs);
    socket.on("error", () => {}).on("close", () => finish("closed"));
    socket.on("end", () => finish("closed"));
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      sizeBytes += part.length;
      const { answers } = takeApart(Buffer.concat(parts), methods, false);
      if (sizeBytes > MAX_BYTES || answers.length >= methods.length) finish("answered");
    });
    socket.on("connect", () => void sendPieces(socket, pieces, isEnding));
  });
}

async function sendPieces(socket: Socket, pieces: readonly Buffer[], isEnding: boolean): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (isEnding) socket.end();
}

function takeApart(
  bytes: Buffer,
  methods: readonly string[],
  isClosed: boolean,
): Pick<Exchange, "answers" | "rest"> {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  for (const method of methods) {
    const found = takeOne(rest, method === "HEAD", isClosed);
    if (found === undefined) break;
    rest = found.rest;
    answers.push(found.answer);
  }
  return { answers, rest };
}

function takeOne(
  bytes: Buffer,
  isHead: boolean,
  isClosed: boolean,
): { readonly answer: RawAnswer; readonly rest: Buffer } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = bytes.toString("latin1", 0, headEnd);
  const [statusLine = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  const after = bytes.subarray(headEnd + 4);
  // `100 continue` is no answer.
  if (status >= 100 && status < 200) return takeOne(after, isHead, isClosed);
  const answerOf = (body: Buffer): RawAnswer => ({ status, head, headers, body });
  if (isHead || status === 204 || status === 304) return { answer: answerOf(Buffer.alloc(0)), rest: after };
  if (headers.get("transfer-encoding")?.[0] === "chunked") {
    const chunked = takeChunks(after);
    return chunked && { answer: answerOf(chunked.body), rest: chunked.rest };
  }
  const length = headers.get("content-length")?.[0];
  const lengthBytes = length === undefined ? (isClosed ? after.length : undefined) : Number(length);
  if (lengthBytes === undefined || after.length < lengthBytes) return undefined;
  return { answer: answerOf(after.subarray(0, lengthBytes)), rest: after.subarray(lengthBytes) };
}

function takeChunks(bytes: Buffer): { readonly body: Buffer; readonly rest: Buffer } | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) return undefined;
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
    if (size === 0) return { body: Buffer.concat(parts), rest: bytes.subarray(at) };
  }
}
