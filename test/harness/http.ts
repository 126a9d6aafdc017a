import { request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { expect } from "vitest";
import { HEADER, problemSchema } from "../../shared/protocol.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As it came over the wire. */
  readonly body: Buffer;
}

/** A request without anything that an HTTP client adds of itself. */
export function get(
  url: string,
  { headers = {}, method = "GET" }: { headers?: Record<string, string>; method?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** An answer that is an error, checked for its form. */
export function problem({
  body,
  headers,
}: Answer): { code: string; detail: string; retryable: boolean; status: number } & Record<string, unknown> {
  expect(headers["content-type"]).toBe("application/problem+json");
  expect(headers[HEADER.protocol]).toBe("1");
  const parsed = problemSchema.parse(JSON.parse(body.toString()));
  expect(parsed.detail).not.toBe("");
  return parsed;
}

/** A node's status document. */
export async function statusOf(url: string): Promise<Record<string, unknown>> {
  const { body } = await get(`${url}/status`);
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

const UNTIL_MS = 20_000;

/** Asks again until it is so. */
export async function until<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (const end = performance.now() + UNTIL_MS; performance.now() < end;) {
    const value = await ask();
    if (isSo(value)) return value;
  }
  throw new Error("it never comes to be");
}
