import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { TailraceError } from "../../errors.ts";

/**
 * Refuses a request that a page of another site has made in somebody's browser, which can reach nodes that the site
 * cannot. Browsers say where a request comes from, and no page can make them say otherwise; what says nothing (curl, the
 * commands) is no browser.
 *
 * A site can give its own name the address of this machine (DNS rebinding): its pages then pass for the node's own. What
 * comes over loopback is for a loopback name or an address, or has come by a proxy. A proxy that speaks TLS has a
 * certificate for its name, which this node could not show for the site's; one that does not cannot be told from such a
 * site, and browsers can only look through it.
 *
 * @throws forbidden
 */
export function refuseOtherSites({ headers, socket }: Pick<IncomingMessage, "headers" | "socket">): void {
  const site = headers["sec-fetch-site"];
  // `none`: the user has typed the address.
  if (site !== undefined && site !== "same-origin" && site !== "none") throw forbidden(`the site is ${site}`);
  const { origin, host } = headers;
  if (origin === undefined) return;
  const { scheme, authority } = /^(?<scheme>https?):\/\/(?<authority>[^/]+)$/.exec(origin)?.groups ?? {};
  // Scheme aside: a proxy may have spoken TLS. `null`, which sandboxed pages send, is nobody's.
  if (authority === undefined || authority !== host) throw forbidden(`the origin is ${origin}`);
  if (scheme === "http" && isLoopback(socket.localAddress ?? "") && !isOfThisMachine(authority))
    throw forbidden(`${origin} has the address of this machine, but not its name`);
}

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

/** Names that no site can have. @param authority host, and port where there is one */
function isOfThisMachine(authority: string): boolean {
  const name = authority.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isIP(name) !== 0 || /^(.+\.)?localhost\.?$/i.test(name);
}

function forbidden(what: string): TailraceError {
  return new TailraceError("forbidden", `a page of another site asks for this: ${what}`, {
    hint: "Use the node's own page, the tailrace command, or a client that is no browser.",
  });
}
