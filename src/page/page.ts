/**
 * The frame of a page: one file that needs no network and runs no script. It has one column on a phone, is light or
 * dark like the reader's system, and can be printed.
 */
import type { Fragment } from "./markup.js";
import { html, trusted } from "./markup.js";

/** @param title fixed text, never a name from a file @returns a whole HTML document */
export function renderPage(title: string, body: Fragment): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title><style>${STYLE}</style></head><body>
${body}
</body></html>
`.text;
}

/** Names and their values, in two columns. */
export function descriptionList(entries: readonly (readonly [string, Fragment])[]): Fragment {
  return html`<dl>${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

const STYLE = trusted(`
:root {
  color-scheme: light dark;
  --ink: #1c2024; --soft: #5b6570; --ground: #ffffff; --panel: #f4f6f8; --line: #d5dbe1; --accent: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #9aa5b1; --ground: #14171a; --panel: #1d2226; --line: #343b42; --accent: #56b4e9; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1320px; padding: 1rem clamp(0.75rem, 3vw, 2rem) 3rem;
  background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: clamp(1.4rem, 4vw, 2rem); line-height: 1.2; margin: 0.5rem 0; }
h2 { margin: 2.2rem 0 0.6rem; font-size: 1.3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1.2rem 0 0.4rem; font-size: 1.05rem; }
.lead { font-size: 1.1rem; max-width: 60rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.6rem; margin: 1rem 0; }
.figures div { background: var(--panel); border-radius: 0.5rem; padding: 0.6rem 0.8rem; }
.figures b { display: block; font-size: 1.5rem; }
.figures span, small, figcaption, caption, .note { color: var(--soft); }
small { display: block; font-size: 0.78rem; white-space: nowrap; }
figcaption small { display: inline; white-space: normal; }
.scroll { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; min-width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.3rem 0; }
caption span { position: sticky; left: 0; display: inline-block; max-width: min(60rem, calc(100vw - 1.5rem)); }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: normal; }
.number { text-align: right; }
.text { text-align: left; overflow-wrap: anywhere; min-width: 8rem; max-width: 14rem; }
td.text:last-child, thead th.text:not(:first-child):last-child { min-width: 15rem; max-width: 34rem; }
thead th { font-weight: 600; background: var(--panel); }
tbody th { font-weight: 400; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 1rem; }
.charts figure { margin: 0; background: var(--panel); border-radius: 0.5rem; padding: 0.8rem; }
.charts svg { width: 100%; height: auto; max-width: 560px; display: block; margin: 0 auto; }
.charts h3 { margin: 0 0 0.4rem; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 160px), 1fr)); gap: 0.8rem; }
.examples figure { margin: 0; min-width: 0; }
.examples svg { width: 100%; height: auto; background: #444; border-radius: 0.4rem; display: block; }
.examples figcaption { font-size: 0.85rem; }
.strip { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 0.5rem; margin: 0.3rem 0 1rem; }
.strip figure { margin: 0; min-width: 0; }
.strip svg { width: 100%; height: auto; background: #444; border-radius: 0.3rem; display: block; }
.strip figcaption { font-size: 0.8rem; line-height: 1.3; }
polygon { fill: none; stroke-linejoin: round; }
polygon.under { stroke: #000; stroke-opacity: 0.55; stroke-width: 4.5; }
polygon.truth { stroke: #ffffff; stroke-width: 2.2; stroke-dasharray: 6 4; }
polygon.automatic { stroke: #e69f00; stroke-width: 2.2; }
polygon.corrected { stroke: #56b4e9; stroke-width: 2.2; }
.key {
  display: inline-block; width: 1.6rem; height: 0; border-top: 3px solid; vertical-align: middle;
  margin: 0 0.3rem 0 0.8rem;
}
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 60rem) { .strip { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
@media (max-width: 30rem) { .strip { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.4rem; } }
@media print { .charts figure, .figures div { break-inside: avoid; } }
`);
