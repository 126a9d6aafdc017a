import { UNKNOWN, count, cursor, duration, size, time } from "../../human.ts";
import { compareReplicas } from "../../plan/health.ts";
import type { NodeDocument } from "../../plan/health.ts";
import type { ReplicaStatus } from "../../status.ts";
import { foreign, html } from "./html.ts";
import type { Html } from "./html.ts";
import { agoText, anchorOf, behindText, counted, icon, known, toneOf, wordOf } from "./words.ts";

/** The worst ones; all are in the status document. */
const MAX_ROWS = 300;
/** From so many on, searching is quicker than looking. */
const SEARCH_FROM = 9;
const HEADINGS = ["Replica", "State", "Behind", "Applied", "Received", "Log it needs"] as const;

export function replicaTable({ replicas, replicasTotal, nowMs }: NodeDocument): Html {
  if (replicas.length === 0) {
    return html`<p class="none">
      None has asked yet. Start one with <code>tailrace replica ADDRESS-OF-THIS-NODE edge.db</code>
    </p>`;
  }
  const rows = replicas.toSorted(compareReplicas).slice(0, MAX_ROWS);
  const left = replicasTotal - rows.length;
  return html`${
      replicas.length < SEARCH_FROM
        ? ""
        : html`<p class="search" id="search" hidden>
            <label for="search-box">Show only</label>
            <input
              id="search-box"
              type="search"
              placeholder="id, address or state"
              autocomplete="off"
              spellcheck="false"
            />
            <output id="search-found"></output>
          </p>`
    }
    <table role="table" id="replica-table">
      <thead role="rowgroup">
        <tr role="row">
          ${HEADINGS.map((heading) => html`<th role="columnheader" scope="col">${heading}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map((replica) => row(replica, nowMs))}
      </tbody>
    </table>
    ${left === 0 ? "" : html`<p class="more">${counted(left, "more replica")}, all doing better than these: <a href="admin/replicas">the whole list</a></p>`}`;
}

function row(replica: ReplicaStatus, nowMs: number): Html {
  const { id, address, lagSeconds, lagTransactions, lagBytes, appliedTxid, received, sent } = replica;
  const asked = agoText(replica.lastSeenMs, nowMs);
  const lag = [
    known(lagTransactions, (transactions) => counted(transactions, "transaction")),
    known(lagBytes, (bytes) => size(bytes)),
  ];
  return html`<tr role="row" id="${anchorOf(id)}" tabindex="-1">
    <th role="rowheader" scope="row">
      <b>${foreign(id)}</b><small>${address === null ? UNKNOWN : foreign(address)}</small>
    </th>
    <td role="cell" data-label="State">
      <span class="state">${icon(toneOf(replica))} ${wordOf(replica)}</span><small>asked ${asked}</small>
    </td>
    <td role="cell" data-label="Behind">
      <span>${behindText(lagSeconds)}</span><small>${lag.join(" · ")}</small>
    </td>
    <td role="cell" data-label="Applied">
      <span class="number">${known(appliedTxid, count)}</span
      ><small>as of ${known(replica.freshAsOfMs, (ms) => time(ms).slice(11))}</small>
    </td>
    <td role="cell" data-label="Received">
      <span class="number">${cursor(received)}</span><small>sent ${known(sent, cursor)}</small>
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
  const released = releaseAtMs === null ? "" : `held for ${duration(Math.max(0, releaseAtMs - nowMs))} more`;
  return html`<span class="${state}">${what}</span><small>${released === "" ? more : released}</small>`;
}
