import { UNKNOWN, ago, count, counted, cursor, duration, printable, size, time } from "../shared/human.ts";
import type { Health } from "../shared/plan/health.ts";
import type { RecentError } from "../shared/status.ts";
import { findingLines } from "./findings-text.ts";
import { logPairs, walPairs } from "./log-text.ts";
import type { NodeDocument } from "./node-document.ts";
import { replicaLines } from "./replica-table.ts";
import { snapshotLines } from "./snapshot-text.ts";
import { pairLines, wrappedLines } from "./text-table.ts";
import type { Paper } from "./text-table.ts";

/** So many of the newest errors are shown. */
const SHOWN_ERRORS = 5;
const INDENT = "  ";

/**
 * The status document as a person reads it: who it is and how far behind, what is wrong and what to do, then the parts,
 * those first that are looked for most: a short terminal shows the beginning alone (--watch). What a later node says
 * beyond what is known here is left to --json.
 */
export function statusText(document: NodeDocument, health: Health, paper: Paper): string {
  const inner = { ...paper, columns: paper.columns - INDENT.length };
  const group = (title: string, lines: readonly string[]): string =>
    [paper.style("bold", title), ...lines.map((line) => INDENT + line)].join("\n");
  const pairs = (title: string, rows: readonly (readonly [string, string])[]): string =>
    group(title, pairLines(rows, inner));
  const { nowMs, log, wal, database, snapshots, replicas } = document;

  const texts = [headText(document, health, paper)];
  if (health.findings.length > 0) texts.push(findingLines(health.findings, paper).join("\n"));
  if (document.role === "replica") texts.push(pairs("following", followingPairs(document)));
  // A replica has neither until another asks it.
  const isFed = document.role === "primary" || snapshots.length > 0 || replicas.length > 0;
  if (isFed) {
    texts.push(group("replicas", replicas.length === 0 ? ["none yet"] : replicaLines(document, inner)));
    texts.push(group("snapshots", snapshotLines(document, inner)));
  }
  if (log !== null)
    texts.push(pairs(document.role === "replica" ? "copy of the log" : "log", logPairs(log, nowMs)));
  if (wal !== undefined && wal !== null) texts.push(pairs("SQLite WAL", walPairs(wal)));
  if (database !== undefined) texts.push(pairs("database", databasePairs(document)));
  const errors = errorsOf(document);
  if (errors.length > 0) texts.push(group("newest errors", errorLines(errors, nowMs, inner)));
  texts.push(pairs("node", nodePairs(document)));
  return texts.join("\n\n");
}

function headText(document: NodeDocument, { verdict, headline }: Health, { style }: Paper): string {
  const { role, id, state, isReady, lag } = document;
  const name = id === undefined ? role : `${role} ${printable(id)}`;
  const states = state === undefined ? [] : [printable(state).replaceAll("_", " ")];
  const lines = [style("bold", [name, ...states, isReady ? "ready" : "not ready"].join(", "))];
  if (lag !== undefined) lines.push(`behind: ${behindText(lag)}`);
  // Otherwise the findings say it, each with its way out.
  if (verdict === "well") lines.push(printable(headline));
  return lines.join("\n");
}

function behindText({ transactions, bytes, seconds }: NonNullable<NodeDocument["lag"]>): string {
  const age = seconds === null ? UNKNOWN : duration(seconds * 1000);
  if (transactions === null) {
    return seconds === null ? "unknown" : `unknown; what it has was fresh ${age} ago`;
  }
  if (transactions === 0) return "nothing";
  return `${counted(transactions, "transaction")}, ${bytes === null ? UNKNOWN : size(bytes)}, ${age}`;
}

