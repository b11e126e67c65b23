/**
 * HTML that cannot be injected into: whatever goes into a template is escaped unless it is markup already. Names, ids and paths come
 * from files, and a report is opened in a browser.
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

/** Longest name that is shown; the rest is cut, so that one name cannot fill the page. */
const MAX_TEXT = 300;
/** Control characters, and the marks that turn the direction of what follows (Unicode UAX 9): both could hide what a name says. */
const INVISIBLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A name as a page shows it, still to be escaped. */
export function shownText(text: string, longest = MAX_TEXT): string {
  return (text.length > longest ? `${text.slice(0, longest)}…` : text).replace(INVISIBLE, "\uFFFD");
}

function escapeText(text: string): string {
  return shownText(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
