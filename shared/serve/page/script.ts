/**
 * What makes the page live. It asks for the page again and takes over what has changed in it: there is one renderer, and
 * it is the server's. What the reader is doing (focus, scroll, selection, open details, a search) stays.
 */
export const SCRIPT: string = /* js */ String.raw`
"use strict";
(() => {
  const EVERY_MS = 2000, PATIENCE_MS = 6000;
  const $ = (id) => document.getElementById(id);
  const main = $("main"), gone = $("gone"), live = $("live"), pause = $("pause");
  let timer, isAsking = false, isPaused = false, answeredMs = Date.now(), failedMs = null, why = "";

  // --- taking over what has changed ---
  const isSame = (have, want) => have.nodeType === want.nodeType && have.nodeName === want.nodeName;
  function update(have, want) {
    if (have.isEqualNode(want)) return;
    if (have.nodeType !== 1) { have.data = want.data; return; }
    for (const { name, value } of want.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    for (const { name } of [...have.attributes]) if (!want.hasAttribute(name) && name !== "open") have.removeAttribute(name);
    if (have.nodeName !== "INPUT") updateChildren(have, want);
  }
  function updateChildren(parent, wanted) {
    const byId = new Map([...parent.children].filter((child) => child.id).map((child) => [child.id, child]));
    const keep = new Set([...wanted.children].map((child) => child.id));
    let at = parent.firstChild;
    for (const want of [...wanted.childNodes]) {
      while (at && at.id && !keep.has(at.id)) { const next = at.nextSibling; at.remove(); at = next; }
      let have = want.id ? byId.get(want.id) : at && !at.id && isSame(at, want) ? at : undefined;
      if (have && !isSame(have, want)) have = undefined;
      if (!have) { parent.insertBefore(document.importNode(want, true), at); continue; }
      if (have === at) at = at.nextSibling;
      else parent.insertBefore(have, at);
      update(have, want);
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  }
  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const focused = document.activeElement;
    for (const id of ["title", "icon", "name", "announcement", "main"]) {
      const have = $(id), want = page.getElementById(id);
      if (have && want) update(have, want);
    }
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    search();
    for (const chart of document.querySelectorAll(".chart")) show(chart);
  }

  // --- asking again ---
  async function ask() {
    if (isAsking || isPaused || document.hidden) return;
    isAsking = true;
    clearTimeout(timer);
    try {
      const answer = await fetch("?part=main", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok || !(answer.headers.get("content-type") || "").startsWith("text/html")) throw new Error("it answers " + answer.status);
      const text = await answer.text();
      take(text);
      answeredMs = Date.now();
      failedMs = null;
    } catch (error) {
      failedMs ??= Date.now();
      why = error.name === "TimeoutError" ? "it does not answer in time" : error.name === "TypeError" ? "it cannot be reached" : error.message;
    }
    isAsking = false;
    tell();
    timer = setTimeout(ask, EVERY_MS);
  }
  function tell() {
    const isGone = failedMs !== null;
    if (gone.hidden === isGone) {
      gone.hidden = !isGone;
      document.documentElement.classList.toggle("gone", isGone);
      if (isGone) document.title = "No answer: " + document.title;
    }
    const seconds = Math.round((Date.now() - answeredMs) / 1000);
    const since = seconds < 60 ? seconds + " s" : Math.round(seconds / 60) + " min";
    if (isGone) {
      // Said aloud once; how long it is now is only shown.
      const said = "This node does not answer since " + new Date(answeredMs).toISOString().slice(11, 19) + " UTC" + ": " + why + ".";
      if ($("gone-text").textContent !== said) $("gone-text").textContent = said;
      $("gone-since").textContent = "What you see is " + since + " old. Trying again every " + EVERY_MS / 1000 + " s.";
    }
    live.textContent = isPaused ? "Paused " + since + " ago" : isGone ? "No answer" : "Live";
    live.dataset.is = isPaused ? "paused" : isGone ? "gone" : "live";
  }
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on" : "Pause";
    if (!isPaused) ask();
    tell();
  });
  document.addEventListener("visibilitychange", ask);
  addEventListener("online", ask);
  setInterval(() => { if (!document.hidden && (isPaused || failedMs !== null)) tell(); }, 1000);

  // --- values of a chart at another time than now ---
  const cursors = new Map();
  function show(chart) {
    const { timesMs, values } = JSON.parse(chart.dataset.points);
    const share = cursors.get(chart.id);
    const last = timesMs.length - 1;
    const index = share === undefined ? last : Math.round(share * last);
    const x = (index * 800) / last;
    chart.querySelector(".cursor").setAttribute("d", share === undefined ? "" : "M" + x + " 0V200");
    for (const value of chart.querySelectorAll("[data-value]")) {
      const text = values[value.dataset.value][index];
      if (value.textContent !== text) value.textContent = text;
    }
    const at = "at " + new Date(timesMs[index]).toISOString().slice(11, 19) + " UTC";
    if (chart.querySelector("[data-at]").textContent !== at) chart.querySelector("[data-at]").textContent = at;
    return last;
  }
  function point(chart, share) {
    if (share === undefined) cursors.delete(chart.id);
    else cursors.set(chart.id, Math.min(1, Math.max(0, share)));
    show(chart);
  }
  const chartAt = (event) => event.target.closest && event.target.closest(".chart");
  document.addEventListener("pointermove", (event) => {
    const chart = chartAt(event);
    if (!chart) return;
    const box = chart.querySelector(".lines").getBoundingClientRect();
    point(chart, (event.clientX - box.left) / box.width);
  });
  document.addEventListener("pointerout", (event) => {
    const chart = chartAt(event);
    if (chart && !chart.contains(event.relatedTarget)) point(chart, undefined);
  });
  document.addEventListener("focusout", (event) => { const chart = chartAt(event); if (chart) point(chart, undefined); });
  document.addEventListener("keydown", (event) => {
    const chart = event.target.classList && event.target.classList.contains("chart") ? event.target : null;
    if (!chart || event.altKey || event.ctrlKey || event.metaKey) return;
    const last = show(chart), now = cursors.get(chart.id) ?? 1, step = (event.shiftKey ? 10 : 1) / last;
    const to = { ArrowLeft: now - step, ArrowRight: now + step, Home: 0, End: 1, Escape: undefined };
    if (!(event.key in to)) return;
    event.preventDefault();
    point(chart, to[event.key]);
  });

  // --- searching the replicas ---
  let searched = "";
  function search() {
    const part = $("search"), box = $("search-box");
    if (!part) return;
    part.hidden = false;
    const wanted = box.value.trim().toLowerCase();
    const rows = [...document.querySelectorAll(".replicas tbody tr")];
    let found = 0;
    for (const row of rows) {
      const isFound = wanted === "" || row.textContent.toLowerCase().includes(wanted);
      if (row.hidden === isFound) row.hidden = !isFound;
      if (isFound) found++;
    }
    // What is found is to be seen; closing it again is the reader's.
    if (wanted !== searched) { searched = wanted; if (wanted !== "" && $("others")) $("others").open = true; }
    const text = wanted === "" ? "" : found + " of " + rows.length;
    if ($("search-found").textContent !== text) $("search-found").textContent = text;
  }
  document.addEventListener("input", (event) => { if (event.target.id === "search-box") search(); });

  $("still").hidden = true;
  live.hidden = pause.hidden = false;
  search();
  tell();
  timer = setTimeout(ask, EVERY_MS);
})();
`;
