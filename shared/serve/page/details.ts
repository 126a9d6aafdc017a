import { UNKNOWN, count, counted, duration, printable, size, time } from "../../human.ts";
import type { NodeDocument } from "../../plan/health.ts";
import type { ReplicaEngineStatus } from "../../status.ts";
import { foreign, html } from "./html.ts";
import type { Html } from "./html.ts";
import { agoText, known } from "./words.ts";

const MAX_ERRORS = 20;

export function snapshots({ snapshots: list, snapshotSinceMs, nowMs, asOfMs }: NodeDocument): Html {
  if (asOfMs === undefined) return html`<p class="none">Not known yet.</p>`;
  const sinceMs = snapshotSinceMs ?? null;
  const taking =
    sinceMs === null
      ? ""
      : html`<p class="taking">One is being taken, for ${duration(Math.max(0, nowMs - sinceMs))} now.</p>`;
  if (list.length === 0) {
    return html`${taking}
      <p class="none">
        None yet: one is taken when a new replica asks for it, or with <code>tailrace snapshot</code>.
      </p>`;
  }
  const headings = ["Snapshot", "Taken", "At transaction", "Size", "Log after it", "Downloads"];
  return html`${taking}
    <table role="table">
      <thead role="rowgroup">
        <tr role="row">
          ${headings.map((heading) => html`<th role="columnheader" scope="col">${heading}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${list
          .toSorted((a, b) => b.generation - a.generation)
          .map(
            (snapshot) =>
              html`<tr role="row" id="snapshot-${snapshot.generation}">
                <th role="rowheader" scope="row">${snapshot.generation}</th>
                <td role="cell" data-label="Taken"><span>${agoText(snapshot.createdMs, nowMs)}</span></td>
                <td role="cell" data-label="At transaction"><span>${count(snapshot.txid)}</span></td>
                <td role="cell" data-label="Size"><span>${size(snapshot.sizeBytes)}</span></td>
                <td role="cell" data-label="Log after it">
                  <span>${known(snapshot.logBytesAfter, size)}</span>
                </td>
                <td role="cell" data-label="Downloads"><span>${count(snapshot.downloads)}</span></td>
              </tr>`,
          )}
      </tbody>
    </table>`;
}

/** Newest first; the same one again and again is one. */
export function errors({ errors: list, nowMs, asOfMs }: NodeDocument): Html {
  if (asOfMs === undefined) return html`<p class="none">Not known yet.</p>`;
  if (list.length === 0) return html`<p class="none">None since this node was started.</p>`;
  return html`<ol class="errors">
    ${list
      .toReversed()
      .slice(0, MAX_ERRORS)
      .map(
        ({ code, message, hint, timeMs }) =>
          html`<li>
            <time datetime="${time(timeMs).replace(" UTC", "Z")}" title="${time(timeMs)}"
              >${agoText(timeMs, nowMs)}</time
            >
            <p>
              <code>${printable(code)}</code>
              ${foreign(message)}${hint === null ? "" : html` <span class="way-out">${foreign(hint)}</span>`}
            </p>
          </li>`,
      )}
  </ol>`;
}

/** What is looked up rather than watched. */
export function facts(node: NodeDocument): Html {
  const { log, database, nowMs } = node;
  const wal = node.wal as NodeDocument["wal"] | ReplicaEngineStatus["wal"] | undefined;
  const rows: readonly (readonly [string, Html | string])[] = [
    ["Database file", known(database?.file, (file) => file) === UNKNOWN ? UNKNOWN : foreign(database!.file)],
    ["Page size", known(database?.pageSizeBytes, size)],
    [
      "Checksum",
      html`<code
        >${(node.role === "primary" ? log?.databaseChecksum : node.position?.databaseChecksum) ?? UNKNOWN}</code
      >`,
    ],
    ["SQLite WAL", wal === null || wal === undefined ? UNKNOWN : walText(wal)],
    ...(node.role === "replica" ? replicaFacts(node) : []),
    ["Log id", html`<code>${known(log?.logId, printable)}</code>`],
    ["Epoch", known(log?.epoch, count)],
    ["Waiting requests", count(node.waitingRequests)],
    ["Downloads", count(node.downloads)],
    ["Started", `${time(node.startedMs)}, ${agoText(node.startedMs, nowMs)}`],
    ["Version", `${printable(node.version ?? UNKNOWN)}, protocol ${node.protocol}`],
  ];
  return html`<dl class="facts">
    ${rows.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

function walText(wal: NonNullable<NodeDocument["wal"] | ReplicaEngineStatus["wal"]>): string {
  if ("softLimitBytes" in wal) {
    const waiting = wal.publishedFrames - wal.backfilledFrames;
    return `${size(wal.sizeBytes)}, ${counted(waiting, "frame")} not in the database file yet, ${counted(wal.completedCheckpoints, "checkpoint")}`;
  }
  return `${size(wal.sizeBytes)}, ${counted(wal.frames - wal.copiedFrames, "frame")} not in the database file yet, ${counted(wal.checkpoints, "checkpoint")}`;
}

function replicaFacts({
  receiver,
  applier,
  lastResync,
  nowMs,
}: NodeDocument): readonly (readonly [string, string])[] {
  const retry = receiver?.nextTryMs ?? null;
  return [
    [
      "Receiver",
      `${known(receiver?.state, printable)}${retry === null ? "" : `, tries again ${agoText(retry, nowMs)}`}, ${known(receiver?.receivedBytes, size)} received, ${known(receiver?.retries, (retries) => counted(retries, "retry", "retries"))}`,
    ],
    ["Applier", `${known(applier?.state, printable)}, ${known(applier?.backlogBytes, size)} to do`],
    [
      "Last resync",
      known(
        lastResync,
        ({ pages, fetchedBytes, timeMs }) =>
          `${agoText(timeMs, nowMs)}: ${counted(pages, "page")}, ${size(fetchedBytes)} fetched`,
      ),
    ],
  ];
}
