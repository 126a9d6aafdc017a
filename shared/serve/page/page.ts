import { hash } from "node:crypto";
import { raw } from "hono/html";
import { counted, printable, time } from "../../human.ts";
import { healthOf } from "../../plan/health.ts";
import type { Health, NodeDocument } from "../../plan/health.ts";
import type { StatusDocument } from "../../status.ts";
import type { HistoryView } from "../history.ts";
import { lagChart, logChart, rateChart } from "./charts.ts";
import { errors, facts, snapshots } from "./details.ts";
import { foreign, html, textOf } from "./html.ts";
import type { Html } from "./html.ts";
import { logSection } from "./log-section.ts";
import { replicaTable } from "./replica-table.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { announcement, figures, verdict } from "./summary.ts";
import { nameOf, topology } from "./topology.ts";

/** Nothing but what stands in the page itself: its own style and script by their hashes, and answers of this node. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  `style-src '${hashOf(STYLE)}'`,
  `script-src '${hashOf(SCRIPT)}'`,
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function hashOf(text: string): string {
  return `sha256-${hash("sha256", text, "base64")}`;
}

/** The whole page. Readable as it is; live where JavaScript runs. */
export function renderPage(document: StatusDocument, history: HistoryView): string {
  const node = document as NodeDocument;
  return textOf(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          ${head(node, healthOf(node))} ${raw(`<style>${STYLE}</style>`)}
        </head>
        <body>
          <a class="skip" href="#main">Skip to the content</a>
          ${body(node, history)} ${raw(`<script>${SCRIPT}</script>`)}
        </body>
      </html>`,
  );
}

/** What changes, for a page that is open already. */
export function renderPart(document: StatusDocument, history: HistoryView): string {
  const node = document as NodeDocument;
  return textOf(html`<!doctype html>${head(node, healthOf(node))}${body(node, history)}`);
}

function head(node: NodeDocument, { verdict: word }: Health): Html {
  const prefix = { well: "", warning: "Warning: ", error: "Trouble: " }[word];
  const colour = { well: "0f7f77", warning: "c77700", error: "c02626" }[word];
  const picture = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'><rect width='24' height='24' rx='6' fill='#${colour}'/><path d='${WAVES}' fill='none' stroke='#fff' stroke-width='2' stroke-linecap='round'/></svg>`;
  return html`<title id="title">${prefix}${node.role} ${printable(nameOf(node))} · Tailrace</title>
    <link id="icon" rel="icon" href="data:image/svg+xml,${encodeURIComponent(picture)}" />`;
}

/** Water on its way out. */
const WAVES = "M4 9c2.7-3 5.3-3 8 0s5.3 3 8 0M4 15c2.7-3 5.3-3 8 0s5.3 3 8 0";

function body(node: NodeDocument, history: HistoryView): Html {
  const health = healthOf(node);
  const { replicasTotal, nowMs } = node;
  const isPrimary = node.role === "primary";
  const lag = lagChart(node, history);
  const howMany =
    replicasTotal === 0 ? "" : html`<small>${counted(replicasTotal, "replica")}, the worst first</small>`;
  return html`<header>
      <p class="brand">
        <svg
          viewBox="0 0 24 24"
          fill="none"
          stroke="currentColor"
          stroke-width="2"
          stroke-linecap="round"
          aria-hidden="true"
        >
          <path d="${WAVES}" /></svg
        >Tailrace
      </p>
      <h1 id="name">${isPrimary ? "Primary of" : "Replica"} <b>${foreign(nameOf(node))}</b></h1>
      <p class="live">
        <span id="live" hidden>Live</span><button id="pause" type="button" hidden>Pause</button
        ><span id="still">As of ${time(nowMs)}. <a href="">Reload</a></span>
      </p>
    </header>
    <div id="gone" role="alert" hidden><b id="gone-text"></b> <span id="gone-since"></span></div>
    <p id="announcement" class="unseen" role="status">${announcement(health)}</p>
    <main id="main" tabindex="-1">
      ${verdict(health)} ${card("nodes", "Nodes", topology(node, health))}
      <section id="figures" aria-labelledby="h-figures">
        <h2 id="h-figures" class="unseen">Figures</h2>
        ${figures(node, history)}
      </section>
      ${lag === null ? "" : card("lag", "Lag", lag)}
      ${card("replicas", html`Replicas ${howMany}`, replicaTable(node))}
      ${card("rate", `${isPrimary ? "Commits" : "Transactions applied"} in a second`, rateChart(node, history), "half")}
      ${card("growth", "Size of the log", logChart(node, history), "half")}
      ${card("log", "Log and its limits", logSection(node))}
      ${card("snapshots", "Snapshots", snapshots(node))} ${card("errors", "Last errors", errors(node))}
      ${card("facts", "This node", facts(node))}
    </main>
    <footer>
      <span>Tailrace ${printable(node.version ?? "")}</span><a href="status">Status as JSON</a
      ><a href="metrics">Metrics</a>
    </footer>`;
}

/** Its id tells it from the others when one comes or goes. */
function card(id: string, title: Html | string, content: Html, width = ""): Html {
  return html`<section class="card ${width}" id="${id}" aria-labelledby="h-${id}">
    <h2 id="h-${id}">${title}</h2>
    ${content}
  </section>`;
}
