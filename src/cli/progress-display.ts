/**
 * Where progress is shown: a bar on a terminal, else a plain line now and then. Words that stay are printed above the bar.
 */
import cliProgress from "cli-progress";
import type { OutputStream } from "./terminal.js";

/** Columns the bar takes, its brackets and the space behind it included. */
export const BAR_COLUMNS = 27;

export interface Display {
  print(line: string): void;
  show(now: { readonly finished: number; readonly total: number }, words: string): void;
  /** Takes the bar away. */
  end(): void;
}

export interface DisplayOptions {
  /** Nothing but what is printed. */
  readonly quiet: boolean;
  readonly now: () => number;
  /** Between two plain lines. */
  readonly lineEveryMs: number;
}

export function openDisplay(stderr: OutputStream, options: DisplayOptions): Display {
  return options.quiet ? silent(stderr) : stderr.isTTY === true ? bar(stderr) : lines(stderr, options);
}

function silent(stderr: OutputStream): Display {
  return { print: (line) => void stderr.write(`${line}\n`), show: () => undefined, end: () => undefined };
}

function lines(stderr: OutputStream, { now, lineEveryMs }: DisplayOptions): Display {
  let last = now();
  return {
    ...silent(stderr),
    show(_, words) {
      if (now() - last < lineEveryMs) return;
      last = now();
      stderr.write(`${words}\n`);
    },
  };
}

function bar(stderr: OutputStream): Display {
  let words = "";
  // Neither the cursor nor line wrapping is changed: a process that is killed leaves the terminal as it was.
  const bars = new cliProgress.MultiBar({
    stream: stderr,
    clearOnComplete: true,
    linewrap: true,
    barsize: 24,
    forceRedraw: true,
    format: (options, params) => `[${cliProgress.Format.BarFormat(params.progress, options)}] ${words}`,
  });
  let single: cliProgress.SingleBar | undefined;
  return {
    print(line) {
      if (single === undefined) {
        stderr.write(`${line}\n`);
        return;
      }
      bars.log(`${line}\n`);
      bars.update(); // At once: the next redraw may be a long model call away.
    },
    show(now, text) {
      words = text;
      single ??= bars.create(now.total, now.finished);
      single.setTotal(now.total);
      single.update(now.finished);
    },
    end() {
      if (single === undefined) return;
      bars.stop();
      single = undefined;
    },
  };
}
