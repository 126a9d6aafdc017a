import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { History } from "../history.ts";
import type { StatusDocument } from "../../status.ts";
import type { NodeContext } from "../parts.ts";
import { PAGE_POLICY, renderPage, renderPart } from "./page.ts";

const HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": PAGE_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  vary: "accept-encoding",
};
/** A page drawn so recently is as good as one drawn now: many who watch cost no more than a few. */
const SAME_MS = 500;
const compress = promisify(gzip);

interface PageParts {
  readonly status: { readonly read: () => Promise<StatusDocument> };
  readonly history: History;
  /** Unix ms. */
  readonly clock: () => number;
}

/** `GET /`: the status page. With `?part=main`, what changes of it. */
export function pageRoute({ status, history, clock }: PageParts): (c: NodeContext) => Promise<Response> {
  const drawn = new Map<string, { readonly atMs: number; readonly text: Promise<string> }>();
  return async (c) => {
    const part = c.req.query("part") === "main" ? "main" : "all";
    let page = drawn.get(part);
    const nowMs = clock();
    if (page === undefined || nowMs - page.atMs >= SAME_MS || nowMs < page.atMs) {
      const render = part === "main" ? renderPart : renderPage;
      page = { atMs: nowMs, text: status.read().then((document) => render(document, history.view())) };
      drawn.set(part, page);
    }
    const text = await page.text;
    if (!/\bgzip\b/.test(c.req.header("accept-encoding") ?? "")) return c.body(text, 200, HEADERS);
    const body = await compress(text, { level: constants.Z_BEST_SPEED });
    return c.body(body, 200, { ...HEADERS, "content-encoding": "gzip" });
  };
}
