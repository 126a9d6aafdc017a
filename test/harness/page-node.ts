import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { History } from "../../shared/serve/history.ts";
import { pageRoute } from "../../shared/serve/page/page-route.ts";
import type { NodeEnvironment } from "../../shared/serve/parts.ts";
import type { StatusDocument } from "../../shared/status.ts";

/** The page of a node that is made up: what it says is set by the test, and so is whether it answers. */
export class PageNode {
  document: StatusDocument;
  history: History = new History();
  /** Requests that came, as `GET /path`. */
  readonly requests: string[] = [];
  private readonly server: Server;
  private port = 0;
  private clockMs = 0;

  private constructor(document: StatusDocument) {
    this.document = document;
    this.server = this.listener();
  }

  static async start(document: StatusDocument): Promise<PageNode> {
    const node = new PageNode(document);
    await node.comeBack();
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Nobody listens at its port any more, and those that are connected are cut off. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, "127.0.0.1", resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  private listener(): Server {
    const app = new Hono<NodeEnvironment>();
    // As the page of now is drawn once for all who ask within a moment, each of the test's is of another moment.
    const clock = (): number => (this.clockMs += 1000);
    app.get("/", (c) =>
      pageRoute({ status: { read: async () => this.document }, history: this.history, clock })(c),
    );
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    return createServer((incoming, outgoing: ServerResponse) => {
      this.requests.push(`${incoming.method} ${incoming.url}`);
      void listener(incoming, outgoing);
    });
  }
}
