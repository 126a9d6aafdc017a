import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import { compareCursors } from "../format/cursor.ts";
import type { DamagedSegment } from "./verification-status.ts";
import type { Cursor } from "../units.ts";
import type { LogStretch } from "./log-scan.ts";
import type { VerificationThread } from "./verification-thread.ts";

/** A whole log, as it is just now. */
export interface LogOnDisk extends LogStretch {
  readonly sizeBytes: number;
}

/**
 * Reads the log from its start to what was its end at first, and yields what is damaged: one place a segment, for it goes on
 * with the next.
 *
 * What is found is looked at again before it is told of, for the log lives meanwhile: a segment that was trimmed is no
 * damage, nor is what was taken back, or replaced by another log. And what is good at a second reading was not bad on the
 * disk. Appending does not concern it: what was durable at first is not written to again.
 *
 * @param look at the log as it is now
 * @throws as {@link scanLog}
 */
export async function* eachDamage(
  thread: Pick<VerificationThread, "logDamage">,
  look: () => Promise<LogOnDisk>,
): AsyncGenerator<DamagedSegment, void, void> {
  const whole = await look();
  let { start } = whole;
  while (compareCursors(start, whole.end) < 0) {
    const found = await thread.logDamage({ ...whole, start });
    if (found === null) return;
    const now = await look();
    const { segment, offset } = found;
    // Between two segments, either may be what does not fit: it is read with the one before, and with the header after it.
    const from = { segment: offset === 0 ? segment - 1 : segment, offset: 0 };
    const to = { segment: segment + 1, offset: SEGMENT_HEADER_BYTES };
    const confirmed = await thread.logDamage({
      ...whole,
      start: later(later(from, start), now.start),
      end: earlier(to, earlier(whole.end, now.end)),
    });
    const { logId, start: kept } = await look();
    if (now.logId !== whole.logId || logId !== whole.logId) return;
    if (confirmed?.segment === segment && compareCursors(found, kept) >= 0)
      yield { ...confirmed, firstTxid: found.firstTxid };
    start = later({ segment: segment + 1, offset: 0 }, kept);
  }
}

function later(a: Cursor, b: Cursor): Cursor {
  return compareCursors(a, b) < 0 ? b : a;
}

function earlier(a: Cursor, b: Cursor): Cursor {
  return compareCursors(a, b) < 0 ? a : b;
}
