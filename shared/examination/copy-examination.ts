import { statSync } from "node:fs";
import { basename } from "node:path";
import { compareCursors } from "../format/cursor.ts";
import { FragmentReader } from "../log/fragment-reader.ts";
import { DamagedLogError } from "../log/damaged-log-error.ts";
import { LogChain } from "../log/log-chain.ts";
import { readStart } from "../log/log-copy.ts";
import { listSegments, segmentPath } from "../log/segment-files.ts";
import type { Cursor, Txid } from "../units.ts";
import type { Findings } from "./finding.ts";
import { damageIn, shortened } from "./log-examination.ts";
import type { LogExamination } from "./log-examination.ts";
import type { StateClaims } from "./state-claims.ts";

const ADVICE = "The replica mends it by itself: start it. What it needs of this it fetches again.";
const WENT_DOWN = "The machine went down before it was all on the disk. The next start";
const TORN = `${WENT_DOWN} goes on with what is whole, and fetches the rest again.`;
const GAP = `${WENT_DOWN} compares its pages with the primary's.`;

/**
 * Reads a replica's copy of the log. It may begin within a segment, and end anywhere.
 *
 * @param floor where power was lost: what comes after it may not have got to the disk, and is not damage
 * @returns undefined where there is no copy
 * @throws unknown_version; the file system's own error
 */
export function examineCopy(
  folder: string,
  logId: string | undefined,
  floor: Cursor | undefined,
  claims: StateClaims,
  findings: Findings,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): LogExamination | undefined {
  let start: Cursor | undefined;
  try {
    start = readStart(folder);
  } catch (error) {
    findings.add("damaged", "log/start.json", damageIn(error), { advice: ADVICE });
    return undefined;
  }
  if (start === undefined) return undefined;
  const { segment: first } = start;
  const segments = listSegments(folder)
    .filter((segment) => segment >= first)
    .map((segment) => ({ segment, sizeBytes: statSync(segmentPath(folder, segment)).size }));
  const totalBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const gap = segments.findIndex(({ segment }, index) => segment !== first + index);
  const adjacent = gap === -1 ? segments : segments.slice(0, gap);
  const newest = adjacent.at(-1);
  let at = start;
  const damaged = (place: Cursor, text: string, advice = TORN): void => {
    const isTorn = floor !== undefined && compareCursors(place, floor) >= 0;
    findings.add(isTorn ? "torn_tail" : "damaged", `log/${basename(segmentPath("", place.segment))}`, text, {
      offset: place.offset,
      advice: isTorn ? advice : ADVICE,
    });
  };
  if (segments[0]?.segment !== first) {
    damaged({ segment: first, offset: 0 }, "the file is missing", GAP);
    return undefined;
  }
  let chain: LogChain | undefined;
  let baseTxid: Txid | undefined;
  const reader = new FragmentReader({
    folder,
    start,
    end: () => ({ segment: newest!.segment, offset: newest!.sizeBytes }),
    onSegment: (header) => {
      chain ??= LogChain.beforeSegment(header);
      baseTxid ??= chain.head.txid;
      const isOther = logId !== undefined && header.logId !== logId;
      const what = isOther ? `it belongs to log ${header.logId}, not ${logId}` : chain.refusesSegment(header);
      if (what !== undefined) throw new DamagedLogError({ segment: header.segment, offset: 0 }, what);
      at = reader.position;
      claims.proven(at, chain.head);
    },
  });
  let doneBytes = 0;
  try {
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
      const { fragment } = placed;
      if (chain === undefined) {
        chain = LogChain.beforeRecord(fragment);
        baseTxid = chain.head.txid;
        claims.proven(placed.start, chain.head);
      }
      const what = chain.refuses(fragment);
      if (what !== undefined) throw new DamagedLogError(placed.start, what);
      chain.take(fragment);
      if (chain.openFragments === 0) {
        at = placed.end;
        claims.proven(at, chain.head);
      }
      onProgress((doneBytes += fragment.lengthBytes), totalBytes);
    }
    if (gap !== -1) damaged({ segment: first + gap, offset: 0 }, "the file is missing", GAP);
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
    damaged(error.at, shortened(error.message));
  } finally {
    reader.close();
  }
  // An empty copy begins where the position says, and knows nothing against it.
  if (chain === undefined) claims.trust(start);
  return {
    segments,
    sizeBytes: totalBytes,
    start,
    end: at,
    baseTxid: baseTxid ?? 0,
    head: chain?.head ?? null,
    tornBytes: newest!.segment === at.segment ? newest!.sizeBytes - at.offset : 0,
    tornTxid: null,
    wentDown: floor !== undefined,
    damage: null,
  };
}
