/** Text on its way to a terminal: color, and nothing that steers the terminal. */
import type { ColorChoice } from "./options/common-rows.js";
import type { OutputStream } from "./terminal.js";

export interface Paint {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Colors for one stream: on for a terminal, off for NO_COLOR (no-color.org), TERM=dumb and `--color never`. Color never carries meaning alone. */
export function paintFor(
  stream: OutputStream,
  env: Readonly<Record<string, string | undefined>>,
  choice: ColorChoice,
): Paint {
  const automatic = stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  const on = choice === "always" || (choice === "auto" && automatic);
  const style = (code: number) => (text: string) => (on ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { error: style(31), warning: style(33), faint: style(2) };
}

/**
 * File names and fields of input files end up in messages: control characters (line breaks included) and direction overrides are shown
 * as escapes, so that a name can neither move the cursor nor fake a line.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}
