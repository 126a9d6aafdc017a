import { UNKNOWN, count, counted, cursor, duration, size, time } from "../../human.ts";
import { compareReplicas } from "../../plan/health.ts";
import type { NodeDocument } from "../../plan/health.ts";
import type { ReplicaStatus } from "../../status.ts";
import { foreign, html } from "./html.ts";
import type { Html } from "./html.ts";
import { agoText, anchorOf, behindText, icon, known, toneOf, wordOf } from "./words.ts";

/** The worst ones; all are in the status document. */
const MAX_ROWS = 300;
/** From so many on, only the worst are shown at once, and searching is quicker than looking. */
const MANY = 20;
const FIRST_OF_MANY = 10;
const HEADINGS = ["Replica", "State", "Behind", "Applied", "Received", "Log it needs"] as const;

export function replicaTable({ replicas, replicasTotal, nowMs, asOfMs }: NodeDocument): Html {
  if (asOfMs === undefined) return html`<p class="none">Not known yet.</p>`;
  if (replicas.length === 0) {
    return html`<p class="none">
      None has asked yet. Start one with <code>tailrace replica ADDRESS-OF-THIS-NODE edge.db</code>
    </p>`;
  }
  const rows = replicas.toSorted(compareReplicas).slice(0, MAX_ROWS);
  const isMany = rows.length >= MANY;
  const others = isMany ? rows.slice(FIRST_OF_MANY) : [];
  const left = replicasTotal - rows.length;
  return html`${isMany ? SEARCH : ""} ${table("worst", rows.slice(0, rows.length - others.length), nowMs)}
  ${
    others.length === 0
      ? ""
      : html`<details id="others">
          <summary>${count(others.length)} more</summary>
          ${table("more", others, nowMs)}
        </details>`
  }
  ${
    left === 0
      ? ""
      : html`<p class="more">
          And ${count(left)} that do better than these: <a href="admin/replicas">the whole list as JSON</a>.
        </p>`
  }`;
}

const SEARCH = html`<p class="search" id="search" hidden>
  <label for="search-box">Find</label>
  <input
    id="search-box"
    type="search"
    placeholder="id, address or state"
    autocomplete="off"
    spellcheck="false"
  />
  <output id="search-found" for="search-box"></output>
</p>`;

function table(id: string, rows: readonly ReplicaStatus[], nowMs: number): Html {
  const headings = HEADINGS.map((heading) => html`<th role="columnheader" scope="col">${heading}</th>`);
  return html`<table role="table" class="replicas" id="${id}" aria-labelledby="h-replicas">
    <thead role="rowgroup">
      <tr role="row">
        ${headings}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((replica) => row(replica, nowMs))}
    </tbody>
  </table>`;
}

function row(replica: ReplicaStatus, nowMs: number): Html {
  const { id, address, lagSeconds, lagTransactions, lagBytes, appliedTxid, received, sent } = replica;
  const asked = agoText(replica.lastSeenMs, nowMs);
  const lag = [
    lagTransactions === null ? [] : counted(lagTransactions, "transaction"),
    lagBytes === null ? [] : size(lagBytes),
  ];
  const asOf = replica.freshAsOfMs === null ? "" : `as of ${time(replica.freshAsOfMs).slice(11)}`;
  return html`<tr role="row" id="${anchorOf(id)}" tabindex="-1">
    <th role="rowheader" scope="row">
      <b>${foreign(id)}</b><small>${address === null ? UNKNOWN : foreign(address)}</small>
    </th>
    <td role="cell" data-label="State">
      <span class="state">${icon(toneOf(replica))} ${wordOf(replica)}</span><small>asked ${asked}</small>
    </td>
    <td role="cell" data-label="Behind">
      <span>${behindText(lagSeconds)}</span><small>${lag.flat().join(" · ")}</small>
    </td>
    <td role="cell" data-label="Applied">
      <span class="number">${known(appliedTxid, count)}</span><small>${asOf}</small>
    </td>
    <td role="cell" data-label="Received">
      <span class="number">${cursor(received)}</span
      ><small>${sent === null ? "" : `sent ${cursor(sent)}`}</small>
    </td>
    <td role="cell" data-label="Log it needs">${retention(replica, nowMs)}</td>
  </tr>`;
}

/** Of the log that it needs: is it there, and for how long. */
function retention(replica: ReplicaStatus, nowMs: number): Html {
  const { retention: state, bytesUntilLost, secondsUntilLost, lostAtMs, timesLost, releaseAtMs } = replica;
  const left = known(bytesUntilLost, (bytes) => `lost after ${size(bytes)} more`);
  const times = timesLost > 1 ? `, ${count(timesLost)} times` : "";
  const [what, more] = {
    reserved: ["kept anyway", left],
    extended: ["kept for it alone", left],
    endangered: [
      known(secondsUntilLost, (seconds) => `lost in about ${duration(seconds * 1000)}`).replace(
        UNKNOWN,
        "soon lost",
      ),
      left,
    ],
    lost: ["gone", `lost ${agoText(lostAtMs, nowMs)}${times}`],
  }[state] as [string, string];
  const released =
    releaseAtMs === null || state === "endangered"
      ? ""
      : `held for ${duration(Math.max(0, releaseAtMs - nowMs))} more`;
  return html`<span class="${state}">${what}</span><small>${released === "" ? more : released}</small>`;
}
