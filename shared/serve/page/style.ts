/** All of the page's looks. System fonts, no image, no animation; sizes in rem, so that a reader's larger text fits. */
export const STYLE: string = /* css */ `
:root {
  color-scheme: light dark;
  --paper: #f7f8f8; --card: #fff; --line: #e3e6e8; --soft: #f1f3f4; --ink: #14191d; --dim: #56616b; --rule: #8a949d;
  --ok: #0f7a5c; --busy: #1f62c0; --idle: #5d6670; --warning: #9a5b00; --error: #c02626; --link: #1d5fbf;
  --error-back: #fdf1f0; --warning-back: #fdf6e7;
  --s0: #0f7f77; --s1: #7a42d6; --s2: #c2500c; --s3: #1f62c0; --s4: #b8246f; --band: #aab3ba;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1013; --card: #14181c; --line: #262c32; --soft: #1b2026; --ink: #e8ebed; --dim: #9ba6b0; --rule: #67727c;
    --ok: #3fc79a; --busy: #74a9f7; --idle: #9aa4ae; --warning: #eab04a; --error: #f5807a; --link: #86b4f8;
    --error-back: #2a1718; --warning-back: #272013;
    --s0: #35c4b8; --s1: #b193f8; --s2: #f59a52; --s3: #74a9f7; --s4: #f184b8; --band: #4d5761;
  }
}
* { box-sizing: border-box; margin: 0; padding: 0; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { background: var(--paper); color: var(--ink); font-size: .875rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
ul, ol { list-style: none; }
a { color: var(--link); text-underline-offset: .15em; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
small { font-size: .8125rem; color: var(--dim); display: block; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
:target { outline: 2px solid var(--link); outline-offset: -2px; }
[hidden] { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -99rem; background: var(--card); padding: .5rem 1rem; z-index: 2; }
.skip:focus { left: .5rem; top: .5rem; }
header, main, footer { max-width: 74rem; margin: 0 auto; padding: 0 1.5rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1rem; padding-top: 1.25rem; padding-bottom: 1.25rem; }
header .brand { display: flex; align-items: center; gap: .5rem; font-weight: 600; }
header .brand svg { width: 1.375rem; height: 1.375rem; color: var(--s0); }
h1 { font-size: .875rem; font-weight: 400; color: var(--dim); padding-left: 1rem; border-left: 1px solid var(--line); }
h1 b { color: var(--ink); font-weight: 600; }
.live { margin-left: auto; display: flex; align-items: center; gap: .75rem; color: var(--dim); font-size: .8125rem; }
#live { display: flex; align-items: center; gap: .5rem; }
#live::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; background: var(--ok); }
#live[data-is=paused]::before { border-radius: 0; background: var(--idle); }
#live[data-is=gone]::before { background: none; border: 2px solid var(--error); }
button, input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: .25rem .75rem; }
button { cursor: pointer; }
button:hover { background: var(--soft); }
#gone { background: var(--error-back); border: 1px solid var(--error); border-radius: 10px; padding: .75rem 1rem; margin: 0 auto 1rem; max-width: 71rem; }
#gone b { color: var(--error); }
.gone main { filter: grayscale(1); opacity: .85; }
main { display: grid; gap: 1rem; padding-bottom: 2rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
main > * { grid-column: 1 / -1; min-width: 0; }
main > .half { grid-column: auto; }
.card, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem 1.5rem 1.5rem; }
.card > h2 { font-size: .875rem; font-weight: 600; margin-bottom: 1rem; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
.card > h2 small { font-weight: 400; }
.none { color: var(--dim); }
.icon { width: 1em; height: 1em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; vertical-align: -.13em; }
.icon.ok, .ok > .icon { color: var(--ok); } .icon.busy { color: var(--busy); } .icon.idle { color: var(--idle); }
.icon.warning { color: var(--warning); } .icon.error { color: var(--error); }

.verdict { padding: 1.125rem 1.5rem; }
.verdict h2 { font-size: 1.1875rem; line-height: 1.35; font-weight: 600; letter-spacing: -.01em; display: flex; gap: .625rem; }
.verdict h2 .icon { margin-top: .175em; }
.lead { margin: .375rem 0 0 1.8125rem; color: var(--dim); }
.verdict.error .lead b, .findings .error b { color: var(--error); } .verdict.warning .lead b, .findings .warning b { color: var(--warning); }
.verdict.error { background: var(--error-back); border-color: color-mix(in srgb, var(--error) 45%, var(--line)); }
.verdict.warning { background: var(--warning-back); border-color: color-mix(in srgb, var(--warning) 45%, var(--line)); }
.findings { margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--line); display: grid; gap: .75rem; }
.verdict.error .findings { border-color: color-mix(in srgb, var(--error) 25%, var(--line)); }
.verdict.warning .findings { border-color: color-mix(in srgb, var(--warning) 25%, var(--line)); }
.findings li { display: flex; gap: .625rem; }
.findings .icon { margin-top: .21rem; width: 1.1875rem; }
.lead b, .findings b { margin-right: .25rem; font-weight: 600; }
.way-out { display: block; color: var(--dim); }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1px; background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.figures > div { background: var(--card); padding: 1rem 1.5rem 1.125rem; }
.figures dt { color: var(--dim); font-size: .8125rem; }
.figures strong { display: block; font-size: 1.5rem; line-height: 1.4; font-weight: 600; letter-spacing: -.02em; }

.tree { --edge: 8.5rem; display: flex; align-items: center; }
.node { display: grid; gap: .125rem; border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: .625rem .875rem; color: inherit; text-decoration: none; min-width: 0; }
.node strong { font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.node .at, .node .role { color: var(--dim); font-size: .8125rem; }
.state { display: flex; align-items: baseline; gap: .375rem; }
.state .icon { position: relative; top: .125em; }
.node.self { border-color: var(--rule); background: var(--soft); flex: 0 1 13rem; }
.node.source { flex: 0 1 13rem; }
a.node:hover { border-color: var(--rule); background: var(--soft); }
.edge { flex: none; width: var(--edge); height: 0; border-top: 2px solid var(--ok); position: relative; text-align: center; color: var(--dim); }
.edge > span { position: relative; top: -.75em; line-height: 1.4; background: var(--card); padding: 0 .4rem; font-size: .8125rem; white-space: nowrap; }
.edge.busy { border-top: 2px dashed var(--busy); } .edge.idle { border-top: 2px dotted var(--idle); }
.edge.warning { border-top: 2px dashed var(--warning); } .edge.error { border-top: 2px dotted var(--error); }
.branches { flex: 1 1 0; min-width: 0; }
.branches li { display: flex; align-items: center; padding: .25rem 0; position: relative; }
.branches li::before { content: ""; position: absolute; left: 0; top: 0; bottom: 0; border-left: 2px solid var(--rule); }
.branches li:first-child::before { top: 50%; } .branches li:last-child::before { bottom: 50%; }
.branches li:only-child::before { display: none; }
.branches .node { flex: 1; grid-template-columns: minmax(0, 1fr) 9rem 10rem; align-items: baseline; gap: 1rem; }
.branches .node .at { text-align: right; }
.branches .node .lag { display: none; color: var(--dim); }
.branches .rest .node { grid-template-columns: minmax(0, auto) 1fr; }
.field { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 4px; padding-top: .375rem; }
.field i { width: 9px; height: 9px; border-radius: 50%; background: var(--ok); }
.field .busy { background: none; border: 2px solid var(--busy); } .field .idle { background: none; border: 1px dashed var(--idle); }
.field .warning { border-radius: 0; background: var(--warning); clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.field .error { border-radius: 0; background: var(--error); transform: rotate(45deg) scale(.8); }
.tree:has(.source) { --edge: 6.5rem; }
.tree:has(.source) .branches .node { grid-template-columns: minmax(0, 1fr) auto; }
.tree:has(.source) .branches .at { display: none; }
.nobody { color: var(--dim); padding-left: 1.5rem; }

.chart { border-radius: 4px; }
.plot { display: flex; gap: .625rem; height: 200px; margin: .375rem 0; }
.plot .axis { width: 4.25rem; height: 200px; flex: none; overflow: visible; }
.plot .axis text { fill: var(--dim); font-size: .75rem; text-anchor: end; }
.plot .lines { flex: 1; min-width: 0; height: 200px; overflow: visible; touch-action: pan-y; }
.plot path { fill: none; vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); }
.line { stroke: var(--s0); stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; fill: none; }
.s1 { stroke: var(--s1); stroke-dasharray: 7 3; } .s2 { stroke: var(--s2); stroke-dasharray: 2.5 3; } .s3 { stroke: var(--s3); stroke-dasharray: 10 3 2 3; } .s4 { stroke: var(--s4); stroke-dasharray: 5 2 1 2 1 2; }
.plot .area { stroke: none; fill: var(--s0); opacity: .12; }
.plot .area.others { fill: var(--band); opacity: .35; }
.band { stroke: var(--band); stroke-width: 4; fill: none; }
.cursor { stroke: var(--rule); }
.times { display: flex; justify-content: space-between; margin-left: 4.875rem; color: var(--dim); font-size: .75rem; }
.times li { width: 0; display: flex; justify-content: center; white-space: nowrap; }
.times li:first-child { justify-content: start; } .times li:last-child { justify-content: end; }
figcaption { display: flex; justify-content: space-between; gap: .25rem 1rem; padding: .75rem 0 0 4.875rem; font-size: .8125rem; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; min-width: 0; }
.legend li { display: flex; align-items: center; gap: .4rem; min-width: 0; }
.legend .name { color: var(--dim); } .legend b { font-weight: 600; }
.swatch { width: 1.5rem; height: 4px; flex: none; overflow: visible; }
.at { color: var(--dim); flex: none; }

table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .625rem 1rem .625rem 0; border-top: 1px solid var(--line); font-weight: 400; }
thead th { border: 0; padding-top: 0; padding-bottom: .375rem; color: var(--dim); font-size: .8125rem; }
th b { font-weight: 600; }
td:last-child, th:last-child { padding-right: 0; }
.replicas { table-layout: fixed; }
.replicas th:nth-child(1) { width: 20%; } .replicas :is(th, td):nth-child(2) { width: 15%; } .replicas :is(th, td):nth-child(3) { width: 20%; }
.endangered { color: var(--warning); font-weight: 600; } .lost { color: var(--error); font-weight: 600; }
.search { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; margin-bottom: 1rem; color: var(--dim); }
.search input { flex: 0 1 18rem; min-width: 0; padding: .375rem .75rem; color: var(--ink); }
summary { cursor: pointer; padding: .625rem 0; color: var(--link); border-top: 1px solid var(--line); width: fit-content; border: 0; }
details thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.more, .taking { color: var(--dim); margin-top: .75rem; }
.taking { margin: 0 0 .75rem; }

.gauge .bar { display: block; width: 100%; height: .875rem; border-radius: 4px; overflow: hidden; }
.bar .whole { fill: var(--soft); stroke: var(--line); } .bar .used { fill: var(--s0); } .bar .least { fill: var(--ink); }
.bar.warning .used { fill: var(--warning); } .bar.error .used { fill: var(--error); }
.gauge p { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; margin-top: .375rem; color: var(--dim); font-size: .8125rem; }
.gauge .mark::before { content: ""; display: inline-block; width: 2px; height: .7rem; background: var(--ink); margin-right: .4rem; }
.gauge b { color: var(--ink); font-weight: 600; }
.gauge p.holder { display: block; margin-top: .625rem; color: var(--ink); font-size: .875rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .75rem 2rem; }
.gauge + .facts { margin-top: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
.facts dt { color: var(--dim); font-size: .8125rem; }
.errors { display: grid; gap: .75rem; }
.errors li { display: grid; grid-template-columns: 8rem 1fr; gap: 0 1rem; }
.errors time { color: var(--dim); }
.errors code { font-weight: 600; }
footer { color: var(--dim); font-size: .8125rem; padding-bottom: 2.5rem; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }

@media (max-width: 60rem) {
  main > .half { grid-column: 1 / -1; }
  .tree { display: block; }
  .tree > .edge { display: block; width: 0; height: 2.5rem; border-top: 0; border-left: 2px solid var(--ok); margin-left: 1.25rem; }
  .tree > .edge > span { top: .55rem; left: .5rem; }
  .tree > .edge.error { border-left: 2px dotted var(--error); }
  .branches { padding-left: 1.25rem; padding-top: .5rem; }
  .branches li { display: block; padding: .375rem 0 .375rem 1.25rem; }
  .branches li::before, .branches li:only-child::before { display: block; top: 0; bottom: 0; }
  .branches li:first-child::before { top: -.5rem; }
  .branches li:last-child::before { bottom: auto; height: 2rem; }
  .branches li:only-child::before { height: 2.5rem; }
  .branches .edge { position: absolute; left: 0; top: 2rem; width: 1.25rem; }
  .branches .edge > span { display: none; }
  .branches .node, .tree:has(.source) .branches .node { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .125rem .75rem; }
  .node.self, .node.source { max-width: 24rem; }
  .branches .node strong { flex-basis: 100%; }
  .branches .node .lag { display: block; text-align: right; }
  .branches .node .at { display: none; }
  .nobody { padding: .75rem 0 0; }
}
@media (max-width: 44rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  header { padding-top: 1rem; padding-bottom: 1rem; }
  h1 { order: 3; flex-basis: 100%; padding: 0; border: 0; }
  main { gap: .75rem; }
  #gone { margin: 0 1rem .75rem; }
  .card { padding: 1rem 1rem 1.125rem; } .verdict { padding: 1rem; }
  .verdict h2 { font-size: 1.0625rem; }
  .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .figures > div { padding: .75rem 1rem; }
  .figures > div:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .figures strong { font-size: 1.25rem; }
  .times li:nth-child(even):not(:last-child) { visibility: hidden; }
  .facts, .gauge + .facts { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .75rem 1rem; }
  .plot .axis { width: 3.25rem; }
  .times { margin-left: 3.875rem; }
  figcaption { padding-left: 0; flex-wrap: wrap; }
  figcaption .at { flex: initial; }
  table, tbody, tr, th, td { display: block; }
  .replicas tbody :is(th, td):nth-child(n) { width: auto; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { border-top: 1px solid var(--line); padding: .625rem 0; }
  tbody tr:first-child { border-top: 0; padding-top: 0; }
  tbody th, tbody td { border: 0; padding: .125rem 0; }
  tbody td { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 4fr); }
  tbody td::before { content: attr(data-label); color: var(--dim); grid-row: span 2; }
  tbody td > * { grid-column: 2; }
  .errors li { grid-template-columns: 1fr; }
}
@media (prefers-contrast: more) { :root { --dim: var(--ink); --line: var(--rule); } }
@media (forced-colors: active) { .field i, .bar rect { forced-color-adjust: none; } }
@media print { .live, .skip { display: none; } .card { break-inside: avoid; } }
`;
