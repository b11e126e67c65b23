/**
 * The world outside a command: streams, environment, clock, stop requests. Commands get it as an argument, so that
 * tests run them in process; main.ts makes the real one. Standard output is for data only, standard error for
 * everything people read, with or without color and never with a character that steers the terminal.
 */
import type { Readable, Writable } from "node:stream";
import { cannotWrite, reasonOf } from "../errors.js";
import { STEERING_CHARACTERS, withoutControls } from "../foreign.js";
import type { ColorChoice } from "./shared-rows.js";

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface Terminal {
  /** Read only where a command is asked to (`--boxes -`). */
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds; only differences count. */
  now(): number;
  /**
   * From this call on, the first interrupt aborts the signal instead of ending the process. A command that can stop in
   * good order calls it; all others keep the platform's behavior.
   */
  stopSignal(): AbortSignal;
}

/** The reader of standard output is gone (`polyrnn ... | head`): the run ends quietly with exit code 0. */
export class ClosedPipe extends Error {
  override readonly name = "ClosedPipe";
}

/**
 * Writes one line of data. Resolves when the stream has taken it, so that a slow reader slows the run down instead of
 * filling memory.
 * @throws ClosedPipe when nobody reads any more; E_WRITE for any other failure (a full disk behind `> file`)
 */
export function writeLine(stream: OutputStream, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(`${line}\n`, (error) => {
      if (!error) resolve();
      else if (isClosed(stream, error)) reject(new ClosedPipe(error.message));
      else
        reject(
          cannotWrite(
            `standard output: ${reasonOf(error)}`,
            "Make room where standard output is redirected to, then run again.",
            error,
          ),
        );
    });
  });
}

/**
 * One line of JSON: data for programs that may be shown on a terminal. What steers it comes out as escapes, which JSON
 * reads as the same text.
 * @param json text of one value; anything else is made into it
 * @throws as writeLine
 */
export function writeJsonLine(stream: OutputStream, json: string | object): Promise<void> {
  return writeLine(stream, withoutControls(typeof json === "string" ? json : JSON.stringify(json)));
}

function isClosed(stream: OutputStream, error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  // EIO of a terminal: its window was closed. Of a file it is a failing disk.
  return (
    code === "EPIPE" ||
    code === "ERR_STREAM_DESTROYED" ||
    code === "ERR_STREAM_WRITE_AFTER_END" ||
    (code === "EIO" && stream.isTTY === true)
  );
}

export interface Paint {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly faint: (text: string) => string;
}

/**
 * Colors for one stream: on for a terminal, off for NO_COLOR (no-color.org), TERM=dumb and `--color never`. Color never
 * carries meaning alone.
 */
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
 * File names and fields of input files end up in messages: control characters (line breaks included) and direction
 * overrides are shown as escapes, so that a name can neither move the cursor nor fake a line.
 */
export function printable(text: string): string {
  return text.replace(STEERING_CHARACTERS, (character) => {
    const code = character.codePointAt(0)!;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
