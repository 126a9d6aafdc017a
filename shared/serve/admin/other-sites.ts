import type { IncomingHttpHeaders } from "node:http";
import { TailraceError } from "../../errors.ts";

/**
 * Refuses a request that a page of another site has made in somebody's browser, which can reach nodes that the site
 * cannot. Browsers say where a request comes from, and no page can make them say otherwise; what says nothing (curl, the
 * commands) is no browser.
 *
 * @throws forbidden
 */
export function refuseOtherSites(headers: IncomingHttpHeaders): void {
  const site = headers["sec-fetch-site"];
  // `none`: the user has typed the address.
  if (site !== undefined && site !== "same-origin" && site !== "none") throw forbidden(`the site is ${site}`);
  const { origin, host } = headers;
  if (origin !== undefined && hostOf(origin) !== host) throw forbidden(`the origin is ${origin}`);
}

/** Scheme aside: a proxy may have spoken TLS. `null`, which sandboxed pages send, is nobody's host. */
function hostOf(origin: string): string | undefined {
  return /^https?:\/\/(?<host>[^/]+)$/.exec(origin)?.groups?.["host"];
}

function forbidden(what: string): TailraceError {
  return new TailraceError("forbidden", `a page of another site asks for this: ${what}`, {
    hint: "Use the node's own page, the tailrace command, or a client that is no browser.",
  });
}
