/** The process around the command line: real streams, signals, exit code. bin/start.mjs calls main(). */
import { EXIT } from "../errors.js";
import { reportError } from "./report-error.js";
import { run } from "./run.js";
import type { Terminal } from "./terminal.js";

/**
 * npm passes on an interrupt that its child has already received from the terminal. Two within this many milliseconds
 * are one key press.
 */
const ONE_KEY_PRESS_MS = 300;

/** Time for open handles to close by themselves after a command has ended. */
const GRACE_MS = 2000;

export async function main(): Promise<void> {
  // The callbacks of the writes handle errors; without a listener a closed pipe would end the process with a stack.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const terminal: Terminal = {
    stdout: process.stdout,
    stderr: process.stderr,
    // Opened only when asked for: an open stream would keep the process.
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    now: () => performance.now(),
    stopSignal,
  };
  process.on("uncaughtException", reportOnce(terminal));
  process.exitCode = await run(process.argv.slice(2), terminal);
  // Everything is written by now. What a library keeps open, such as a queue's connection to a server that is gone,
  // must not keep the process alive.
  setTimeout(() => {
    process.exit();
  }, GRACE_MS).unref();
}

/** A report that fails is an uncaught error as well: without an end it would be reported for ever. */
function reportOnce(terminal: Terminal): (error: unknown) => void {
  let isReporting = false;
  return (error) => {
    if (isReporting) process.exit(EXIT.bug);
    isReporting = true;
    void reportError(error, terminal, { json: false, verbose: true, color: "auto" }).then(() => process.exit(EXIT.bug));
  };
}

/** Interrupt key, cluster, closed terminal. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * The first stop signal asks the command to stop. Then the platform's own handling is restored, so that the next one
 * ends the process at once, even while the engine keeps this thread busy and no handler could run. A process that dies
 * of SIGINT counts as 130 for its shell.
 */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ONE_KEY_PRESS_MS);
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  return controller.signal;
}
