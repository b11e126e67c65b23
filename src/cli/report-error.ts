/**
 * What ends a run early, reported once: a message on standard error, with --json an object on standard output, and the
 * exit code.
 */
import type { ExitCode } from "../errors.js";
import { EXIT, PolyrnnError } from "../errors.js";
import { hideSecrets } from "../secret.js";
import { packageVersion } from "../version.js";
import type { ColorChoice } from "./shared-rows.js";
import type { Terminal } from "./terminal.js";
import { ClosedPipe, paintFor, printable as withoutControls, writeJsonLine } from "./terminal.js";

/** How the user wants to be told; known in part before the options are. */
export interface Presentation {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly color: ColorChoice;
}

/** @returns the exit code; never throws */
export async function reportError(error: unknown, terminal: Terminal, presentation: Presentation): Promise<ExitCode> {
  if (error instanceof ClosedPipe) return EXIT.ok;
  const expected = error instanceof PolyrnnError ? error : isStop(error) ? stoppedEarly() : undefined;
  const paint = paintFor(terminal.stderr, terminal.env, presentation.color);
  const label = paint.error("polyrnn:");
  if (expected !== undefined) {
    terminal.stderr.write(`${label} ${printable(expected.message)}\n${printable(expected.hint)}\n`);
    if (presentation.verbose && expected.cause !== undefined)
      terminal.stderr.write(paint.faint(`cause: ${hideSecrets(stackOf(expected.cause))}\n`));
  } else {
    terminal.stderr.write(`${label} a bug: ${hideSecrets(stackOf(error))}\n${BUG_HINT} ${whereItRan()}\n`);
  }
  if (presentation.json) {
    const report = {
      version: 1,
      type: "error",
      code: expected?.code ?? "E_BUG",
      message: hideSecrets(expected?.message ?? (error instanceof Error ? error.message : String(error))),
      hint: hideSecrets(expected?.hint ?? `${BUG_HINT} ${whereItRan()}`),
    };
    // Nobody reads any more, or the disk is full: only the exit code is left to report it.
    await writeJsonLine(terminal.stdout, report).catch(() => undefined);
  }
  return expected?.exitCode ?? EXIT.bug;
}

/** What a signal's own reason looks like: the user stopped the command while its input was opened. */
function isStop(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function stoppedEarly(): PolyrnnError {
  return new PolyrnnError("stopped before the work began", "E_STOPPED", EXIT.stopped, "Run the command again.");
}

/** A mistyped command line may hold the address of a queue with its password. */
function printable(text: string): string {
  return withoutControls(hideSecrets(text));
}

const BUG_HINT =
  "This should not happen. Report it in the project's issue list, with the command, the lines above and:";

function whereItRan(): string {
  return `polyrnn ${packageVersion()}, node ${process.version}, ${process.platform} ${process.arch}.`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
