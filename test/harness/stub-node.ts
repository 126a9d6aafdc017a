import { HttpResponse, http } from "msw";
import type { HttpResponseResolver } from "msw";
import type { SetupServer } from "msw/node";

/** What the node of the transcripts is called: nothing on any network answers to it. */
export const NODE = "http://node.test:4800";
export const OTHER_NODE = "http://other.test:4801";

const HEADERS = { "tailrace-protocol": "1" };

/** The method and path of a request: `GET /admin/wal`. */
export type Route = `${"GET" | "POST" | "DELETE"} /${string}`;

/** A document, with the status that it is answered with where that is not 200. */
export type StubAnswer = object | HttpResponseResolver;

/**
 * Answers for a node, by msw: no socket is opened.
 *
 * @param answers by route; a list is answered one after another, its last again and again
 */
export function serveStub(
  network: SetupServer,
  answers: Readonly<Record<Route, StubAnswer | readonly StubAnswer[]>>,
  url: string = NODE,
): void {
  for (const [route, answer] of Object.entries(answers)) {
    const [method = "", path = ""] = route.split(" ");
    const queue = Array.isArray(answer) ? [...(answer as readonly StubAnswer[])] : [answer];
    const on = { GET: http.get, POST: http.post, DELETE: http.delete }[method as "GET" | "POST" | "DELETE"];
    network.use(
      on(`${url}${path}`, (info) => {
        const next = queue.length > 1 ? queue.shift()! : queue[0]!;
        return typeof next === "function"
          ? (next as HttpResponseResolver)(info)
          : HttpResponse.json(next, { headers: HEADERS });
      }),
    );
  }
}

/** A document with another status than 200. */
export function withStatus(status: number, document: object): HttpResponseResolver {
  return () => HttpResponse.json(document, { status, headers: HEADERS });
}

/** A refusal as nodes word them. */
export function problem(
  status: number,
  code: string,
  detail: string,
  { hint = null, retryable = false }: { hint?: string | null; retryable?: boolean } = {},
): HttpResponseResolver {
  const body = { type: `urn:tailrace:problem:${code}`, title: code, status, code, detail, hint, retryable };
  return () =>
    HttpResponse.json(body, {
      status,
      headers: { ...HEADERS, "content-type": "application/problem+json" },
    });
}
