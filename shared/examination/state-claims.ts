import { compareCursors, formatCursor } from "../format/cursor.ts";
import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import type { Cursor, DatabaseChecksum, Txid } from "../units.ts";

/** Some file's word that the database was at a state at a place of the log. */
export interface StateClaim {
  /** Relative to the data folder. */
  readonly file: string;
  readonly cursor: Cursor;
  readonly txid: Txid;
  readonly checksum: DatabaseChecksum;
}

/**
 * - `confirmed`: the log says the same.
 * - `contradicted`: the log is at another state there, or is between two records.
 * - `trimmed`: the log begins after it.
 * - `beyond`: the log, or what is good of it, ends before it.
 */
export type ClaimVerdict = "confirmed" | "contradicted" | "trimmed" | "beyond";

/** Compares claims with the log while that is read, once, from its beginning to its end. */
export class StateClaims {
  private readonly claims: readonly StateClaim[];
  private readonly byPlace = new Map<string, StateClaim[]>();
  private readonly verdicts = new Map<StateClaim, ClaimVerdict>();

  constructor(claims: readonly StateClaim[]) {
    this.claims = claims;
    for (const claim of claims) {
      const place = placeOf(claim.cursor);
      this.byPlace.set(place, [...(this.byPlace.get(place) ?? []), claim]);
    }
  }

  /** The log's own word. */
  proven(at: Cursor, state: { readonly txid: Txid; readonly checksum: DatabaseChecksum }): void {
    for (const claim of this.byPlace.get(placeOf(at)) ?? []) {
      const isSame = claim.txid === state.txid && claim.checksum === state.checksum;
      this.verdicts.set(claim, isSame ? "confirmed" : "contradicted");
    }
  }

  /** The log begins, and ends, at this place: it says nothing of the state there. */
  trust(at: Cursor): void {
    for (const claim of this.byPlace.get(placeOf(at)) ?? []) this.verdicts.set(claim, "confirmed");
  }

  /** When all of the log from `start` to `end` has been read. */
  judge(
    start: Cursor,
    end: Cursor,
  ): readonly { readonly claim: StateClaim; readonly verdict: ClaimVerdict }[] {
    return this.claims.map((claim) => ({
      claim,
      verdict: this.verdicts.get(claim) ?? unseen(claim, start, end),
    }));
  }
}

function unseen({ cursor }: StateClaim, start: Cursor, end: Cursor): ClaimVerdict {
  if (compareCursors(atContent(cursor), start) < 0) return "trimmed";
  return compareCursors(atContent(cursor), end) > 0 ? "beyond" : "contradicted";
}

/** Before and after a segment's header is one place. */
function placeOf(cursor: Cursor): string {
  return formatCursor(atContent(cursor));
}

function atContent({ segment, offset }: Cursor): Cursor {
  return { segment, offset: Math.max(offset, SEGMENT_HEADER_BYTES) };
}
