import { TailraceError } from "../errors.ts";
import type { Cursor } from "../units.ts";

/** Text form `segment:offset`, each 16 hex digits, so that text order is log order. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.segment.toString(16).padStart(16, "0")}:${cursor.offset.toString(16).padStart(16, "0")}`;
}

/** @throws invalid_request when the text is no cursor, or lies beyond 2^53. */
export function parseCursor(text: string): Cursor {
  const match = /^([0-9a-f]{16}):([0-9a-f]{16})$/.exec(text);
  const segment = Number.parseInt(match?.[1] ?? "", 16);
  const offset = Number.parseInt(match?.[2] ?? "", 16);
  if (!Number.isSafeInteger(segment) || !Number.isSafeInteger(offset) || segment < 1) {
    throw new TailraceError("invalid_request", `not a cursor: ${JSON.stringify(text)}`, {
      hint: "A cursor is SEGMENT:OFFSET, each of 16 hex digits, the segment from 1.",
    });
  }
  return { segment, offset };
}

/** Negative when a comes before b in the log, 0 when they are one place, positive otherwise. */
export function compareCursors(a: Cursor, b: Cursor): number {
  return a.segment - b.segment || a.offset - b.offset;
}
