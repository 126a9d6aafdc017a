import { UNKNOWN, count, counted, duration, printable, size } from "../../human.ts";
import { compareReplicas } from "../../plan/health.ts";
import type { Finding, Health, NodeDocument } from "../../plan/health.ts";
import type { ReplicaStatus } from "../../status.ts";
import type { HistoryView } from "../history.ts";
import { foreign, html, sentence } from "./html.ts";
import type { Html } from "./html.ts";
import { agoText, behindText, icon, known, rateText, toneOf, wordOf } from "./words.ts";
import type { Tone } from "./words.ts";

const VERDICT_TONES = { well: "ok", warning: "warning", error: "error" } as const;
const SEVERITY_TONES: Readonly<Record<Finding["severity"], Tone>> = {
  error: "error",
  warning: "warning",
  note: "busy",
};

/** Is all well, and if not, what is to be done. */
export function verdict({ verdict: word, headline, findings }: Health): Html {
  const lead = findings.find(({ severity }) => severity !== "note");
  const others = findings.filter((finding) => finding !== lead);
  return html`<section class="verdict ${word}" aria-labelledby="headline">
    <h2 id="headline">
      ${icon(VERDICT_TONES[word])}<span>${sentence(headline, lead?.replicas ?? [])}</span>
    </h2>
    ${lead === undefined ? "" : html`<p class="lead"><b>${capital(lead.severity)}</b> ${printable(lead.wayOut ?? "")}</p>`}
    ${
      others.length === 0
        ? ""
        : html`<ul class="findings">
            ${others.map((finding) => item(finding))}
          </ul>`
    }
  </section>`;
}

function item({ severity, text, wayOut, replicas }: Finding): Html {
  return html`<li class="${severity}">
    ${icon(SEVERITY_TONES[severity])}
    <p>
      <b>${capital(severity)}</b> ${sentence(capital(text), replicas)}.
      ${wayOut === null ? "" : html`<span class="way-out">${printable(wayOut)}</span>`}
    </p>
  </li>`;
}

/** For those who hear the page: changes only when something goes wrong or is well again, not with every figure. */
export function announcement({ verdict: word, findings }: Health): string {
  const serious = findings.filter(({ severity }) => severity !== "note");
  if (word === "well") return "All is well";
  return serious
    .map(({ severity, code, replicas }) => {
      const whom =
        replicas.length === 0
          ? ""
          : replicas.length === 1
            ? ` ${printable(replicas[0]!)}`
            : `: ${count(replicas.length)}`;
      return `${severity}: ${printable(code).replaceAll("_", " ")}${whom}`;
    })
    .join("; ");
}

/** The four or five figures that one looks for first. */
export function figures(node: NodeDocument, history: HistoryView): Html {
  const rate = history.commitsPerSecond.at(-1);
  const rateOf = rate === undefined || Number.isNaN(rate) ? UNKNOWN : rateText(rate);
  const { log, nowMs, database } = node;
  const pages = known(database?.pageCount, (pageCount) => counted(pageCount, "page"));
  const file = ["Database", known(database?.sizeBytes, size), pages] as const;
  const rows =
    node.role === "primary"
      ? [
          [
            "Commits",
            rateOf,
            known(log, ({ headTxid }) => `newest is ${count(headTxid)}, ${agoText(log?.headTimeMs, nowMs)}`),
          ],
          worstOf(node),
          ["Log", known(log, ({ sizeBytes }) => size(sizeBytes)), known(log, limitText)],
          file,
        ]
      : [
          [
            "Behind its source",
            known(node.lag?.seconds, (seconds) => (seconds === 0 ? "nothing" : duration(seconds * 1000))),
            known(node.lag?.transactions, (transactions) => counted(transactions, "transaction")),
          ],
          ["Applied", rateOf, known(node.position?.txid, (txid) => `up to transaction ${count(txid)}`)],
          [
            "Source answered",
            agoText(node.receiver?.lastContactMs, nowMs),
            known(node.applier?.backlogBytes, (bytes) => `${size(bytes)} received, not applied`),
          ],
          ...(node.replicas.length === 0 ? [] : [worstOf(node)]),
          file,
        ];
  return html`<dl class="figures">
    ${rows.map(
      ([name, value, more]) =>
        html`<div>
          <dt>${name}</dt>
          <dd><strong>${value}</strong><small>${more}</small></dd>
        </div>`,
    )}
  </dl>`;
}

/** Of those that all keep up, the one that is furthest behind. */
function worstIn(replicas: readonly ReplicaStatus[]): ReplicaStatus | undefined {
  const [first] = replicas.toSorted(compareReplicas);
  if (first === undefined || first.lagSeconds === null || !["ok", "busy"].includes(toneOf(first)))
    return first;
  return replicas.reduce((a, b) => ((b.lagSeconds ?? 0) > (a.lagSeconds ?? 0) ? b : a));
}

function worstOf({
  replicas,
  replicasTotal,
  asOfMs,
}: NodeDocument): readonly [string, string, Html | string] {
  const worst = worstIn(replicas);
  if (asOfMs === undefined) return ["Replicas", UNKNOWN, UNKNOWN];
  if (worst === undefined) return ["Replicas", "0", "none has asked yet"];
  const one = replicasTotal === 1;
  const transactions = worst.lagTransactions ?? 0;
  return [
    one ? "Replica" : `${count(replicasTotal)} replicas, worst`,
    worst.state === "lost" ? wordOf(worst) : behindText(worst.lagSeconds).replace(" behind", ""),
    html`${foreign(worst.id)}${transactions === 0 ? "" : `, ${counted(transactions, "transaction")}`}`,
  ];
}

function limitText({ maxBytes, bytesPerSecond }: NonNullable<NodeDocument["log"]>): string {
  const most = maxBytes === null ? "no limit" : `of at most ${size(maxBytes)}`;
  return bytesPerSecond === null ? most : `${most}, +${size(bytesPerSecond)}/s`;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
