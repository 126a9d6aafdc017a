import { TailraceError } from "../errors.ts";
import { counted, duration } from "../human.ts";
import { notice } from "../notice.ts";
import type { Notice } from "../notice.ts";
import type { VerificationStatus } from "../status.ts";

/** Pages that a sentence names. */
const NAMED_PAGES = 5;

/** What there is to tell of a verification that has ended; undefined where it was only stopped. */
export function verificationNotice(ended: VerificationStatus): Notice | undefined {
  const { state, txid, pagesDone, startedMs, endedMs, differentPages, error } = ended;
  const durationMs = startedMs === null || endedMs === null ? null : Math.max(0, endedMs - startedMs);
  if (state === "identical") {
    const text = `every page on disk is what the log says at transaction ${txid}: ${counted(pagesDone, "page")} in ${duration(durationMs ?? 0)}`;
    return notice("info", "verification_done", text, { txid, pages: pagesDone, durationMs });
  }
  if (state === "different") {
    const fields = { txid, differentPages: differentPages.length, durationMs };
    return notice("error", "verification_different", differenceText(ended), fields);
  }
  if (error === null || error.code === "closed") return undefined;
  const { code, message, hint } = error;
  return notice("warn", "verification_failed", `the pages could not be verified: ${message}`, {
    code,
    message,
    hint,
  });
}

/** The difference that a verification has found, as an error. */
export function verificationError(ended: VerificationStatus): TailraceError | undefined {
  if (ended.state !== "different") return undefined;
  return new TailraceError("damaged", differenceText(ended), {
    hint: "Compare with tailrace verify --deep, look at the disk, and restore the file from a sound copy.",
  });
}

function differenceText({ txid, differentPages }: VerificationStatus): string {
  const named = differentPages.slice(0, NAMED_PAGES).join(", ");
  const more = differentPages.length > NAMED_PAGES ? " …" : "";
  const which = differentPages.length === 0 ? "" : ` (page ${named}${more})`;
  return `pages on disk are not what the log says at transaction ${txid}${which}`;
}
