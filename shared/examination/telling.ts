import { basename } from "node:path";
import type { Position } from "../format/position.ts";
import { count, counted, size } from "../human.ts";
import { segmentPath } from "../log/segment-files.ts";
import { CLEAN_CLOSE_FILE } from "../storage/clean-close-file.ts";
import type { CleanClose } from "../storage/clean-close-file.ts";
import type { Meta } from "../storage/meta-file.ts";
import { hex64 } from "../units.ts";
import type { Cursor, Txid } from "../units.ts";
import type { Findings } from "./finding.ts";
import type { LogExamination } from "./log-examination.ts";
import type { FoundGeneration } from "./snapshot-examination.ts";
import type { ClaimVerdict } from "./state-claims.ts";
import type { TableExamination } from "./table-examination.ts";

/*
 * What is found, in words: what it means, and what is to be done about it.
 */

const MADE_ANEW = "The next start makes it anew, from the database or from a snapshot.";
const MADE_ANEW_IF_ALIKE =
  "The next start makes it anew if the database is as the log left it. If not, no snapshot says what differs: it begins a new log.";

export function tellLog(
  log: LogExamination | undefined,
  segmentCount: number,
  meta: Meta | null,
  findings: Findings,
): void {
  if (log === undefined) {
    if (meta === null && segmentCount > 0)
      findings.add(
        "note",
        "log",
        `${segmentCount} segments were not read: meta.json does not say of which log`,
      );
    else if (meta !== null)
      findings.add("damaged", "log", "there is no segment", {
        advice: "A start begins a new log; replicas compare pages and go on.",
      });
    return;
  }
  const { damage, tornBytes, tornTxid, wentDown, end, head } = log;
  if (head !== null && meta?.pageSizeBytes !== undefined && damage === null) tellGood(log, findings);
  if (damage !== null) {
    const kept =
      head === null
        ? "nothing before it can be kept"
        : `transactions ${span(log.baseTxid + 1, head.txid)} before it are good`;
    findings.list.unshift({
      severity: "damaged",
      file: fileOf(damage.at),
      offset: damage.at.offset,
      text: `${damage.what}; ${kept}`,
      advice:
        head === null
          ? "A start begins a new log; replicas compare pages and go on."
          : "tailrace repair cuts the log there, after saying what goes. A start without it begins a new log.",
    });
  }
  if (tornBytes === 0) return;
  const bytes = `its last ${count(tornBytes)} bytes`;
  const first = (head?.txid ?? 0) + 1;
  const what =
    tornTxid === null || tornTxid === first
      ? `transaction ${first}`
      : `transactions ${span(first, tornTxid)}`;
  findings.add(
    "torn_tail",
    fileOf(end),
    wentDown
      ? `the machine went down while ${bytes} (${what}) were on their way to the disk`
      : `${bytes} are of a record that was never finished`,
    {
      offset: end.offset,
      advice: wentDown
        ? "The next start cuts them by itself, and logs again what the database has of them."
        : "The next start cuts them by itself, and captures that commit again.",
    },
  );
}

/** A start that had begun a log did not come to its end ({@link ./unfinished-start.ts}). */
export function tellUnfinishedStart(which: "first" | "new", findings: Findings): void {
  if (which === "first")
    findings.add("note", "log", "nothing was ever logged", { advice: "A start begins the log." });
  else
    findings.add("note", "log", "a start has set the log aside, and did not come to its end", {
      advice: "The next one begins a new log; replicas compare pages and go on.",
    });
}

export function tellCopy(
  log: LogExamination | undefined,
  phase: Position["phase"] | undefined,
  findings: Findings,
): void {
  if (phase === "resyncing") {
    findings.add("note", "log", "it was not read: the resync that is under way replaces it");
    return;
  }
  if (log === undefined) {
    if (findings.list.length === 0) findings.add("note", "log", "there is no copy of the log yet");
    return;
  }
  if (findings.list.length > 0) return;
  tellGood(log, findings);
  if (log.tornBytes > 0)
    findings.add(
      "note",
      fileOf(log.end),
      `its last ${count(log.tornBytes)} bytes are of a record that is not all here yet`,
      {
        offset: log.end.offset,
      },
    );
}

function tellGood({ segments, sizeBytes, baseTxid, head }: LogExamination, findings: Findings): void {
  const files = segments.length === 1 ? "1 segment" : `${count(segments.length)} segments`;
  const content =
    head === null || head.commitTimeMs === null
      ? "no transaction"
      : `transactions ${span(baseTxid + 1, head.txid)}, database checksum ${hex64(head.checksum)}`;
  findings.add("ok", "log", `${files}, ${size(sizeBytes)}: ${content}`);
}

/** `1 to 60` */
function span(from: Txid, to: Txid): string {
  return from >= to ? String(to) : `${from} to ${to}`;
}

function fileOf({ segment }: Cursor): string {
  return `log/${basename(segmentPath("", segment))}`;
}

