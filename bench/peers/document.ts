/** docs/benchmarks.md, made of a result alone. Nothing in it is written by hand but what figures mean. */
import { median } from "../harness/result.ts";
import type { Metric, Question } from "./contract.ts";
import { findLosses } from "./losses.ts";
import { WHAT_IT_IS_LOST_TO } from "./lost-to.ts";
import { PEERS } from "./products.ts";
import { QUESTIONS } from "./questions.ts";
import { inMegabytes } from "./questions/bulk.ts";
import type { Answer, PeerInRun, PeersResult } from "./result.ts";

/** Where a full run is kept, and what is made of it. */
export const RESULT: URL = new URL("../results/peers.json", import.meta.url);
export const DOCUMENT: URL = new URL("../../docs/benchmarks.md", import.meta.url);

export function renderDocument(result: PeersResult): string {
  const asked = QUESTIONS.filter(({ name }) => result.answers.some(({ question }) => question === name));
  return `${[
    ...introduction(result),
    ...peersTable(result),
    ...asked.flatMap((question) => section(question, result)),
    ...losses(result),
    ...absences(result),
    ...instructions(),
  ].join("\n")}\n`;
}

function introduction({ machine, scale, ...result }: PeersResult): readonly string[] {
  return [
    "# Figures beside the peers",
    "",
    "Made by `npm run bench -- peers` from [bench/results/peers.json](../bench/results/peers.json): do not edit. The same rows and",
    "the same work for all, in one run on one machine, everything on loopback; each peer with the settings that its makers recommend",
    "where nothing may be lost. Within a repetition each peer has its turn on a cluster of its own, one primary and one replica.",
    "Cells are the median of the repetitions, with the least and the greatest in brackets. ↓: less is better, ↑: more is.",
    "",
    "| run | |",
    "|---|---|",
    `| started | ${result.startedAt}, took ${result.minutes.toFixed(0)} minutes${result.isQuick ? ", with `--quick`" : ""} |`,
    `| repetitions | ${result.repetitions}${result.repetitions < 3 ? ": too few for a median that can be relied on" : ""} |`,
    `| machine | ${machine.processor}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB |`,
    `| system | ${machine.kernel}, ${machine.fileSystem}, node ${machine.node} |`,
    `| load average | before: ${loadText(machine.loadBefore)}; after: ${loadText(machine.loadAfter)} |`,
    `| sizes | rows of 100 bytes; the bulk is ${inMegabytes(scale.bulkBytes)} in rows of 1,900 bytes, 500 a transaction, random |`,
    "",
    ...(machine.loadBefore[0]! >= QUIET_LOAD_PER_CORE * machine.cores
      ? [
          "**The machine was busy with other work when this run began, or had been until a minute before: take its figures with care.**",
          "",
        ]
      : []),
  ];
}

function loadText(load: readonly number[]): string {
  return load.map((value) => value.toFixed(2)).join(", ");
}

/** Beyond this load average, what else runs decides over figures. */
const QUIET_LOAD_PER_CORE = 0.25;

function peersTable({ peers }: PeersResult): readonly string[] {
  return [
    "## Who, and how set",
    "",
    ...table(
      ["peer", "version", "settings"],
      peers.map(({ title, version, settings, howToGet }) => [
        title,
        version ?? "not installed",
        version === undefined ? `left out; to get it: \`${howToGet}\`` : settings,
      ]),
      false,
    ),
    "",
  ];
}

