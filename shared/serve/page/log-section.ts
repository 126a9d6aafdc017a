import { count, cursor, duration, size } from "../../human.ts";
import type { NodeDocument } from "../../plan/health.ts";
import type { LogStatus, ReplicaStatus } from "../../status.ts";
import { foreign, html } from "./html.ts";
import type { Html } from "./html.ts";
import { icon, known, rateText } from "./words.ts";

/** The size of the log against its limits, and who makes it so long. */
export function logSection(node: NodeDocument): Html {
  const { log } = node;
  if (log === null) return html`<p class="none">This node does not know its log yet.</p>`;
  const holder = holderOf(node.replicas);
  return html`${bar(log, holder)}
    <dl class="facts">
      <div>
        <dt>Size</dt>
        <dd>
          ${size(log.sizeBytes)} in ${count(log.segmentCount)} ${log.segmentCount === 1 ? "file" : "files"}
        </dd>
      </div>
      <div>
        <dt>Kept at least</dt>
        <dd>${size(log.keepBytes)}${log.keepMs === 0 ? "" : ` and ${duration(log.keepMs)}`}</dd>
      </div>
      <div>
        <dt>At most</dt>
        <dd>${log.maxBytes === null ? "no limit" : size(log.maxBytes)}</dd>
      </div>
      <div>
        <dt>Growth</dt>
        <dd>
          ${known(log.bytesPerSecond, (rate) => `${size(rate)}/s`)},
          ${known(log.commitsPerSecond, rateText).replace("/s", " transactions/s")}
        </dd>
      </div>
      <div>
        <dt>From, to</dt>
        <dd>${cursor(log.start)}, ${cursor(log.end)}</dd>
      </div>
      <div>
        <dt>Inactive replicas</dt>
        <dd>held for ${duration(log.holdInactiveMs)}</dd>
      </div>
      <div>
        <dt>Durability</dt>
        <dd>${log.durability}</dd>
      </div>
      <div>
        <dt>Disk</dt>
        <dd>${known(log.diskFreeBytes, size)} free of ${known(log.diskSizeBytes, size)}</dd>
      </div>
    </dl>`;
}

/** The one that needs the oldest log, if it is kept for it alone. */
function holderOf(replicas: readonly ReplicaStatus[]): ReplicaStatus | undefined {
  return replicas
    .filter(({ retention }) => retention === "extended" || retention === "endangered")
    .toSorted((a, b) => (b.lagBytes ?? 0) - (a.lagBytes ?? 0))[0];
}

function bar({ sizeBytes, keepBytes, maxBytes }: LogStatus, holder: ReplicaStatus | undefined): Html {
  const whole = Math.max(maxBytes ?? keepBytes * 1.5, sizeBytes, 1);
  const percent = (bytes: number): string => `${Math.round(Math.min(1, bytes / whole) * 1000) / 10}%`;
  const tone =
    maxBytes !== null && sizeBytes > maxBytes * 0.75
      ? sizeBytes > maxBytes * 0.95
        ? "error"
        : "warning"
      : "ok";
  const text = `${size(sizeBytes)} of log; ${size(keepBytes)} are kept in any case${maxBytes === null ? "" : `, ${size(maxBytes)} at most`}`;
  return html`<div class="gauge">
    <svg class="bar ${tone}" role="img" aria-label="${text}">
      <rect class="whole" width="100%" height="100%" rx="4" />
      <rect class="used" width="${percent(sizeBytes)}" height="100%" />
      ${keepBytes < whole ? html`<rect class="least" x="${percent(keepBytes)}" width="2" height="100%" />` : ""}
    </svg>
    <p aria-hidden="true">
      <span><b>${size(sizeBytes)}</b> now</span>
      ${keepBytes < whole ? html`<span class="mark">least ${size(keepBytes)}</span>` : ""}
      <span>${maxBytes === null ? "no limit" : `most ${size(maxBytes)}`}</span>
    </p>
    ${
      holder === undefined
        ? ""
        : html`<p class="holder">
            ${icon(holder.retention === "endangered" ? "warning" : "busy")} Past the least size, it is kept
            for <b>${foreign(holder.id)}</b>, which needs ${known(holder.lagBytes, size)} of it.
          </p>`
    }
  </div>`;
}
