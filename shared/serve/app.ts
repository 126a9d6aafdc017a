import { Hono } from "hono";
import { TailraceError } from "../errors.ts";
import { HEADER, PROTOCOL_VERSION } from "../protocol.ts";
import { livezRoute, readyzRoute } from "./health-routes.ts";
import type { NodeContext, NodeEnvironment, Parts } from "./parts.ts";
import { problemResponse } from "./problem.ts";
import { snapshotRoutes } from "./snapshot-route.ts";
import { statusRoute } from "./status-route.ts";
import { walRoute } from "./wal-route.ts";

/** All routes of a node. */
export function createApp(parts: Parts): Hono<NodeEnvironment> {
  const app = new Hono<NodeEnvironment>();
  const snapshots = snapshotRoutes(parts);
  const routes: Record<string, (c: NodeContext) => Response | Promise<Response>> = {
    "/wal": walRoute(parts),
    "/snapshot/latest": snapshots.latest,
    "/snapshot/:generation/page-checksums": snapshots.pageChecksums,
    "/status": statusRoute(parts),
    "/livez": livezRoute(),
    "/readyz": readyzRoute(parts),
    "/healthz": readyzRoute(parts),
  };

  // On Node's response itself, so that it is on every answer, whoever writes it.
  app.use(async (c, next) => {
    c.env.outgoing.setHeader(HEADER.protocol, PROTOCOL_VERSION);
    await next();
  });
  for (const [path, route] of Object.entries(routes)) {
    app.get(path, route);
    app.all(path, (c) => methodNotAllowed(c));
  }
  app.notFound((c) => problemResponse(new TailraceError("not_found", `nothing is served at ${c.req.path}`)));
  app.onError((error, c) => {
    // A response that has begun cannot become another: breaking it off is what tells the reader.
    if (c.env.outgoing.headersSent) c.env.outgoing.destroy();
    return problemResponse(error);
  });
  return app;
}

function methodNotAllowed(c: NodeContext): Response {
  const error = new TailraceError("not_found", `${c.req.method} is not served at ${c.req.path}`);
  const answer = problemResponse(error, { allow: "GET, HEAD" });
  return new Response(answer.body, { status: 405, headers: answer.headers });
}
