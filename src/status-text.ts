import type { ReplicaStatus, StatusDocument } from "../shared/status.ts";
import { UNKNOWN, ago, count, cursor, duration, printable, size, time } from "../shared/human.ts";

/*
 * The status document as a person reads it. An engine may tell of itself what it likes, so this goes by the form of a
 * document, not by a list of keys: an object is a group, a list is a table, and the unit at the end of a name says how
 * its number is shown.
 */

type Fields = Readonly<Record<string, unknown>>;
type Document = StatusDocument & Fields;

/** In the headline, or said better elsewhere in the document. */
const LEFT_OUT: ReadonlySet<string> = new Set(
  "role id state isReady unready lastError lag nowMs asOfMs protocol database.checksum".split(" "),
);
const TITLES: Readonly<Record<string, string>> = { wal: "SQLite WAL" };
/** A number of milliseconds from here on (1973) is a moment, below it a span of time. */
const MOMENT_MS = 1e11;

/** @param style makes a heading of a text */
export function statusText(document: Document, style: (text: string) => string): string {
  const { nowMs } = document;
  const groups: { title: string; lines: readonly string[] }[] = [];
  const rows = (fields: Fields): readonly string[] => aligned(leaves(fields, "", nowMs));
  const single: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(document)) {
    // The log of a replica is its copy.
    if (LEFT_OUT.has(key) || (key === "copy" && document.log !== null)) continue;
    const title = TITLES[key] ?? labelOf(key);
    if (Array.isArray(value)) {
      const table = key === "replicas" ? replicaTable(document) : tableOf(value as readonly unknown[], nowMs);
      groups.push({ title, lines: table.length === 0 ? ["none"] : aligned(table) });
    } else if (isGroup(value)) {
      const shown = Object.entries(value).filter(([name]) => !LEFT_OUT.has(`${key}.${name}`));
      groups.push({ title, lines: rows({ ...Object.fromEntries(shown), ...total(value) }) });
    } else if (value !== null) {
      single[key] = value;
    }
  }
  groups.push({ title: "node", lines: rows(single) });
  const texts = groups.map(({ title, lines }) => [style(title), ...lines.map((line) => `  ${line}`)]);
  return [headline(document, style), ...texts.map((lines) => lines.join("\n"))].join("\n\n");
}

/** What one wants to know first: who it is, whether it is well, and how far behind. */
function headline(document: Document, style: (text: string) => string): string {
  const { role, id, state, isReady, unready, lastError, nowMs, lag } = document;
  const name = typeof id === "string" ? `${role} ${printable(id)}` : role;
  const readiness = isReady ? "ready" : "not ready";
  const lines = [
    style([name, ...(typeof state === "string" ? [printable(state)] : []), readiness].join(", ")),
  ];
  if (isGroup(lag)) lines.push(`behind: ${behind(lag["transactions"], lag["bytes"], lag["milliseconds"])}`);
  if (unready !== null) lines.push(`not ready: ${errorText({ ...unready }, nowMs)}`);
  if (isGroup(lastError)) lines.push(`last error: ${errorText(lastError, nowMs)}`);
  return lines.join("\n");
}

function replicaTable({ replicas, nowMs }: Document): readonly (readonly string[])[] {
  if (replicas.length === 0) return [];
  const headings = ["id", "address", "state", "txid", "behind", "received", "last seen", "left until lost"];
  const row = (replica: ReplicaStatus): readonly string[] => [
    printable(replica.id),
    replica.address === null ? UNKNOWN : printable(replica.address),
    replica.state.replaceAll("_", " "),
    textOf("appliedTxid", replica.appliedTxid, nowMs),
    behind(
      replica.lagTransactions,
      replica.lagBytes,
      replica.lagSeconds === null ? null : replica.lagSeconds * 1000,
    ),
    cursor(replica.received),
    ago(replica.lastSeenMs, nowMs),
    replica.bytesUntilLost === null ? UNKNOWN : size(replica.bytesUntilLost),
  ];
  return [headings, ...replicas.map((replica) => row(replica))];
}

