/**
 * Markup for pages: templates, numbers and tables. Names, ids and paths come from files, and a report is opened in a
 * browser, so whatever goes into a template is escaped unless it is markup already. A mean over nothing is shown as a
 * dash, never as 0.
 *
 * A template never cuts: it also holds the points of polygons, photographs and sentences. Text from outside is cut where
 * it is put in, by `shownText`.
 */

/** Text that is HTML. Only this file makes it from strings. */
export class Markup {
  constructor(readonly text: string) {}
}

export type Fragment = Markup | string | number | readonly Fragment[];

/** Template of HTML: html`<p>${name}</p>`. Arrays are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly Fragment[]): Markup {
  return new Markup(parts.map((part, at) => part + (at < values.length ? textOf(values[at]!) : "")).join(""));
}

/** Markup that was made by a trusted library or by this program, for example a chart. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function textOf(value: Fragment): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return escapeText(value);
  return value.map(textOf).join("");
}

/** Characters of a text from outside that are shown, so that one name cannot fill the page. */
const MAX_TEXT = 300;
/** Control characters and bidirectional marks (Unicode UAX 9): both could hide what a name says. */
const INVISIBLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Text from outside (a name, an id, a path) as a page shows it, not yet escaped; "…" says that it was cut. */
export function shownText(text: string | number, longest = MAX_TEXT): string {
  return cutText(String(text), longest, "…").replace(INVISIBLE, "\uFFFD");
}

/**
 * @param longest characters that are kept; a character of two code units stays whole
 * @param mark    put in the place of the rest
 */
export function cutText(text: string, longest: number, mark: string): string {
  if (text.length <= longest) return text;
  const end = /[\uD800-\uDBFF]/.test(text[longest - 1]!) ? longest - 1 : longest;
  return `${text.slice(0, end)}${mark}`;
}

function escapeText(text: string): string {
  return text.replace(INVISIBLE, "\uFFFD").replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Stands for a mean over nothing. */
export const NOTHING = "–";

/** 0.7184 -> "0.718" */
export function ratio(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : value.toFixed(3);
}

/** 0.0123 -> "+0.012" */
export function signedRatio(value: number | null): string {
  return `${value !== null && value > 0 ? "+" : ""}${ratio(value)}`;
}

/** 12.345 -> "12.3" */
export function oneDecimal(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : value.toFixed(1);
}

/** 12345 -> "12,345" */
export function whole(value: number): string {
  return value.toLocaleString("en-US");
}

/** "0.701–0.734"; a dash for a single instance, which has no interval; empty where none was asked for. */
export function rangeOf(
  { low, high, count }: { readonly low: number | null; readonly high: number | null; readonly count: number },
  format: (value: number | null) => string = ratio,
): string {
  if (low === null || high === null) return count === 1 ? NOTHING : "";
  return `${format(low)}–${format(high)}`;
}

export interface Column {
  readonly head: Fragment;
  readonly isText?: boolean;
}

/** A table that scrolls inside itself when it is wider than the page. */
export function table(caption: Fragment, columns: readonly Column[], rows: readonly (readonly Fragment[])[]): Markup {
  const kind = (at: number): string => (columns[at]?.isText === true ? "text" : "number");
  const rowOf = (cells: readonly Fragment[]): Markup[] =>
    cells.map((cell, at) =>
      at === 0 ? html`<th scope="row" class="${kind(at)}">${cell}</th>` : html`<td class="${kind(at)}">${cell}</td>`,
    );
  return html`<div class="scroll"><table><caption><span>${caption}</span></caption>
<thead><tr>${columns.map(({ head }, at) => html`<th scope="col" class="${kind(at)}">${head}</th>`)}</tr></thead>
<tbody>${rows.map(
    (cells) => html`<tr>${rowOf(cells)}</tr>
`,
  )}</tbody></table></div>`;
}
