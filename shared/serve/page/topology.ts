import { UNKNOWN, count, counted, duration, printable } from "../../human.ts";
import { compareReplicas } from "../../plan/health.ts";
import type { Health, NodeDocument } from "../../plan/health.ts";
import type { ReplicaStatus } from "../../status.ts";
import { foreign, html } from "./html.ts";
import type { Html } from "./html.ts";
import { anchorOf, behindText, icon, known, toneOf, wordOf } from "./words.ts";
import type { Tone } from "./words.ts";

/** Drawn with a line of their own; of more, the rest is a field of small shapes. */
const MAX_BRANCHES = 8;
const BRANCHES_OF_MANY = 5;
/** In the field. */
const MAX_SHAPES = 400;

/** The node, what it follows, and those that follow it: who they are, how they are, and how far behind. */
export function topology(node: NodeDocument, { findings }: Health): Html {
  // What is wrong with a replica is shown at the replica.
  const own = findings.find(({ severity, replicas }) => severity !== "note" && replicas.length === 0);
  const sorted = node.replicas.toSorted(compareReplicas);
  const shown = sorted.length > MAX_BRANCHES ? sorted.slice(0, BRANCHES_OF_MANY) : sorted;
  const rest = sorted.slice(shown.length);
  return html`<div class="tree">
    ${node.role === "replica" ? source(node) : ""}
    <div class="node self">
      <span class="role">this ${node.role}</span>
      <strong>${foreign(nameOf(node))}</strong>
      <span class="state"
        >${icon((own?.severity as Tone | undefined) ?? "ok")}
        ${node.isReady ? (node.state ?? "serving") : "not ready"}</span
      >
      <span class="at"
        >transaction ${known(node.role === "primary" ? node.log?.headTxid : node.position?.txid, count)}</span
      >
    </div>
    ${
      shown.length === 0
        ? html`<p class="nobody">
            ${node.asOfMs === undefined ? "Who follows this node is not known yet." : "Nobody follows this node."}
          </p>`
        : html`<ul class="branches">
            ${shown.map((replica) => branch(replica))} ${rest.length === 0 ? "" : field(rest)}
          </ul>`
    }
  </div>`;
}

/** What a node is called: a replica by its id, a primary by its file. */
export function nameOf({ role, id, database }: NodeDocument): string {
  return (role === "replica" ? id : undefined) ?? database?.file.split("/").at(-1) ?? UNKNOWN;
}

function source({ source: url, receiver, lag }: NodeDocument): Html {
  const isAway = (receiver?.failures ?? 0) > 0;
  const tone: Tone = isAway ? "error" : "ok";
  // Only an address that leads to a page is a link.
  const isAddress = url !== undefined && /^https?:\/\//.test(url) && URL.canParse(url);
  const name = foreign(url === undefined ? "unknown" : url.replace(/^https?:\/\//, "").replace(/\/$/, ""));
  return html`<div class="node source">
      <span class="role">follows</span>
      <strong>${isAddress ? html`<a href="${url}" rel="noreferrer">${name}</a>` : name}</strong>
      <span class="state">${icon(tone)} ${isAway ? "does not answer" : "answers"}</span>
      <span class="at">transaction ${known(receiver?.primaryTxid, count)}</span>
    </div>
    <span class="edge ${tone}">${edgeText(lag?.seconds)}</span>`;
}

function branch(replica: ReplicaStatus): Html {
  const tone = toneOf(replica);
  return html`<li id="branch-${anchorOf(replica.id)}">
    <span class="edge ${tone}">${edgeText(replica.lagSeconds)}</span>
    <a class="node ${tone}" href="#${anchorOf(replica.id)}">
      <strong>${foreign(replica.id)}</strong>
      <span class="state">${icon(tone)} ${wordOf(replica)}</span>
      <span class="at">transaction ${known(replica.appliedTxid, count)}</span>
      <span class="lag">${behindText(replica.lagSeconds)}</span>
    </a>
  </li>`;
}

function edgeText(lagSeconds: number | null | undefined): Html {
  return lagSeconds === null || lagSeconds === undefined
    ? html`<span>lag unknown</span>`
    : html`<span>${lagSeconds === 0 ? "0 s" : duration(lagSeconds * 1000)}</span>`;
}

function field(rest: readonly ReplicaStatus[]): Html {
  const counts = Map.groupBy(rest, (replica) => wordOf(replica));
  const words = [...counts].map(([word, { length }]) => `${count(length)} ${word}`).join(", ");
  const shapes = rest.slice(0, MAX_SHAPES);
  return html`<li id="branch-rest" class="rest">
    <span class="edge ${toneOf(rest[0]!)}"></span>
    <div class="node">
      <strong>${counted(rest.length, "more replica").replace("more replicas", "more")}</strong>
      <span class="state">${words}</span>
      <span class="field" aria-hidden="true"
        >${shapes.map((replica) => html`<i class="${toneOf(replica)}" title="${printable(replica.id)}"></i>`)}</span
      >
    </div>
  </li>`;
}