function followingPairs(document: NodeDocument): readonly (readonly [string, string])[] {
  const { nowMs, source, receiver, applier, position, progress } = document;
  const pairs: [string, string][] = [["source", source === undefined ? UNKNOWN : printable(source)]];
  if (receiver !== undefined) {
    const { state, failures, retries, nextTryMs, lastContactMs, receivedBytes } = receiver;
    const at = receiver.cursor === null ? "" : ` at ${cursor(receiver.cursor)}`;
    const contact = lastContactMs === null ? "never" : ago(lastContactMs, nowMs);
    const next = nextTryMs === null ? "" : `, next try ${ago(nextTryMs, nowMs)}`;
    const failed = failures === 0 ? "" : `, ${counted(failures, "failure")} since${next}`;
    pairs.push(
      [
        "receiver",
        `${stateText(state)}${at}, ${size(receivedBytes)} received, ${counted(retries, "retry", "retries")}`,
      ],
      ["last contact", `${contact}${failed}`],
    );
  }
  if (applier !== undefined) {
    const { state, backlogBytes, blockedBy } = applier;
    const blocked = blockedBy === null ? "" : `, blocked by ${printable(blockedBy.code)}`;
    pairs.push(["applier", `${stateText(state)}, ${size(backlogBytes)} to apply${blocked}`]);
  }
  const head = receiver?.primaryTxid ?? null;
  if (position !== undefined && position !== null) {
    const of = head === null ? "" : ` of ${head}`;
    pairs.push(["applied", `txid ${position.txid}${of}, ${printable(position.databaseChecksum)}`]);
  }
  if (progress !== undefined && progress !== null) pairs.push(["progress", progressText(progress)]);
  if (document.bootstraps !== undefined) pairs.push(["bootstraps", count(document.bootstraps)]);
  if (document.resyncs !== undefined) pairs.push(["resyncs", resyncsText(document)]);
  return pairs;
}

function resyncsText({ resyncs = 0, lastResync, nowMs }: NodeDocument): string {
  if (lastResync === null || lastResync === undefined) return count(resyncs);
  const { timeMs, pages, fetchedBytes } = lastResync;
  return `${count(resyncs)}, the last ${ago(timeMs, nowMs)}: ${counted(pages, "page")}, ${size(fetchedBytes)} fetched`;
}

function progressText(progress: Readonly<Record<string, number>>): string {
  const { doneBytes, totalBytes, fetchedPages } = progress;
  if (doneBytes !== undefined && totalBytes !== undefined) return `${size(doneBytes)} of ${size(totalBytes)}`;
  return fetchedPages === undefined ? UNKNOWN : `${counted(fetchedPages, "page")} fetched`;
}

function databasePairs({ database }: NodeDocument): readonly (readonly [string, string])[] {
  const { file, pageCount, pageSizeBytes, isReadable } = database!;
  const isKnown = pageCount !== null && pageSizeBytes !== null;
  // Not the file's size: the newest pages may still be in the SQLite WAL.
  const sizeText = isKnown
    ? `${size(pageCount * pageSizeBytes)}, ${counted(pageCount, "page")} of ${size(pageSizeBytes)}`
    : UNKNOWN;
  return [
    ["file", printable(file)],
    ["size", sizeText],
    ...(isReadable ? [] : [["readable", "no"] as const]),
  ];
}

/** Newest first; what a replica failed with last is among them. */
function errorsOf({ errors, lastError }: NodeDocument): readonly RecentError[] {
  const isListed = (error: RecentError): boolean =>
    errors.some(({ code, timeMs }) => code === error.code && timeMs === error.timeMs);
  const more = lastError === null || lastError === undefined || isListed(lastError) ? [] : [lastError];
  return [...errors, ...more].toSorted((a, b) => b.timeMs - a.timeMs).slice(0, SHOWN_ERRORS);
}

/** Each with its way out below it. */
function errorLines(errors: readonly RecentError[], nowMs: number, paper: Paper): readonly string[] {
  const times = errors.map(({ timeMs }) => ago(timeMs, nowMs));
  const widest = Math.max(...times.map((text) => text.length));
  return errors.flatMap(({ code, message, hint }, index) => {
    const lead = `${times[index]!.padStart(widest)}  `;
    return [
      ...wrappedLines(lead, `${printable(code)}: ${printable(message)}`, paper),
      ...(hint === null ? [] : wrappedLines(" ".repeat(lead.length), printable(hint), paper)),
    ];
  });
}

function nodePairs(document: NodeDocument): readonly (readonly [string, string])[] {
  const { version, startedMs, nowMs, waitingRequests, downloads, isEngineAnswering } = document;
  return [
    [
      "running",
      `tailrace ${printable(version)}, for ${duration(Math.max(0, nowMs - startedMs))}, since ${time(startedMs)}`,
    ],
    ["requests", `${count(waitingRequests)} waiting, ${count(downloads)} downloading a snapshot`],
    ...(isEngineAnswering ? [] : [["engine", "does not answer"] as const]),
  ];
}

function stateText(state: string): string {
  return printable(state).replaceAll("_", " ");
}
