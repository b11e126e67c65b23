/** The frame of a page: one file that needs no network and runs no script. */
import { type Fragment, html } from "./markup.js";
import { STYLE } from "./style.js";

/** @param title fixed words, never a name from a file @returns a whole HTML document */
export function renderPage(title: string, body: Fragment): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        />
        <title>${title}</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html> `.text;
}

/** Names and what they are, in two columns. */
export function descriptionList(entries: readonly (readonly [string, Fragment])[]): Fragment {
  return html`<dl>
    ${entries.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}
