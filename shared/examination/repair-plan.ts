import { basename } from "node:path";
import { segmentPath } from "../log/segment-files.ts";
import type { Cursor, Txid } from "../units.ts";
import type { Examination, ExaminedGeneration } from "./examine.ts";

/** The end of a log that is to go. */
export interface LogCut {
  /** All from here on goes: the end of the last record that can be relied on. */
  readonly at: Cursor;
  readonly keptTxid: Txid;
  /** Unix ms; null when no record is kept. */
  readonly keptTimeMs: number | null;
  /** Relative to the data folder, ascending. The first is kept up to `at` where that lies within it. */
  readonly segments: readonly { readonly file: string; readonly bytes: number; readonly isWhole: boolean }[];
  readonly bytes: number;
  /** The last transaction of which anything can be told in what goes; null when there is none. */
  readonly lastTxid: Txid | null;
  /** Unix ms. */
  readonly firstTimeMs: number | null;
  readonly lastTimeMs: number | null;
  /** Whether the next start can go on with what is kept. `unsure`: that shows only then. */
  readonly isSure: boolean;
}

/** What a repair does: everything that goes is kept in a folder of its own. */
export interface RepairPlan {
  readonly cut: LogCut | null;
  /** Why a damaged log cannot be cut; null otherwise. */
  readonly refusal: string | null;
  /** Files that are moved aside, relative to the data folder, in this order. */
  readonly moves: readonly { readonly files: readonly string[]; readonly why: string }[];
}

/** What can be mended. A replica mends itself, so that nothing is planned for it. */
export function planRepair(examination: Examination): RepairPlan {
  const { role, generations, useless } = examination;
  if (role === "replica") return { cut: null, refusal: null, moves: [] };
  const { cut, refusal } = planCut(examination);
  const snapshots = generations.flatMap((generation) => {
    const why = whyAside(generation, cut);
    return why === undefined ? [] : [{ files: filesOf(generation), why }];
  });
  const others = [...useless, ...pastCut(examination, cut)].map(({ file, why }) => ({ files: [file], why }));
  return { cut, refusal, moves: [...snapshots, ...others] };
}

/** What speaks of a state past the cut, and would be taken for proof that the log has lost something. */
function pastCut({ table, closedTxid }: Examination, cut: LogCut | null): Examination["useless"] {
  if (cut === null) return [];
  const why = "of a state past the cut; made anew";
  return [
    ...(table?.verdict === "beyond" ? [{ file: "pages.sum", why }] : []),
    ...(closedTxid !== null && closedTxid > cut.keptTxid ? [{ file: "clean-close.json", why }] : []),
  ];
}

export function isNothing({ cut, moves }: RepairPlan): boolean {
  return cut === null && moves.length === 0;
}

function planCut({ log, table, generations }: Examination): Pick<RepairPlan, "cut" | "refusal"> {
  const damage = log?.damage ?? null;
  if (log === null || damage === null) return { cut: null, refusal: null };
  if (log.head === null) return { cut: null, refusal: "nothing of the log before the damage is good" };
  // What differs between database and log can be found only from the page checksums of a state that is kept.
  const isTableKept = table?.verdict === "confirmed";
  const hasSnapshot = generations.some(({ verdict, isDamaged }) => verdict === "confirmed" && !isDamaged);
  if (!isTableKept && !hasSnapshot) {
    return { cut: null, refusal: "neither the page table nor a snapshot is of a state before the damage" };
  }
  const at = log.end;
  const segments = log.segments
    .filter(
      ({ segment, sizeBytes }) => segment > at.segment || (segment === at.segment && sizeBytes > at.offset),
    )
    .map(({ segment, sizeBytes }) => ({
      file: `log/${basename(segmentPath("", segment))}`,
      bytes: segment === at.segment ? sizeBytes - at.offset : sizeBytes,
      isWhole: segment !== at.segment,
    }));
  return {
    refusal: null,
    cut: {
      at,
      keptTxid: log.head.txid,
      keptTimeMs: log.head.commitTimeMs,
      segments,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      lastTxid: damage.lastTxid,
      firstTimeMs: damage.firstTimeMs,
      lastTimeMs: damage.lastTimeMs,
      isSure: hasSnapshot || (isTableKept && table.isAtMark),
    },
  };
}

function whyAside(
  { verdict, isDamaged, isUnfinished, info, generation }: ExaminedGeneration,
  cut: LogCut | null,
): string | undefined {
  // Left to the next start, but that it may be the rest of one that a repair began to move.
  if (isUnfinished) return cut === null ? undefined : `snapshot ${generation} is not whole`;
  if (isDamaged) return `snapshot ${generation} is ${info === undefined ? "not whole" : "damaged"}`;
  if (verdict === "contradicted") return `snapshot ${generation} is of a state that the log does not have`;
  const isPastTheEnd = verdict === "beyond" && cut !== null;
  return isPastTheEnd ? `snapshot ${generation} is of transaction ${info?.txid}, past the cut` : undefined;
}

/** The metadata goes first: without it there is no generation. */
function filesOf({ files }: ExaminedGeneration): readonly string[] {
  return files
    .toSorted((a, b) => Number(b.endsWith(".json")) - Number(a.endsWith(".json")))
    .map((name) => `snapshots/${name}`);
}
