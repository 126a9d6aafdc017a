import { TailraceError } from "../errors.ts";
import { counted, duration, size } from "../human.ts";
import { notice } from "../notice.ts";
import type { Notice } from "../notice.ts";
import type { DamagedSegment, VerificationStatus } from "./verification-status.ts";

/** Pages that a sentence names. */
const NAMED_PAGES = 5;

/** Damaged segments that have a line each. */
const NAMED_SEGMENTS = 5;

/** Who hears of a verification that has ended. */
export interface VerificationListeners {
  readonly notify: (notice: Notice) => void;
  readonly onError: (error: TailraceError) => void;
  /** The log is damaged there, while every page is sound: it is to be given up to the end of that segment. */
  readonly giveUp: (damage: DamagedSegment) => void;
}

/** Tells what has come of a verification. */
export function tellVerification(
  ended: VerificationStatus,
  { notify, onError, giveUp }: VerificationListeners,
): void {
  for (const told of verificationNotices(ended)) notify(told);
  for (const error of verificationErrors(ended)) onError(error);
  const damage = damageToGiveUp(ended);
  if (damage !== undefined) giveUp(damage);
}

/** What there is to tell of a verification that has ended; nothing where it was only stopped. */
function verificationNotices(ended: VerificationStatus): readonly Notice[] {
  const { state, txid, pagesDone, differentPages, logBytesTotal, logDamage, error } = ended;
  if (state === "failed") {
    if (error === null || error.code === "closed") return damageNotices(logDamage);
    const { code, message, hint } = error;
    const text = `the files could not be verified: ${message}`;
    return [
      ...damageNotices(logDamage),
      notice("warn", "verification_failed", text, { code, message, hint }),
    ];
  }
  const durationMs = durationOf(ended);
  if (state === "identical") {
    const read = `${counted(pagesDone, "page")} and ${size(logBytesTotal)} of log in ${duration(durationMs ?? 0)}`;
    const text = `every page on disk is what the log says at transaction ${txid}, and the log is sound: ${read}`;
    const fields = { txid, pages: pagesDone, logBytes: logBytesTotal, durationMs };
    return [notice("info", "verification_done", text, fields)];
  }
  const damage = damageNotices(logDamage);
  if (arePagesSound(ended)) return damage;
  const fields = { txid, differentPages: differentPages.length, durationMs };
  return [notice("error", "verification_different", differenceText(ended), fields), ...damage];
}

/** What a verification has found, as errors. */
function verificationErrors(ended: VerificationStatus): readonly TailraceError[] {
  const { state, logDamage } = ended;
  const errors = logDamage
    .slice(-NAMED_SEGMENTS)
    .map((damage) => new TailraceError("damaged", damageText(damage), { hint: LOG_HINT }));
  if (state !== "different" || arePagesSound(ended)) return errors;
  const different = new TailraceError("damaged", differenceText(ended), {
    hint: "Compare with tailrace verify --deep, look at the disk, and restore the file from a sound copy.",
  });
  return [different, ...errors];
}

/**
 * The newest damage, up to which the log is to be given up. Only where every page is sound: then whoever needs that log can be brought up
 * to date from the database, and nothing is lost with it.
 */
function damageToGiveUp(ended: VerificationStatus): DamagedSegment | undefined {
  return arePagesSound(ended) ? ended.logDamage.at(-1) : undefined;
}

function arePagesSound({ expectedChecksum, foundChecksum }: VerificationStatus): boolean {
  return foundChecksum !== null && foundChecksum === expectedChecksum;
}

const LOG_HINT =
  "Look at the disk. Where the pages are sound, that log is given up by itself, after a new snapshot; who needs it resyncs.";

function damageNotices(logDamage: VerificationStatus["logDamage"]): Notice[] {
  const named = logDamage.slice(-NAMED_SEGMENTS);
  return named.map((damage) => {
    const { segment, offset, firstTxid, lastTxid } = damage;
    const fields = {
      segment,
      offset,
      firstTxid,
      lastTxid,
      damagedSegments: logDamage.length,
      hint: LOG_HINT,
    };
    return notice("error", "log_damaged", damageText(damage), fields);
  });
}

function damageText({ segment, offset, what, firstTxid, lastTxid }: DamagedSegment): string {
  const known = [firstTxid, lastTxid].map((txid) => (txid === null ? "an unknown one" : txid));
  return `log segment ${segment} is damaged at offset ${offset}: ${what}; transactions ${known.join(" to ")} cannot be read from this log`;
}

function durationOf({ startedMs, endedMs }: VerificationStatus): number | null {
  return startedMs === null || endedMs === null ? null : Math.max(0, endedMs - startedMs);
}

function differenceText({ txid, differentPages }: VerificationStatus): string {
  const named = differentPages.slice(0, NAMED_PAGES).join(", ");
  const more = differentPages.length > NAMED_PAGES ? " …" : "";
  const which = differentPages.length === 0 ? "" : ` (page ${named}${more})`;
  return `pages on disk are not what the log says at transaction ${txid}${which}`;
}
