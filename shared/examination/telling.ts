import { basename } from "node:path";
import type { Position } from "../format/position.ts";
import { count, counted, size } from "../human.ts";
import { segmentPath } from "../log/segment-files.ts";
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

export const MADE_ANEW = "The next start makes it anew, from the database or from a snapshot.";

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
  const { damage, tornBytes, end, head } = log;
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
  if (tornBytes > 0)
    findings.add(
      "torn_tail",
      fileOf(end),
      `its last ${count(tornBytes)} bytes are of a record that was never finished`,
      {
        offset: end.offset,
        advice: "The next start cuts them by itself, and captures that commit again.",
      },
    );
}

export function tellCopy(log: LogExamination | undefined, findings: Findings): void {
  if (log === undefined) {
    if (findings.list.length === 0) findings.add("note", "log", "there is no copy of the log yet");
    return;
  }
  if (findings.list.length === 0) tellGood(log, findings);
  if (log.tornBytes > 0 && findings.list.every(({ severity }) => severity !== "damaged"))
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
  findings: Findings,
): void {
  if (info === undefined) return;
  const file = `snapshots/${basename(info.file)}`;
  const what = `generation ${generation}, transaction ${info.txid}, ${size(info.pageCount * info.pageSizeBytes)}`;
  if (info.logId !== logId) {
    findings.add("note", file, `${what}: of another log, ${info.logId}`, {
      advice: "It is removed when a newer one is there.",
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

export function tellTable(
  { mark, isAtMark }: TableExamination,
  verdict: ClaimVerdict | null,
  log: LogExamination | undefined,
  role: "primary" | "replica",
  findings: Findings,
  useless: { file: string; why: string }[],
): void {
  const file = "pages.sum";
  const what = `${counted(mark.pageCount, "page")} at transaction ${mark.txid}`;
  const isOfNoUse =
    verdict === "contradicted" || (verdict === "beyond" && log?.damage === null && role === "primary");
  if (isOfNoUse) {
    const why = verdict === "beyond" ? "the log ends before its state" : "the log is at another state there";
    findings.add("damaged", file, `${what}: ${why}`, { advice: MADE_ANEW });
    useless.push({ file, why });
  } else if (verdict === "beyond" && role === "primary") {
    findings.add("note", file, `${what}: it stands past the damage in the log`, { advice: MADE_ANEW });
  } else if (verdict === "trimmed" || verdict === "beyond") {
    findings.add("note", file, `${what}: the log does not lead on from there`, { advice: MADE_ANEW });
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
