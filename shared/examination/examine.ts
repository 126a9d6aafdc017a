import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { decodePosition } from "../format/position.ts";
import type { Position } from "../format/position.ts";
import { count } from "../human.ts";
import { lackingAfter } from "../log/power-loss.ts";
import { listSegments } from "../log/segment-files.ts";
import { identityOf } from "../sqlite/held-files.ts";
import { examineReplicas } from "../tracking/replicas-file.ts";
import { currentBootId, isSameBoot } from "../storage/boot-id.ts";
import { CLEAN_CLOSE_FILE, parseCleanClose } from "../storage/clean-close-file.ts";
import type { CleanClose } from "../storage/clean-close-file.ts";
import { readMeta } from "../storage/meta-file.ts";
import type { Meta } from "../storage/meta-file.ts";
import { DataFolder } from "../storage/data-folder.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { Cursor, Txid } from "../units.ts";
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
import {
  tellCleanClose,
  tellCopy,
  tellGeneration,
  tellLog,
  tellPosition,
  tellTable,
  tellUnfinishedStart,
} from "./telling.ts";
import { unfinishedStart } from "./unfinished-start.ts";
import { examineTable } from "./table-examination.ts";
import type { TableExamination } from "./table-examination.ts";

export interface ExamineOptions {
  /** A data folder, held by the caller. */
  readonly folder: string;
  /** Whether the images of snapshots are read too. */
  readonly isDeep: boolean;
  /** As the node that is started next will find it; a test's own. */
  readonly bootId?: string;
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
  /** No node starts on it as it is: somebody has to do what the findings advise. */
  readonly isRefused: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Reads a whole data folder, in bounded memory, and writes nothing.
 *
 * @throws unknown_version when a later Tailrace wrote any of it; storage_failed
 */
export function examine({
  folder,
  isDeep,
  bootId = currentBootId(),
  onProgress,
}: ExamineOptions): Examination {
  const [metaPart, logPart, snapshotPart, tablePart, placePart, namePart] = [0, 1, 2, 3, 4, 5].map(
    () => new Findings(),
  ) as [Findings, Findings, Findings, Findings, Findings, Findings];
  const useless: { file: string; why: string }[] = [];
  examineNames(folder, namePart);

  const found = examineSnapshots(join(folder, "snapshots"), snapshotPart);
  const meta = examineMeta(folder, found, metaPart);
  const role = meta?.role ?? (isReplicas(folder) ? "replica" : "primary");
  const logFolder = join(folder, "log");
  const segments =
    kindOf(logFolder) === "folder" ? onStorage("list", logFolder, () => listSegments(logFolder)) : [];
  const tableFile = join(folder, "pages.sum");
  const table = kindOf(tableFile) === "file" ? examineTable(tableFile) : "missing";
  const place = role === "replica" ? examinePosition(folder, placePart) : undefined;
  const position = place === "lost" ? undefined : place;
  // A replica that has landed in another log knows of it first by its position.
  const logId = position?.logId ?? meta?.logId;
  const closed = role === "primary" ? readCleanClose(folder) : "missing";

  const unfinished = role === "replica" ? undefined : unfinishedStart(folder, meta, found);
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
  if (typeof table !== "string") claim(table, { file: "pages.sum", ...table.mark });
  if (position?.phase === "following") claim(position, { file: "position", ...position.applied });

  const comparing = new StateClaims(claims);
  const onLogBytes = (done: number, total: number): void => onProgress("log", done, total);
  const log = onStorage("read", logFolder, () => {
    if (role === "replica") {
      // A resync replaces it, whatever it is.
      if (kindOf(logFolder) !== "folder" || position?.phase === "resyncing") return undefined;
      return examineCopy(logFolder, logId, floorOf(position, bootId), comparing, logPart, onLogBytes);
    }
    if (segments.length === 0 || meta?.role !== "primary" || unfinished !== undefined) return undefined;
    return examineLog({
      folder: logFolder,
      segments,
      logId: meta.logId,
      lackingAfter: lackingAfter(meta, bootId, typeof closed === "string" ? undefined : closed),
      claims: comparing,
      findings: logPart,
      onProgress: onLogBytes,
    });
  });
  if (unfinished !== undefined) tellUnfinishedStart(unfinished, logPart);
  else if (role === "primary") tellLog(log, segments.length, meta, logPart);
  else tellCopy(log, position?.phase, logPart);

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
    else tellGeneration(generation, verdict, log, logId, isDeep, role, snapshotPart);
    return { ...generation, verdict, isDamaged: generation.info === undefined || wrong !== undefined };
  });
  const unread = isDeep ? [] : found.flatMap(({ info }) => (info === undefined ? [] : [info]));
  const unreadBytes = unread.reduce(
    (sum, { pageCount, pageSizeBytes }) => sum + pageCount * pageSizeBytes,
    0,
  );

  const tableVerdict = typeof table === "string" ? null : verdictOf(table);
  const hasSnapshot = generations.some(({ verdict, isDamaged }) => verdict === "confirmed" && !isDamaged);
  if (unfinished === undefined && (meta !== null || table !== "missing"))
    tellTable(table, tableVerdict, { log, role, hasSnapshot }, tablePart, useless);
  if (position !== undefined) tellPosition(position, verdictOf(position), placePart);
  if (role === "primary" && unfinished !== "first") tellCleanClose(closed, log, logId, placePart, useless);
  tellReplicas(folder, placePart);

  const parts = [metaPart, logPart, snapshotPart, tablePart, placePart, namePart];
  return {
    folder,
    role,
    meta,
    log: log ?? null,
    generations,
    unreadBytes,
    table: typeof table === "string" ? null : { ...table, verdict: tableVerdict },
    closedTxid: typeof closed === "object" && closed.logId === logId ? closed.txid : null,
    useless,
    isRefused:
      place === "lost" ||
      (meta === null && kindOf(join(folder, "meta.json")) !== undefined) ||
      // Where there is a folder instead of a file, or the other way round.
      namePart.list.some(({ severity }) => severity === "damaged"),
    findings: parts.flatMap(({ list }) => list),
  };
}

