import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { LogPrimary } from "../../harness/log-primary.ts";

/** What the honest node would have answered. */
export interface Honest {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** A request, and what there is to lie about. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** `/wal`, `/snapshot/latest` … */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly primary: LogPrimary;
  readonly honest: () => Promise<Honest>;
  /** It is given bytes of a log: a request for more of them is no idle one. */
  readonly fed: () => void;
}

/** Answers a request in its own way. @returns false to let the truth pass */
export type Answering = (asked: Asked) => Promise<boolean> | boolean;

const PASSED_ON = ["range", "if-range", "accept", "wal-log-id", "wal-epoch", "wal-applied-checksum"];
const HOP_BY_HOP = ["connection", "keep-alive", "transfer-encoding"];

/** Stands before an honest primary, and tells the truth until it is told to lie. */
export class LyingNode {
  url = "";
  /** Requests since the last {@link lie} or {@link tellTheTruth}, but for those that were given something. */
  requests = 0;
  /** Those that were. */
  meals = 0;
  private readonly primary: LogPrimary;
  private readonly server: Server;
  private answering: Answering | undefined;

  constructor(primary: LogPrimary) {
    this.primary = primary;
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  lie(answering: Answering): void {
    this.requests = 0;
    this.meals = 0;
    this.answering = answering;
    // A request that is held knows nothing of the lie yet.
    this.server.closeAllConnections();
  }

  tellTheTruth(): void {
    this.requests = 0;
    this.answering = undefined;
    this.server.closeAllConnections();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    response.on("error", () => {});
    const url = new URL(request.url ?? "/", this.url);
    const honest = (): Promise<Honest> => this.ask(request, url, this.answering === undefined);
    const { pathname: path, searchParams: query } = url;
    const { primary } = this;
    const fed = (): void => {
      this.requests -= 1;
      this.meals += 1;
    };
    if ((await this.answering?.({ request, response, path, query, primary, honest, fed })) === true) return;
    const { status, headers, body } = await honest();
    response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
  }

  private async ask(request: IncomingMessage, url: URL, isPatient: boolean): Promise<Honest> {
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    for (const name of PASSED_ON) {
      const value = request.headers[name];
      if (typeof value === "string") headers[name] = value;
    }
    if (url.searchParams.has("wait_ms")) url.searchParams.set("wait_ms", isPatient ? "50" : "0");
    const target = `${this.primary.url}${url.pathname}${url.search}`;
    const answer = await fetch(target, { method: request.method ?? "GET", headers });
    const body = Buffer.from(await answer.arrayBuffer());
    const given = Object.fromEntries(answer.headers);
    for (const hop of HOP_BY_HOP) delete given[hop];
    return { status: answer.status, headers: given, body };
  }
}
