import type { Examination } from "../shared/examination/examine.ts";
import type { Finding, Severity } from "../shared/examination/finding.ts";
import { count, printable, size } from "../shared/human.ts";
import type { Style } from "./output.ts";

const LABELS: Readonly<Record<Severity, string>> = {
  ok: "ok",
  note: "note",
  torn_tail: "torn tail",
  damaged: "damaged",
};
const STYLES: Readonly<Record<Severity, Style | undefined>> = {
  ok: "green",
  note: undefined,
  torn_tail: "yellow",
  damaged: "red",
};

type Paint = (format: Style, text: string) => string;

/** A line for each finding, and one at the end that sums them up. */
export function findingsText({ folder, role, findings, unreadBytes }: Examination, style: Paint): string {
  const places = findings.map(({ file, offset }) => printable(file) + (offset === null ? "" : `:${offset}`));
  const labelWidth = Math.max(...Object.values(LABELS).map((label) => label.length));
  const placeWidth = Math.max(0, ...places.map((place) => place.length));
  const lines = findings.map((finding, index) => {
    const label = LABELS[finding.severity].padEnd(labelWidth);
    const format = STYLES[finding.severity];
    return `${format === undefined ? label : style(format, label)}  ${places[index]!.padEnd(placeWidth)}  ${sentence(finding)}`;
  });
  return [...lines, "", summary(`${folder}, of a ${role}`, findings, unreadBytes)].join("\n");
}

function sentence({ text, advice }: Finding): string {
  return printable(advice === null ? text : `${text}. ${advice}`);
}

function summary(what: string, findings: readonly Finding[], unreadBytes: number): string {
  const damaged = findings.filter(({ severity }) => severity === "damaged").length;
  const verdict =
    damaged === 0
      ? "nothing is damaged"
      : `${count(damaged)} ${damaged === 1 ? "finding" : "findings"} of damage`;
  const unread =
    unreadBytes === 0 ? "" : `; ${size(unreadBytes)} of snapshots were not read (--deep reads them)`;
  return `${what}: ${verdict}${unread}`;
}