function behind(transactions: unknown, bytes: unknown, ms: unknown): string {
  if (transactions === 0) return "nothing";
  if (typeof transactions !== "number") return "unknown";
  const parts = [
    `${count(transactions)} ${transactions === 1 ? "transaction" : "transactions"}`,
    typeof bytes === "number" ? size(bytes) : UNKNOWN,
    typeof ms === "number" ? duration(ms) : UNKNOWN,
  ];
  return parts.join(", ");
}

/** What pages come to. */
function total({ pageSizeBytes, pageCount }: Fields): { readonly sizeBytes?: number } {
  const isKnown = typeof pageSizeBytes === "number" && typeof pageCount === "number";
  return isKnown ? { sizeBytes: pageSizeBytes * pageCount } : {};
}

/** Objects with the same keys, as a table; anything else one to a line. */
function tableOf(items: readonly unknown[], nowMs: number): readonly (readonly string[])[] {
  const [first] = items;
  if (!isGroup(first)) return items.map((item) => [textOf("", item, nowMs)]);
  const keys = Object.keys(first);
  const rows = items.map((item) => keys.map((key) => textOf(key, isGroup(item) ? item[key] : item, nowMs)));
  return [keys.map((key) => labelOf(key)), ...rows];
}

function* leaves(fields: Fields, path: string, nowMs: number): Iterable<readonly [string, string]> {
  for (const [key, value] of Object.entries(fields)) {
    const label = `${path}${labelOf(key)}`;
    if (isGroup(value) && formOf(value) === undefined) yield* leaves(value, `${label} `, nowMs);
    else yield [label, textOf(key, value, nowMs)];
  }
}

function aligned(table: Iterable<readonly string[]>): readonly string[] {
  const rows = [...table];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** `pageSizeBytes` → `page size`, `isReadable` → `readable` */
function labelOf(key: string): string {
  const name = key.replace(/(?<=[a-z])(Bytes|Ms|Seconds)$/, "").replace(/^is(?=[A-Z])/, "");
  return printable(name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase());
}

function textOf(key: string, value: unknown, nowMs: number): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return numberText(key, value, nowMs);
  if (typeof value === "string") return stringText(value);
  const form = isGroup(value) ? formOf(value) : undefined;
  if (form === "error") return errorText(value as Fields, nowMs);
  if (form === "cursor") return cursor(value as { segment: number; offset: number });
  return printable(JSON.stringify(value));
}

function numberText(key: string, value: number, nowMs: number): string {
  // Names, not quantities.
  if (/(txid|generation|epoch)$/i.test(key)) return String(value);
  if (/bytes$/i.test(key)) return size(value);
  if (key.endsWith("Seconds")) return duration(value * 1000);
  if (!/(Ms|milliseconds)$/.test(key)) return count(value);
  return value < MOMENT_MS ? duration(value) : `${time(value)}, ${ago(value, nowMs)}`;
}

/** A cursor's text form is hex of fixed width, for sorting; people get the decimal one of queries and headers. */
function stringText(text: string): string {
  const [, segment, offset] = /^([0-9a-f]{16}):([0-9a-f]{16})$/.exec(text) ?? [];
  if (segment === undefined || offset === undefined) return printable(text);
  return `${BigInt(`0x${segment}`)}:${BigInt(`0x${offset}`)}`;
}

function errorText({ code, message, timeMs }: Fields, nowMs: number): string {
  const when = typeof timeMs === "number" ? ` (${ago(timeMs, nowMs)})` : "";
  return `${printable(String(code))}: ${printable(String(message))}${when}`;
}

function isGroup(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is an object, and still one value. */
function formOf(value: Fields): "cursor" | "error" | undefined {
  if (typeof value["segment"] === "number" && typeof value["offset"] === "number") return "cursor";
  return typeof value["code"] === "string" && typeof value["message"] === "string" ? "error" : undefined;
}