export function tellGeneration(
  { generation, info }: FoundGeneration,
  verdict: ClaimVerdict | null,
  log: LogExamination | undefined,
  logId: string | undefined,
  isDeep: boolean,
  role: "primary" | "replica",
  findings: Findings,
): void {
  if (info === undefined) return;
  const file = `snapshots/${basename(info.file)}`;
  const what = `generation ${generation}, transaction ${info.txid}, ${size(info.pageCount * info.pageSizeBytes)}`;
  if (info.logId !== logId) {
    findings.add("note", file, `${what}: of another log, ${info.logId}`, {
      advice: "It is removed when a newer one is there.",
    });
  } else if (verdict === "beyond" && role === "replica") {
    findings.add("note", file, `${what}: the copy of the log ends before it`, {
      advice: "It leads on from there when that is fetched again.",
    });
  } else if (verdict === "beyond" && log?.damage !== null) {
    findings.add("note", file, `${what}: it stands past the damage in the log`, {
      advice: "If the log is cut, this snapshot goes as well.",
    });
  } else if (verdict === "beyond") {
    findings.add("damaged", file, `${what}: the log ends before it, so that its newest part is lost`, {
      advice: "The next start removes this snapshot, and logs what differs as one transaction.",
    });
  } else if (verdict === "contradicted") {
    findings.add("damaged", file, `${what}: the log is at another state there`, {
      advice: "Let tailrace repair move the snapshot aside; another is made when one is needed.",
    });
  } else if (verdict === "trimmed") {
    findings.add("note", file, `${what}: the log begins after it, nobody can go on from it`);
  } else {
    findings.add("ok", file, isDeep ? `${what}, read and compared` : `${what}; not read`);
  }
}

export interface TableContext {
  readonly log: LogExamination | undefined;
  readonly role: "primary" | "replica";
  /** Whether a snapshot is good of which the log leads on: from it a table can be made. */
  readonly hasSnapshot: boolean;
}

export function tellTable(
  table: TableExamination | "missing" | "unfinished" | "damaged",
  verdict: ClaimVerdict | null,
  { log, role, hasSnapshot }: TableContext,
  findings: Findings,
  useless: { file: string; why: string }[],
): void {
  const file = "pages.sum";
  const advice = role === "replica" || hasSnapshot ? MADE_ANEW : MADE_ANEW_IF_ALIKE;
  if (table === "missing" || table === "unfinished") {
    const what = table === "missing" ? "there is no page table" : "it was being made when the node ended";
    findings.add("note", file, what, { advice });
    return;
  }
  if (table === "damaged") {
    const why = "its header is damaged, or of a later version";
    findings.add("damaged", file, why, { offset: 0, advice });
    useless.push({ file, why });
    return;
  }
  const { mark, isAtMark } = table;
  const what = `${counted(mark.pageCount, "page")} at transaction ${mark.txid}`;
  const isOfNoUse =
    verdict === "contradicted" || (verdict === "beyond" && log?.damage === null && role === "primary");
  if (isOfNoUse) {
    const why = verdict === "beyond" ? "the log ends before its state" : "the log is at another state there";
    findings.add("damaged", file, `${what}: ${why}`, { advice });
    useless.push({ file, why });
  } else if (verdict === "beyond" && role === "primary") {
    findings.add("note", file, `${what}: it stands past the damage in the log`, { advice });
  } else if (verdict === "trimmed" || verdict === "beyond") {
    findings.add("note", file, `${what}: the log does not lead on from there`, { advice });
  } else if (!isAtMark) {
    findings.add("note", file, `${what}, mixed with later ones, as a killed node leaves it`, {
      advice: "The next start brings it up to the log's end; where that fails it is made anew.",
    });
  } else findings.add("ok", file, what);
}

export function tellPosition(
  { applied, phase, isClean }: Position,
  verdict: ClaimVerdict | null,
  findings: Findings,
): void {
  const what = `transaction ${applied.txid} is applied`;
  if (phase !== "following") {
    const where =
      phase === "resyncing" ? "in the midst of a resync" : "a snapshot is in place, and was never opened";
    findings.add("note", "position", `${where}; ${what}`, { advice: "The next start goes on there." });
  } else if (verdict === "contradicted") {
    findings.add("damaged", "position", `${what}: the copy of the log is at another state there`, {
      advice: "The replica mends it by itself: start it. It compares its pages with the primary's.",
    });
  } else if (verdict === "beyond" || verdict === "trimmed") {
    findings.add("note", "position", `${what}: the copy of the log does not have that place`, {
      advice: "The next start begins a new copy there.",
    });
  } else findings.add("ok", "position", `${what}${isClean ? ", closed in order" : ""}`);
}

const COMPARES =
  "The next start finds out what has changed since, by the SQLite WAL or by comparing all pages.";

export function tellCleanClose(
  closed: CleanClose | "missing" | "senseless",
  log: LogExamination | undefined,
  logId: string | undefined,
  findings: Findings,
  useless: { file: string; why: string }[],
): void {
  const file = CLEAN_CLOSE_FILE;
  const note = (text: string): void => findings.add("note", file, text, { advice: COMPARES });
  const damaged = (why: string, text: string): void => {
    findings.add("damaged", file, text, { advice: COMPARES });
    useless.push({ file, why });
  };
  if (closed === "missing") {
    note("there is none: the node was never closed in order");
    return;
  }
  if (closed === "senseless") {
    damaged("it makes no sense", "it makes no sense");
    return;
  }
  const { txid, databaseChecksum } = closed;
  const isOfThisLog = closed.logId === logId;
  const { head, damage } = log ?? { head: null, damage: null };
  if (isOfThisLog && head !== null && txid === head.txid && databaseChecksum === hex64(head.checksum)) {
    findings.add("ok", file, `closed in order at transaction ${txid}`);
  } else if (isOfThisLog && head !== null && damage === null && txid > head.txid) {
    const why = `closed at transaction ${txid}, but the log ends at ${head.txid}`;
    damaged(why, `${why}: its newest part is lost`);
  } else if (isOfThisLog && damage !== null) {
    note(`closed at transaction ${txid}, past the damage in the log`);
  } else note(`out of date: of transaction ${txid}; the node was not closed in order since`);
}
