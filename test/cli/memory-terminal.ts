/** A terminal in memory: what commands print, without a process. */
import { Readable, Writable } from "node:stream";
import type { OutputStream, Terminal } from "../../src/cli/terminal.js";

class MemoryStream extends Writable {
  text = "";
  constructor(
    readonly isTTY: boolean,
    readonly columns: number,
  ) {
    super({ decodeStrings: false });
  }
  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

export interface MemoryTerminal extends Terminal {
  readonly stdout: OutputStream & { readonly text: string };
  readonly stderr: OutputStream & { readonly text: string };
  readonly stop: AbortController;
  /** Moves the clock on. */
  wait(milliseconds: number): void;
}

export function memoryTerminal(
  options: { readonly tty?: boolean; readonly env?: Record<string, string>; readonly stdin?: string } = {},
): MemoryTerminal {
  let now = 0;
  const stop = new AbortController();
  return {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: new MemoryStream(false, 80),
    stderr: new MemoryStream(options.tty ?? false, 80),
    // The engine of several threads is started as a built file: the tests with processes have it.
    env: { POLYRNN_THREADS: "1", ...options.env },
    now: () => now,
    wait: (milliseconds) => {
      now += milliseconds;
    },
    stop,
    stopSignal: () => stop.signal,
  };
}
