import type { IncomingHttpHeaders } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { TailraceError } from "../errors.ts";
import { HEADER, PROTOCOL_VERSION } from "../protocol.ts";
import { checkpointRoute } from "./admin/checkpoint.ts";
import { refuseOtherSites } from "./admin/other-sites.ts";
import { forgetRoute, replicasRoute } from "./admin/replicas.ts";
import { snapshotsRoute, takeSnapshotRoute } from "./admin/snapshots.ts";
import { startVerificationRoute, verificationRoute } from "./admin/verify.ts";
import { logRoute } from "./admin/wal.ts";
import { livezRoute, readyzRoute } from "./health-routes.ts";
import { metricsRoute } from "./metrics-route.ts";
import { pageRoute } from "./page/page-route.ts";
import type { NodeContext, NodeEnvironment, Parts } from "./parts.ts";
import { problemResponse } from "./problem.ts";
import { snapshotRoutes } from "./snapshot-route.ts";
import { statusRoute } from "./status-route.ts";
import { walRoute } from "./wal-route.ts";

/** The body of a request that is read to nowhere, for the sake of the connection. */
const MAX_IGNORED_BYTES: number = 64 << 10;

type Route = (c: NodeContext) => Response | Promise<Response>;

/** What is served at one path. GET only looks (HEAD comes with it); the others act. */
interface Routes {
  readonly GET?: Route;
  readonly POST?: Route;
  readonly DELETE?: Route;
}

/** All routes of a node. */
export function createApp(parts: Parts): Hono<NodeEnvironment> {
  const app = new Hono<NodeEnvironment>();
  const snapshots = snapshotRoutes(parts);
  const served: Record<string, Routes> = {
    "/": { GET: pageRoute(parts) },
    "/wal": { GET: walRoute(parts) },
    "/snapshot/latest": { GET: snapshots.latest },
    "/snapshot/:generation/page-checksums": { GET: snapshots.pageChecksums },
    "/status": { GET: statusRoute(parts) },
    "/metrics": { GET: metricsRoute(parts) },
    "/livez": { GET: livezRoute() },
    "/readyz": { GET: readyzRoute(parts) },
    "/healthz": { GET: readyzRoute(parts) },
    "/admin/replicas": { GET: replicasRoute(parts) },
    "/admin/replicas/:id": { DELETE: forgetRoute(parts) },
    "/admin/wal": { GET: logRoute(parts) },
    "/admin/snapshots": { GET: snapshotsRoute(parts), POST: takeSnapshotRoute(parts) },
    "/admin/checkpoint": { POST: checkpointRoute(parts) },
    "/admin/verify": { GET: verificationRoute(parts), POST: startVerificationRoute(parts) },
  };

  // On Node's response itself, so that it is on every answer, whoever writes it.
  app.use(async (c, next) => {
    c.env.outgoing.setHeader(HEADER.protocol, PROTOCOL_VERSION);
    // No route reads a body. Node reads what is left of one to its end, unless the connection ends with the answer.
    if (hasUnreadBody(c.env.incoming.headers)) c.env.outgoing.setHeader("connection", "close");
    await next();
    parts.metrics.requests.inc({ route: c.get("route") ?? "other", status: statusOf(c) });
  });
  for (const [path, { GET, POST, DELETE }] of Object.entries(served)) {
    const counted = (route: Route): Route => {
      return (c) => {
        c.set("route", path);
        return route(c);
      };
    };
    if (GET !== undefined) app.get(path, counted(GET));
    if (POST !== undefined) app.post(path, counted(acting(POST)));
    if (DELETE !== undefined) app.delete(path, counted(acting(DELETE)));
    const allow = [GET && "GET, HEAD", POST && "POST", DELETE && "DELETE"].filter(Boolean).join(", ");
    app.all(
      path,
      counted((c) => methodNotAllowed(c, allow)),
    );
  }
  app.notFound((c) => problemResponse(new TailraceError("not_found", `nothing is served at ${c.req.path}`)));
  app.onError((error, c) => {
    if (!c.env.outgoing.headersSent) return problemResponse(error);
    // A response that has begun cannot become another: breaking it off is what tells the reader.
    c.env.outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}

/** A body that is too long to be read, or that a client keeps back until it is told to go on, and never is. */
function hasUnreadBody(headers: IncomingHttpHeaders): boolean {
  const { expect, "transfer-encoding": coding, "content-length": length = 0 } = headers;
  return expect !== undefined || coding !== undefined || Number(length) > MAX_IGNORED_BYTES;
}

/** Of a request that has been answered, or never will be. */
const GONE = 499;

function statusOf({ env: { outgoing }, res }: NodeContext): number {
  if (outgoing.headersSent) return outgoing.statusCode;
  return outgoing.destroyed ? GONE : res.status;
}

function acting(route: Route): Route {
  return (c) => {
    refuseOtherSites(c.env.incoming);
    return route(c);
  };
}

function methodNotAllowed(c: NodeContext, allow: string): Response {
  const error = new TailraceError("not_found", `${c.req.method} is not served at ${c.req.path}`);
  return problemResponse(error, { allow }, 405);
}
