import { setTimeout as pause } from "node:timers/promises";
import { TailraceError } from "../shared/errors.ts";
import { count, printable } from "../shared/human.ts";
import { verificationStatusSchema } from "../shared/status.ts";
import type { VerificationStatus } from "../shared/status.ts";
import { ask, errorOfNode } from "./node-client.ts";
import { shownUrl } from "./node-url.ts";

const POLL_MS = 200;
/** Between two lines of progress of one node. */
const TELL_MS = 2_000;
/** So many of the pages that differ are named. */
const NAMED_PAGES = 10;

/**
 * Has a node read every page from its disk again, and waits for the end.
 *
 * @param stallMs how long it may make no progress
 * @throws timeout when it makes none; what it failed with
 */
export async function verifyDeeply(
  url: string,
  stallMs: number,
  say: (text: string) => void,
): Promise<VerificationStatus> {
  const question = { path: "/admin/verify", schema: verificationStatusSchema, timeoutMs: stallMs };
  let status = await ask(url, { ...question, method: "POST" });
  let pagesDone = -1;
  let movedMs = performance.now();
  let toldMs = movedMs;
  while (status.state === "running") {
    const nowMs = performance.now();
    if (status.pagesDone !== pagesDone) movedMs = nowMs;
    if (nowMs - movedMs > stallMs) {
      throw new TailraceError("timeout", `${shownUrl(url)} has not read a page within ${stallMs} ms`, {
        retryable: true,
        hint: "Its disk may hang; or give --timeout-ms more.",
      });
    }
    pagesDone = status.pagesDone;
    if (nowMs - toldMs >= TELL_MS) {
      toldMs = nowMs;
      say(`${shownUrl(url)}: ${progressText(status)}`);
    }
    await pause(POLL_MS);
    status = await ask(url, question);
  }
  if (status.state === "identical" || status.state === "different") return status;
  throw failureOf(url, status);
}

/** `http://…: txid 1204, 262,144 pages, expected d565…, found d565…` */
export function verificationText(url: string, status: VerificationStatus): string {
  const { txid, pagesTotal, expectedChecksum, foundChecksum } = status;
  const at = `txid ${txid ?? "–"}, ${count(pagesTotal)} pages`;
  const checksums = `expected ${checksum(expectedChecksum)}, found ${checksum(foundChecksum)}`;
  const different = status.state === "different" ? `\n    ${pagesText(status)}` : "";
  return `${shownUrl(url)}: ${at}, ${checksums}${different}`;
}

function pagesText({ differentPages }: VerificationStatus): string {
  if (differentPages.length === 0) return "which pages differ is not known";
  const named = differentPages.slice(0, NAMED_PAGES).map(String);
  const more = differentPages.length > NAMED_PAGES ? " …" : "";
  return `different ${differentPages.length === 1 ? "page" : "pages"}: ${named.join(", ")}${more}`;
}

function checksum(text: string | null): string {
  return text === null ? "–" : printable(text);
}

function progressText({ pagesDone, pagesTotal }: VerificationStatus): string {
  const share = pagesTotal === 0 ? 0 : Math.floor((100 * pagesDone) / pagesTotal);
  return `${count(pagesDone)} of ${count(pagesTotal)} pages read, ${share} %`;
}

function failureOf(url: string, { state, error }: VerificationStatus): TailraceError {
  if (state === "none") {
    return new TailraceError("not_ready", `${shownUrl(url)} was restarted meanwhile`, {
      retryable: true,
      hint: "Ask again.",
    });
  }
  if (error === null)
    return new TailraceError("storage_failed", `${shownUrl(url)} has failed to read its pages`);
  return errorOfNode(url, error);
}
