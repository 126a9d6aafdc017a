import { statSync } from "node:fs";
import { basename } from "node:path";
import { TailraceError } from "../errors.ts";
import type { LogHead } from "../log/log-chain.ts";
import { DamagedLogError } from "../log/damaged-log-error.ts";
import type { OnProven } from "../log/log-proof.ts";
import { segmentPath } from "../log/segment-files.ts";
import { verifyLog } from "../log/verify-log.ts";
import type { Cursor, Txid } from "../units.ts";
import type { Findings } from "./finding.ts";
import { eachHeader } from "./header-scan.ts";
import type { StateClaims } from "./state-claims.ts";

/** Where a log stops being good. */
export interface LogDamage {
  /** The first bad byte that was met. */
  readonly at: Cursor;
  readonly what: string;
  /** Transactions that can be told of in what is lost: at most those after the head. */
  readonly lastTxid: Txid | null;
  /** Unix ms. */
  readonly firstTimeMs: number | null;
  readonly lastTimeMs: number | null;
}

/** What the files of a log come to. */
export interface LogExamination {
  readonly segments: readonly { readonly segment: number; readonly sizeBytes: number }[];
  readonly sizeBytes: number;
  readonly start: Cursor;
  /** The end of the last whole record that can be relied on. */
  readonly end: Cursor;
  /** The transaction before the first record. */
  readonly baseTxid: Txid;
  readonly head: LogHead | null;
  /** At the very end, to be cut by the next start: a record that was never finished, or what a loss of power has torn. */
  readonly tornBytes: number;
  /** Transactions that can be told of in them: at most those after the head. */
  readonly tornTxid: Txid | null;
  /** The machine has gone down since the log was opened for writing. */
  readonly wentDown: boolean;
  readonly damage: LogDamage | null;
}

export interface ExamineLogOptions {
  readonly folder: string;
  readonly segments: readonly number[];
  readonly logId: string;
  /** {@link ../log/power-loss.ts!lackingAfter} */
  readonly lackingAfter: Txid | undefined;
  readonly claims: StateClaims;
  readonly findings: Findings;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Reads the whole log of a primary, by the very proof that its start makes, and where that fails, what is behind. So what
 * is called torn here is what that start cuts, and what is called damage is what makes it begin a new log.
 *
 * @param segments their numbers, ascending; at least one
 * @throws unknown_version; the file system's own error
 */
export function examineLog(options: ExamineLogOptions): LogExamination {
  const { folder, segments, logId, lackingAfter, claims, findings, onProgress } = options;
  const sizes = segments.map((segment) => ({
    segment,
    sizeBytes: statSync(segmentPath(folder, segment)).size,
  }));
  const totalBytes = sizes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const before = new Map<number, number>();
  sizes.reduce((sum, { segment, sizeBytes }) => (before.set(segment, sum), sum + sizeBytes), 0);
  const first = segments[0]!;
  const gap = segments.findIndex((segment, index) => segment !== first + index);
  const adjacent = gap === -1 ? segments : segments.slice(0, gap);

  let end: Cursor = { segment: first, offset: 0 };
  let head: LogHead | null = null;
  let baseTxid: Txid | undefined;
  let tornBytes = 0;
  let failure: DamagedLogError | undefined;
  try {
    const onProven: OnProven = (at, chain) => {
      end = at;
      head = chain.head;
      baseTxid ??= chain.head.txid;
      claims.proven(at, chain.head);
      onProgress((before.get(at.segment) ?? 0) + at.offset, totalBytes);
    };
    const verified = verifyLog(folder, adjacent, logId, onProven, lackingAfter);
    tornBytes = verified.tornBytes;
    if (gap !== -1 && tornBytes > 0) failure = new DamagedLogError(end, "the segment is cut short");
    else if (gap !== -1)
      failure = new DamagedLogError({ segment: first + gap, offset: 0 }, "the file is missing");
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
    failure = error;
  }
  const good = { segments: sizes, sizeBytes: totalBytes, start: { segment: first, offset: 0 }, end };
  const wentDown = lackingAfter !== undefined;
  const result = { ...good, baseTxid: baseTxid ?? 0, head: head as LogHead | null, wentDown };
  if (failure === undefined) {
    const tornTxid = tornBytes === 0 ? null : behind(folder, segments, end, head).lastTxid;
    return { ...result, tornBytes, tornTxid, damage: null };
  }
  const damage = { at: failure.at, what: shortened(failure.message), ...behind(folder, segments, end, head) };
  reportLater(options, failure.at.segment, findings);
  return { ...result, tornBytes: 0, tornTxid: null, damage };
}

/** Damage after the first is said too: one bad place is an accident, many are a bad disk. */
function reportLater(
  { folder, segments, logId }: ExamineLogOptions,
  damaged: number,
  findings: Findings,
): void {
  for (const segment of segments.filter((candidate) => candidate > damaged)) {
    const file = `log/${basename(segmentPath(folder, segment))}`;
    try {
      const { tornBytes, end } = verifyLog(folder, [segment], logId);
      if (tornBytes === 0) continue;
      findings.add("damaged", file, `its last ${tornBytes} bytes are no whole record`, {
        offset: end.offset,
      });
    } catch (error) {
      if (!(error instanceof DamagedLogError)) throw error;
      findings.add("damaged", file, shortened(error.message), { offset: error.at.offset });
    }
  }
}

function behind(
  folder: string,
  segments: readonly number[],
  end: Cursor,
  head: LogHead | null,
): Pick<LogDamage, "lastTxid" | "firstTimeMs" | "lastTimeMs"> {
  let lastTxid: Txid | null = null;
  let firstTimeMs: number | null = null;
  let lastTimeMs: number | null = null;
  for (const segment of segments.filter((candidate) => candidate >= end.segment)) {
    const from = segment === end.segment ? end.offset : 0;
    for (const { txid, commitTimeMs } of eachHeader(segmentPath(folder, segment), from)) {
      if (txid <= (head?.txid ?? 0)) continue;
      if (lastTxid === null || txid > lastTxid) {
        lastTxid = txid;
        lastTimeMs = commitTimeMs;
      }
      firstTimeMs ??= commitTimeMs;
    }
  }
  return { lastTxid, firstTimeMs, lastTimeMs };
}

/** Without the place, which a finding has in fields of its own. */
export function shortened(message: string): string {
  return message.replace(/^log segment \d+ is damaged at offset \d+: /, "");
}

/** @throws the error itself, unless it says that bytes are damaged */
export function damageIn(error: unknown): string {
  if (error instanceof TailraceError && error.code === "damaged") return shortened(error.message);
  throw error;
}
