/** One command line, from its arguments to the exit code. Runs in tests as in the process: the world is a Terminal. */
import type { ExitCode } from "../errors.js";
import { EXIT } from "../errors.js";
import { nearestName } from "../nearest.js";
import { packageVersion } from "../version.js";
import { COMMANDS, GROUPS } from "./command-list.js";
import { commandsBelow, findCommand, findGroup } from "./find-command.js";
import { commandHelp, groupHelp, mainHelp } from "./help.js";
import { environmentName } from "./option-table.js";
import type { Presentation } from "./report-error.js";
import { reportError } from "./report-error.js";
import type { Terminal } from "./terminal.js";
import { printable, writeLine } from "./terminal.js";

/** @param args the command line after `polyrnn` */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let presentation = presentationOf(args, terminal.env);
  try {
    const text = topLevelText(args);
    if (text !== undefined) return await print(terminal, text);
    const asked = helpFor(args);
    if (asked !== undefined) return await print(terminal, asked);
    const command = findCommand(args, COMMANDS, GROUPS);
    warnOfUnknownVariables(terminal);
    const rest = args.slice(command.path.length);
    const invocation = await command.resolve(rest, terminal.env);
    presentation = invocation.presentation;
    return await invocation.run(terminal);
  } catch (error) {
    return await reportError(error, terminal, presentation);
  }
}

/** Until the options are resolved, the bare arguments decide how an error is reported. */
function presentationOf(args: readonly string[], env: Terminal["env"]): Presentation {
  const options = beforeTerminator(args);
  return {
    json:
      options.includes("--json") ||
      options.includes("--json=true") ||
      ["1", "true"].includes(env["POLYRNN_JSON"] ?? ""),
    verbose: options.includes("--verbose"),
    color: "auto",
  };
}

/** What `polyrnn` prints without running a command; undefined where a command is meant. */
function topLevelText(args: readonly string[]): string | undefined {
  const [first, ...others] = args;
  if (first === undefined || first === "--help" || first === "-h") return mainHelp(COMMANDS);
  if (first === "--version") return packageVersion();
  if (first !== "help") return undefined;
  const words = others.filter((word) => !HELP_WORDS.includes(word));
  return words.length === 0 ? mainHelp(COMMANDS) : helpText(words);
}

const HELP_WORDS: readonly string[] = ["help", "--help", "-h"];

/** What `--help` after a command or group prints; undefined where a command is to run. */
function helpFor(args: readonly string[]): string | undefined {
  const typed = beforeTerminator(args);
  if (typed.includes("--help") || typed.includes("-h")) return helpText(args);
  // "annotate help" names a folder; words that other commands follow take no names.
  const words = args.at(-1) === "help" ? args.slice(0, -1) : [];
  const isParent = [...COMMANDS, ...GROUPS].some(
    ({ path }) => path.join(" ") === words.join(" ") && commandsBelow(path, COMMANDS).length > 0,
  );
  return isParent ? helpText(words) : undefined;
}

function helpText(words: readonly string[]): string {
  const group = findGroup(words, COMMANDS, GROUPS);
  return group === undefined ? commandHelp(findCommand(words, COMMANDS, GROUPS), COMMANDS) : groupHelp(group, COMMANDS);
}

async function print(terminal: Terminal, text: string): Promise<ExitCode> {
  await writeLine(terminal.stdout, text);
  return EXIT.ok;
}

/** Read outside the options; see engine/devices.ts, engine/webgpu/trial.ts and engine/tfjs/load.ts. */
const OTHER_VARIABLES = ["POLYRNN_ENGINE", "POLYRNN_TILES", "POLYRNN_TFJS_NODE"];

/** POLYRNN_BATCHSIZE would be ignored in silence; an option of another command is fine. */
function warnOfUnknownVariables(terminal: Terminal): void {
  const known = new Set([
    ...OTHER_VARIABLES,
    ...COMMANDS.flatMap((command) => Object.keys(command.table).map(environmentName)),
  ]);
  for (const name of Object.keys(terminal.env)) {
    if (!name.startsWith("POLYRNN_") || known.has(name)) continue;
    const suggestion = nearestName(name, known);
    const guess = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
    terminal.stderr.write(`warning: environment variable ${printable(name)} is no option of polyrnn${guess}\n`);
  }
}

function beforeTerminator(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end < 0 ? args : args.slice(0, end);
}