function isReplicas(folder: string): boolean {
  return [join(folder, "position"), join(folder, "log", "start.json")].some(
    (path) => kindOf(path) === "file",
  );
}

function examineMeta(
  folder: string,
  generations: readonly FoundGeneration[],
  findings: Findings,
): Meta | null {
  const file = "meta.json";
  const advice = "Restore it from a backup, or move the data folder away: a start then begins a new log.";
  if (kindOf(join(folder, file)) === "other") return null;
  try {
    readDocument(join(folder, file));
    const meta = readMeta(join(folder, file));
    if (meta === undefined) {
      if (isReplicas(folder))
        findings.add("damaged", file, "it is missing, and with it the replica's name", {
          advice: "The next start draws another name, unless --id gives it one.",
        });
      else if (unfinishedStart(folder, null, generations) === "first")
        findings.add("note", file, "there is none: no start has come to its end here yet");
      else findings.add("damaged", file, "it is missing: a start would begin a new log", { advice });
      return null;
    }
    const history =
      meta.logId === undefined ? "of no log yet" : `log ${meta.logId}, epoch ${meta.epoch ?? 0}`;
    const who = meta.role === "replica" ? `replica ${meta.replicaId}` : "primary";
    findings.add("ok", file, `${who}, ${history}`);
    if (meta.role === "primary") tellReplaced(folder, meta, findings);
    return meta;
  } catch (error) {
    findings.add("damaged", file, damageIn(error).replace(`${join(folder, file)} `, "it "), { advice });
    return null;
  }
}

/** What a start compares, it knows by its own options; here it is the file that data folders are named after. */
function tellReplaced(folder: string, { databaseFile }: Meta, findings: Findings): void {
  const file = DataFolder.databaseOf(folder);
  if (file === undefined || kindOf(file) !== "file" || identityOf(file) === databaseFile) return;
  findings.add("note", "meta.json", `${basename(file)} is another file now than the one that was followed`, {
    advice:
      "The next start compares all pages. Where they are not those of the log's end, it begins a new log; replicas compare pages and go on.",
  });
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

function examinePosition(folder: string, findings: Findings): Position | "lost" | undefined {
  const path = join(folder, "position");
  if (kindOf(path) === "folder" || kindOf(path) === "other") return undefined;
  try {
    const bytes =
      kindOf(path) === undefined
        ? Buffer.alloc(0)
        : onStorage("read", path, () => readFileSync(path).subarray(0, 1024));
    const found = decodePosition(bytes);
    return found === undefined ? tellNoPosition(folder, findings) : found.position;
  } catch (error) {
    findings.add("damaged", "position", damageIn(error), {
      offset: 0,
      advice: "The replica mends it by itself: start it. It compares its pages with the primary's.",
    });
    return undefined;
  }
}

function tellNoPosition(folder: string, findings: Findings): "lost" | undefined {
  const file = "position";
  if (kindOf(join(folder, "position.damaged")) === "file") {
    findings.add("note", file, "it was damaged, and a start has set it aside", {
      advice: "The next one compares all pages with the primary's.",
    });
    return undefined;
  }
  // The log is followed from a position on, and never before there is one.
  if (kindOf(join(folder, "log", "start.json")) === "file") {
    findings.add("damaged", file, "it is lost", {
      advice:
        "A start takes the database for somebody else's, and refuses. Move it and the data folder away: it is fetched anew.",
    });
    return "lost";
  }
  findings.add("note", file, "the replica has not landed yet");
  return undefined;
}

function readCleanClose(folder: string): CleanClose | "missing" | "senseless" {
  const path = join(folder, CLEAN_CLOSE_FILE);
  if (kindOf(path) !== "file") return "missing";
  return parseCleanClose(orNothing(() => readDocument(path))) ?? "senseless";
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

/** From where on a replica's copy of the log may lack what was received: it went through a loss of power. */
function floorOf(position: Position | undefined, bootId: string): Cursor | undefined {
  if (position === undefined || position.isClean || isSameBoot(position.bootId, bootId)) return undefined;
  return position.floor.cursor;
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    damageIn(error);
    return undefined;
  }
}
