/**
 * Secrets of addresses: user, password and query. A secret is held as an object that prints as ***, so that no message,
 * log line or JSON can hold it by mistake; it opens where a connection is made and nowhere else.
 */
import { inspect } from "node:util";

const HIDDEN = "***";

export class Secret {
  readonly #text: string;

  /** @param shown what is printed in its place */
  constructor(
    text: string,
    private readonly shown = HIDDEN,
  ) {
    this.#text = text;
  }

  /** The text itself; for the call that needs it. */
  open(): string {
    return this.#text;
  }

  toString(): string {
    return this.shown;
  }

  toJSON(): string {
    return this.shown;
  }

  [inspect.custom](): string {
    return this.shown;
  }
}

/**
 * The whole address is the secret; what is shown of it has *** for user, password, query and fragment. Nothing is shown
 * of a text that is no address: it may be a password in the wrong place.
 */
export function secretAddress(address: string): Secret {
  return new Secret(address, address.includes(BETWEEN) ? hideInWord(address) : HIDDEN);
}

/** What our own hints hold. */
const PLACEHOLDER = "USER:PASSWORD";
const BETWEEN = "://";
const SPACE = /\s/;

/**
 * Hides user, password, query and fragment of every address in a text, which is looked at from left to right once.
 * An address ends at the next space: a password may hold quotes and at signs. Our own placeholder stays.
 */
export function hideSecrets(text: string): string {
  let hidden = "";
  let from = 0;
  for (let at = text.indexOf(BETWEEN); at !== -1; at = text.indexOf(BETWEEN, from)) {
    let end = at;
    while (end < text.length && !SPACE.test(text[end]!)) end++;
    hidden += text.slice(from, at) + hideInAddress(text.slice(at, end));
    from = end;
  }
  return hidden + text.slice(from);
}

/** The same for one word of a command line, which is an address to its end even where there are spaces in it. */
export function hideInWord(word: string): string {
  const at = word.indexOf(BETWEEN);
  return at === -1 ? word : word.slice(0, at) + hideInAddress(word.slice(at));
}

/** @param rest of an address, from "://" on; further addresses within it count as its secrets */
function hideInAddress(rest: string): string {
  const start = BETWEEN.length;
  const slash = rest.indexOf("/", start);
  // Without a colon or an at sign before the first slash, an at sign behind it belongs to the path.
  const hasUser = /[:@]/.test(slash === -1 ? rest.slice(start) : rest.slice(start, slash));
  const userEnd = hasUser ? rest.lastIndexOf("@") : -1;
  const isPlaceholder = rest.slice(start, userEnd) === PLACEHOLDER;
  const user = userEnd === -1 ? "" : isPlaceholder ? `${PLACEHOLDER}@` : `${HIDDEN}@`;
  const place = rest.slice(userEnd === -1 ? start : userEnd + 1);
  const query = place.search(/[?#]/);
  return BETWEEN + user + (query === -1 ? place : `${place.slice(0, query + 1)}${HIDDEN}`);
}
