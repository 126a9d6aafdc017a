import { readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { decodePosition } from "../format/position.ts";
import type { Position } from "../format/position.ts";
import { count } from "../human.ts";
import { listSegments } from "../log/segment-files.ts";
import { examineReplicas } from "../tracking/replicas-file.ts";
import { readMeta } from "../storage/meta-file.ts";
import type { Meta } from "../storage/meta-file.ts";
import { onStorage } from "../storage/storage-error.ts";
import { hex64 } from "../units.ts";
import type { Txid } from "../units.ts";
import { examineCopy } from "./copy-examination.ts";
import { Findings } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { examineNames } from "./folder-names.ts";
import { damageIn, examineLog } from "./log-examination.ts";
import type { LogExamination } from "./log-examination.ts";
import { kindOf, readDocument } from "./offline-folder.ts";
import { examineSnapshots, readSnapshot } from "./snapshot-examination.ts";
import type { FoundGeneration } from "./snapshot-examination.ts";
import { StateClaims } from "./state-claims.ts";
import type { ClaimVerdict, StateClaim } from "./state-claims.ts";
import { MADE_ANEW, tellCopy, tellGeneration, tellLog, tellPosition, tellTable } from "./telling.ts";
import { examineTable } from "./table-examination.ts";
import type { TableExamination } from "./table-examination.ts";

export interface ExamineOptions {
  /** A data folder, held by the caller. */
  readonly folder: string;
  /** Whether the images of snapshots are read too. */
  readonly isDeep: boolean;
  readonly onProgress: (what: string, doneBytes: number, totalBytes: number) => void;
}

export interface ExaminedGeneration extends FoundGeneration {
  /** What the log says of its place; null where it is not whole, of another log, or nothing could be compared. */
  readonly verdict: ClaimVerdict | null;
  /** Its files are not what they should be. */
  readonly isDamaged: boolean;
}

/** All that was found in a data folder. */
export interface Examination {
  readonly folder: string;
  readonly role: "primary" | "replica";
  readonly meta: Meta | null;
  readonly log: LogExamination | null;
  readonly generations: readonly ExaminedGeneration[];
  /** Of snapshot images, which only a deep examination reads. */
  readonly unreadBytes: number;
  readonly table: (TableExamination & { readonly verdict: ClaimVerdict | null }) | null;
  /** The transaction that clean-close.json says the database file holds; null where there is none of this log. */
  readonly closedTxid: Txid | null;
  /** Files that are of no use and are made anew by a start: what is wrong with each. */
  readonly useless: readonly { readonly file: string; readonly why: string }[];
  readonly findings: readonly Finding[];
}

/**
 * Reads a whole data folder, in bounded memory, and writes nothing.
 *
 * @throws unknown_version when a later Tailrace wrote any of it; storage_failed
 */
export function examine({ folder, isDeep, onProgress }: ExamineOptions): Examination {
  const [metaPart, logPart, snapshotPart, tablePart, placePart, namePart] = [0, 1, 2, 3, 4, 5].map(
    () => new Findings(),
  ) as [Findings, Findings, Findings, Findings, Findings, Findings];
  const useless: { file: string; why: string }[] = [];
  examineNames(folder, namePart);

  const meta = examineMeta(folder, metaPart);
  const role = meta?.role ?? (isReplicas(folder) ? "replica" : "primary");
  const logFolder = join(folder, "log");
  const segments =
    kindOf(logFolder) === "folder" ? onStorage("list", logFolder, () => listSegments(logFolder)) : [];
  const logId = meta?.logId;

  const found = examineSnapshots(join(folder, "snapshots"), snapshotPart);
  const table = openTable(folder, tablePart, useless, meta !== null);
  const position = role === "replica" ? examinePosition(folder, placePart) : undefined;

  const claims: StateClaim[] = [];
  const claimOf = new Map<object, StateClaim>();
  const claim = (of: object, made: StateClaim): void => {
    claims.push(made);
    claimOf.set(of, made);
  };
  for (const generation of found) {
    const { info } = generation;
    if (info === undefined || info.logId !== logId) continue;
    const checksum = BigInt(`0x${info.databaseChecksum}`);
    claim(generation, {
      file: `snapshots/${basename(info.file)}`,
      cursor: info.cursor,
      txid: info.txid,
      checksum,
    });
  }
  if (table !== null) claim(table, { file: "pages.sum", ...table.mark });
  if (position?.phase === "following") claim(position, { file: "position", ...position.applied });

  const comparing = new StateClaims(claims);
  const onLogBytes = (done: number, total: number): void => onProgress("log", done, total);
  const log = onStorage("read", logFolder, () => {
    if (role === "replica")
      return kindOf(logFolder) === "folder"
        ? examineCopy(logFolder, logId, comparing, logPart, onLogBytes)
        : undefined;
    if (segments.length === 0 || logId === undefined) return undefined;
    return examineLog({
      folder: logFolder,
      segments,
      logId,
      claims: comparing,
      findings: logPart,
      onProgress: onLogBytes,
    });
  });
  if (role === "primary") tellLog(log, segments.length, meta, logPart);
  else tellCopy(log, logPart);

  const verdicts = new Map(
    log === undefined ? [] : comparing.judge(log.start, log.end).map((made) => [made.claim, made.verdict]),
  );
  const verdictOf = (of: object): ClaimVerdict | null => verdicts.get(claimOf.get(of)!) ?? null;

  const generations = found.map((generation): ExaminedGeneration => {
    const verdict = verdictOf(generation);
    const wrong =
      isDeep && generation.info !== undefined ? readWithProgress(generation, onProgress) : undefined;
    if (wrong !== undefined)
      snapshotPart.add("damaged", wrong.file, wrong.text, {
        ...(wrong.offset === null ? {} : { offset: wrong.offset }),
        advice: "Let tailrace repair move the snapshot aside; another is made when one is needed.",
      });
    else tellGeneration(generation, verdict, log, logId, isDeep, snapshotPart);
    return { ...generation, verdict, isDamaged: generation.info === undefined || wrong !== undefined };
  });
  const unread = isDeep ? [] : found.flatMap(({ info }) => (info === undefined ? [] : [info]));
  const unreadBytes = unread.reduce(
    (sum, { pageCount, pageSizeBytes }) => sum + pageCount * pageSizeBytes,
    0,
  );

  if (table !== null) tellTable(table, verdictOf(table), log, role, tablePart, useless);
  if (position !== undefined) tellPosition(position, verdictOf(position), placePart);
  const closedTxid = role === "primary" ? examineCleanClose(folder, log, logId, placePart, useless) : null;
  tellReplicas(folder, placePart);

  const parts = [metaPart, logPart, snapshotPart, tablePart, placePart, namePart];
  return {
    folder,
    role,
    meta,
    log: log ?? null,
    generations,
    unreadBytes,
    table: table === null ? null : { ...table, verdict: verdictOf(table) },
    closedTxid,
    useless,
    findings: parts.flatMap(({ list }) => list),
  };
}

function isReplicas(folder: string): boolean {
  return [join(folder, "position"), join(folder, "log", "start.json")].some(
    (path) => kindOf(path) === "file",
  );
}

function examineMeta(folder: string, findings: Findings): Meta | null {
  const file = "meta.json";
  const advice = "Restore it from a backup, or move the data folder away: a start then begins a new log.";
  if (kindOf(join(folder, file)) === "other") return null;
  try {
    readDocument(join(folder, file));
    const meta = readMeta(join(folder, file));
    if (meta === undefined) {
      findings.add("damaged", file, "it is missing: a start would begin a new log", { advice });
      return null;
    }
    const history =
      meta.logId === undefined ? "of no log yet" : `log ${meta.logId}, epoch ${meta.epoch ?? 0}`;
    const who = meta.role === "replica" ? `replica ${meta.replicaId}` : "primary";
    findings.add("ok", file, `${who}, ${history}`);
    return meta;
  } catch (error) {
    findings.add("damaged", file, damageIn(error).replace(`${join(folder, file)} `, "it "), { advice });
    return null;
  }
}

function readWithProgress(
  { info }: FoundGeneration,
  onProgress: ExamineOptions["onProgress"],
): ReturnType<typeof readSnapshot> {
  const { pageCount, pageSizeBytes, generation } = info!;
  let done = 0;
  return onStorage("read", info!.file, () =>
    readSnapshot(info!, (bytes) =>
      onProgress(`snapshot ${generation}`, (done += bytes), pageCount * pageSizeBytes),
    ),
  );
}

function openTable(
  folder: string,
  findings: Findings,
  useless: { file: string; why: string }[],
  isExpected: boolean,
): TableExamination | null {
  const file = "pages.sum";
  const kind = kindOf(join(folder, file));
  if (kind === undefined && isExpected)
    findings.add("note", file, "there is no page table", { advice: MADE_ANEW });
  if (kind !== "file") return null;
  const table = examineTable(join(folder, file));
  if (table !== undefined) return table;
  // One that was being made when the node ended has no header yet.
  const why = statSync(join(folder, file)).size === 0 ? "it was never finished" : "its header is damaged";
  findings.add("damaged", file, why, { offset: 0, advice: MADE_ANEW });
  useless.push({ file, why });
  return null;
}

function examinePosition(folder: string, findings: Findings): Position | undefined {
  const path = join(folder, "position");
  if (kindOf(path) === undefined) findings.add("note", "position", "the replica has not landed yet");
  if (kindOf(path) !== "file") return undefined;
  try {
    const bytes = onStorage("read", path, () => readFileSync(path).subarray(0, 1024));
    const found = decodePosition(bytes);
    if (found === undefined) findings.add("note", "position", "the replica has not landed yet");
    return found?.position;
  } catch (error) {
    findings.add("damaged", "position", damageIn(error), {
      offset: 0,
      advice: "The replica mends it by itself: start it. It compares its pages with the primary's.",
    });
    return undefined;
  }
}

const cleanClose = z.object({ logId: z.string(), txid: z.int(), databaseChecksum: z.string() });

function examineCleanClose(
  folder: string,
  log: LogExamination | undefined,
  logId: string | undefined,
  findings: Findings,
  useless: { file: string; why: string }[],
): Txid | null {
  const file = "clean-close.json";
  const compares =
    "The next start finds out what has changed since, by the SQLite WAL or by comparing all pages.";
  if (kindOf(join(folder, file)) !== "file") {
    findings.add("note", file, "there is none: the node was never closed in order", { advice: compares });
    return null;
  }
  const parsed = cleanClose.safeParse(orNothing(() => readDocument(join(folder, file))));
  if (!parsed.success) {
    findings.add("damaged", file, "it makes no sense", { advice: compares });
    useless.push({ file, why: "it makes no sense" });
    return null;
  }
  const { txid, databaseChecksum } = parsed.data;
  const isOfThisLog = parsed.data.logId === logId;
  const { head, damage } = log ?? { head: null, damage: null };
  if (isOfThisLog && head !== null && txid === head.txid && databaseChecksum === hex64(head.checksum)) {
    findings.add("ok", file, `closed in order at transaction ${txid}`);
  } else if (isOfThisLog && head !== null && damage === null && txid > head.txid) {
    const why = `closed at transaction ${txid}, but the log ends at ${head.txid}`;
    findings.add("damaged", file, `${why}: its newest part is lost`, { advice: compares });
    useless.push({ file, why });
  } else if (isOfThisLog && damage !== null) {
    findings.add("note", file, `closed at transaction ${txid}, past the damage in the log`, {
      advice: compares,
    });
  } else {
    findings.add(
      "note",
      file,
      `out of date: of transaction ${txid}; the node was not closed in order since`,
      {
        advice: compares,
      },
    );
  }
  return isOfThisLog ? txid : null;
}

/** Nothing for a repair: a start that finds it damaged knows that there may be replicas; one that finds none does not. */
function tellReplicas(folder: string, findings: Findings): void {
  const file = "replicas.json";
  if (kindOf(join(folder, file)) !== "file") return;
  const tracking = examineReplicas(join(folder, file));
  if (tracking === undefined) return;
  if (typeof tracking === "string") {
    findings.add("damaged", file, `it makes no sense: ${tracking.split("\n")[0]}`, {
      advice:
        "Leave it there: a start sets it aside, and holds the log for whoever may follow, within its limits.",
    });
  } else {
    const { length } = tracking.replicas;
    findings.add("ok", file, length === 1 ? "1 replica" : `${count(length)} replicas`);
  }
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    damageIn(error);
    return undefined;
  }
}
