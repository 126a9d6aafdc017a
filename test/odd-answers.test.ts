import { HttpResponse, delay, http } from "msw";
import type { HttpResponseResolver } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { runCommandLine } from "../src/command-line.ts";
import { commands } from "../src/commands.ts";
import { primaryStatus } from "./harness/status-documents.ts";

/*
 * What `status` and `verify` say to whatever a URL can answer. No socket is opened: msw answers for the network. The
 * transcripts are golden files.
 */

const URL = "http://node.test:4800";
const OTHER = "http://other.test:4800";
const PROTOCOL = { "tailrace-protocol": "1" };

const network = setupServer();
beforeAll(() => network.listen({ onUnhandledFrame: "error" }));
afterEach(() => network.resetHandlers());
afterAll(() => network.close());

/** What a shell shows of one command. */
async function transcript(...words: readonly string[]): Promise<string> {
  let text = `$ tailrace ${words.join(" ")}\n`;
  const write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, "write").mockImplementation(write),
  );
  try {
    const code = await runCommandLine({ commands, words, environment: { NO_COLOR: "1" } });
    return `${text}exit ${code}\n`;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function answers(url: string, answer: HttpResponseResolver): void {
  network.use(http.get(`${url}/status`, answer));
}

const problem = (status: number, code: string, detail: string): HttpResponseResolver => {
  const body = { type: `urn:tailrace:problem:${code}`, title: code, status, code, detail };
  return () =>
    HttpResponse.json(
      { ...body, hint: "Look at its messages.", retryable: false },
      { status, headers: { ...PROTOCOL, "content-type": "application/problem+json" } },
    );
};
const good: HttpResponseResolver = () => HttpResponse.json(primaryStatus(), { headers: PROTOCOL });

const cases: Readonly<Record<string, HttpResponseResolver>> = {
  "a-problem": problem(500, "internal", "the engine of this node said something odd"),
  "a-problem-with-control-characters": problem(500, "int\u001B[2Jernal", "cleared\u0007\u001B[31m"),
  starting: problem(503, "not_ready", "the node is starting"),
  "a-proxy-with-nothing-behind-it": () => new HttpResponse("Bad Gateway", { status: 502 }),
  html: () => HttpResponse.html("<!doctype html><h1>It works!</h1>"),
  "half-a-document": () => {
    const text = JSON.stringify(primaryStatus());
    return new HttpResponse(text.slice(0, text.length / 2), { headers: PROTOCOL });
  },
  "a-document-of-another-kind": () => HttpResponse.json({ status: "ok", uptime: 12 }),
  "a-document-with-a-wrong-type": () => HttpResponse.json({ ...primaryStatus(), isReady: "yes" }),
  "a-document-without-end": () => {
    const block = new Uint8Array(1 << 20).fill(0x20);
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(block) });
    return new HttpResponse(body, { headers: PROTOCOL });
  },
  "a-later-protocol": () => HttpResponse.json({ ...primaryStatus(), protocol: 2 }),
  "a-redirect": () => HttpResponse.redirect("http://elsewhere.test/status", 302),
  "a-redirect-to-itself": () => HttpResponse.redirect(`${URL}/status`, 308),
  nothing: () => new HttpResponse(null, { status: 204 }),
  "not-found": () => new HttpResponse("not found", { status: 404 }),
  "no-connection": () => HttpResponse.error(),
  "no-answer": async () => {
    await delay("infinite");
    return HttpResponse.json(primaryStatus());
  },
  "an-answer-that-stalls": () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"protocol":1,')),
    });
    return new HttpResponse(body, { headers: PROTOCOL });
  },
};

test.each(Object.entries(cases))("status of a node that answers with %s", async (name, answer) => {
  answers(URL, answer);
  const text = await transcript("status", URL, "--timeout-ms", "300");
  await expect(text).toMatchFileSnapshot(`golden/odd-answers/status-${name}.txt`);
});

test.each(Object.entries(cases))("verify with a node that answers with %s", async (name, answer) => {
  answers(URL, good);
  answers(OTHER, answer);
  const text = await transcript("verify", URL, OTHER, "--timeout-ms", "300");
  await expect(text).toMatchFileSnapshot(`golden/odd-answers/verify-${name}.txt`);
});

test("verify waits for a node that is starting", async () => {
  let asked = 0;
  answers(URL, good);
  answers(OTHER, (info) => (++asked < 3 ? cases["starting"]!(info) : good(info)));
  expect(await transcript("verify", URL, OTHER)).toMatch(/^identical at txid 1204\n/m);
});
