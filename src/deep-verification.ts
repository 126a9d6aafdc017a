import { setTimeout as pause } from "node:timers/promises";
import { TailraceError } from "../shared/errors.ts";
import { count, printable, size } from "../shared/human.ts";
import { verificationStatusSchema } from "../shared/verification/verification-status.ts";
import type { DamagedSegment, VerificationStatus } from "../shared/verification/verification-status.ts";
import { ask, errorOfNode } from "./node-client.ts";
import { shownUrl } from "./node-url.ts";

const POLL_MS = 200;
/** Between two lines of progress of one node. */
const TELL_MS = 2_000;
/** So many of the pages that differ are named. */
const NAMED_PAGES = 10;
/** And so many of the segments that are damaged, the newest. */
const NAMED_SEGMENTS = 5;

/**
 * Has a node read every page and its log from its disk again, and waits for the end.
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
  let done = "";
  let movedMs = performance.now();
  let toldMs = movedMs;
  while (status.state === "running") {
    const nowMs = performance.now();
    const before = done;
    done = `${status.pagesDone} ${status.logBytesDone}`;
    if (done !== before) movedMs = nowMs;
    if (nowMs - movedMs > stallMs) {
      throw new TailraceError("timeout", `${shownUrl(url)} has read nothing within ${stallMs} ms`, {
        retryable: true,
        hint: "Its disk may hang; or give --timeout-ms more.",
      });
    }
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

/** `http://…: txid 1204, 262,144 pages, expected d565…, found d565…; 11.4 MiB of log` */
export function verificationText(url: string, status: VerificationStatus): string {
  const { txid, pagesTotal, expectedChecksum, foundChecksum } = status;
  const at = `txid ${txid ?? "–"}, ${count(pagesTotal)} pages`;
  const checksums = `expected ${checksum(expectedChecksum)}, found ${checksum(foundChecksum)}`;
  const log = `${size(status.logBytesTotal)} of log`;
  const differences = [
    ...(expectedChecksum === foundChecksum ? [] : [pagesText(status)]),
    ...status.logDamage.slice(-NAMED_SEGMENTS).map((damage) => damageText(damage)),
  ];
  return [`${shownUrl(url)}: ${at}, ${checksums}; ${log}`, ...differences].join("\n    ");
}

function damageText({ segment, offset, what, firstTxid, lastTxid }: DamagedSegment): string {
  const transactions = `transactions ${firstTxid ?? "–"} to ${lastTxid ?? "–"}`;
  return `damaged log: segment ${segment}, offset ${offset}, ${transactions}: ${printable(what)}`;
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

function progressText({ pagesDone, pagesTotal, logBytesDone, logBytesTotal }: VerificationStatus): string {
  if (logBytesTotal > 0) return `${size(logBytesDone)} of ${size(logBytesTotal)} of log read`;
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
    return new TailraceError("storage_failed", `${shownUrl(url)} has failed to read its files`);
  return errorOfNode(url, error);
}