function section(question: Question, result: PeersResult): readonly string[] {
  const { name, title, metrics } = question;
  const notes: string[] = [];
  const rows = result.peers
    .filter((peer) => hasPlace(peer, question, result))
    .map((peer) => {
      const failure = result.failures.find((one) => one.peer === peer.name && one.question === name);
      const texts = [peer.notes[name], failure && `Failed: ${failure.message}.`].filter(
        (text) => text !== undefined,
      );
      const marks = texts.map((text) => {
        if (!notes.includes(text)) notes.push(text);
        return `<sup>${notes.indexOf(text) + 1}</sup>`;
      });
      const figures = metrics.map((metric) => cell(find(result.answers, question, peer, metric)));
      return [`${peer.title}${marks.join(" ")}`, ...figures];
    });
  return [
    `## ${title}`,
    "",
    question.meaning(result.scale),
    "",
    ...table(["", ...metrics.map(heading)], rows),
    "",
    ...notes.map((text, index) => `${index + 1}. ${text}`),
    ...(notes.length > 0 ? [""] : []),
  ];
}

function heading({ label, better }: Metric): string {
  if (better === undefined) return label;
  return `${label} ${better === "lower" ? "↓" : "↑"}`;
}

/** A peer that has neither figures nor anything said of it stays out of the table. */
function hasPlace({ name, version, notes }: PeerInRun, question: Question, result: PeersResult): boolean {
  const isAbout = (one: { peer: string; question: string }): boolean =>
    one.peer === name && one.question === question.name;
  return (
    version !== undefined &&
    (notes[question.name] !== undefined || result.answers.some(isAbout) || result.failures.some(isAbout))
  );
}

function find(
  answers: readonly Answer[],
  question: Question,
  peer: PeerInRun,
  metric: Metric,
): Answer | undefined {
  return answers.find(
    (answer) =>
      answer.question === question.name && answer.peer === peer.name && answer.metric === metric.name,
  );
}

function cell(answer: Answer | undefined): string {
  if (answer === undefined) return "–";
  const { values } = answer;
  if (values.length === 1) return figure(values[0]!);
  return `${figure(median(values))} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

/** Three digits, or whole numbers with their thousands marked. */
function figure(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function losses(result: PeersResult): readonly string[] {
  const found = findLosses(result);
  const text =
    found.length === 0
      ? ["Nowhere in this run."]
      : table(
          ["question", "figure", "Tailrace", "better", "its figure", "times", "repetitions overlap"],
          found.map(({ question, metric, peer, own, theirs, factor, doesOverlap }) => [
            question.title,
            metric.label,
            figure(own),
            peer.title,
            figure(theirs),
            Number.isFinite(factor) ? figure(factor) : "–",
            result.repetitions < 2 ? "–" : doesOverlap ? "yes" : "no",
          ]),
        );
  return [
    "## Where we lose",
    "",
    "Every figure of the tables above in which another's median is better than Tailrace's by more than 5 %, computed. Where the",
    "repetitions of the two overlap, this run cannot tell them apart.",
    "",
    ...text,
    "",
    ...WHAT_IT_IS_LOST_TO,
    "",
  ];
}

function absences({ peers }: PeersResult): readonly string[] {
  const missing = peers.filter(({ version }) => version === undefined);
  if (missing.length === 0) return [];
  const names = missing.map(({ title }) => title).join(", ");
  return [
    "## Not in this run",
    "",
    `${names}: not installed on the machine of this run, so nothing is said of it.`,
    "",
  ];
}

function instructions(): readonly string[] {
  const commands = new Set(PEERS.map(({ howToGet }) => howToGet));
  return [
    "## To run it",
    "",
    "A peer that is not installed is left out. What no system package brings is looked for in `$TAILRACE_PEERS`, by default",
    "`tailrace-peers` in the system's folder for temporary files.",
    "",
    "```sh",
    ...commands,
    "npm run bench -- peers                       # some 15 minutes; writes this document",
    "npm run bench -- peers --quick               # 3 minutes, small sizes; prints only",
    "npm run bench -- peers --only tailrace,postgres --questions lag,reads --repeat 5",
    "npm run bench -- peers --render              # this document again, from the figures there are",
    "```",
  ];
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isFigures = true,
): readonly string[] {
  const alignments = head.map((_, index) => (isFigures && index > 0 ? "--:" : "---"));
  return [tableLine(head), `|${alignments.join("|")}|`, ...rows.map(tableLine)];
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
}
