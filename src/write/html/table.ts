/** A table of a page. */
import { type Fragment, type Markup, html } from "./markup.js";

export interface Column {
  readonly head: Fragment;
  readonly isText?: boolean;
}

/** A table that scrolls inside itself when it is wider than the page. */
export function table(caption: Fragment, columns: readonly Column[], rows: readonly (readonly Fragment[])[]): Markup {
  const kind = (at: number): string => (columns[at]?.isText === true ? "text" : "number");
  return html`<div class="scroll">
    <table>
      <caption>
        <span>${caption}</span>
      </caption>
      <thead>
        <tr>
          ${columns.map(({ head }, at) => html`<th scope="col" class="${kind(at)}">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell, at) => (at === 0 ? html`<th scope="row" class="${kind(at)}">${cell}</th>` : html`<td class="${kind(at)}">${cell}</td>`))}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}
