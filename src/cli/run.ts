/** One command line, from its arguments to the exit code. Runs in tests as in the process: the world is a Terminal. */
import type { ExitCode } from "../errors.js";
import { EXIT, usageError } from "../errors.js";
import { nearestName } from "../nearest.js";
import { packageVersion } from "../version.js";
import { COMMANDS } from "./command-list.js";
import type { Command } from "./command.js";
import { commandHelp, mainHelp } from "./help.js";
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
    const command = findCommand(args);
    warnOfUnknownVariables(terminal);
    const rest = args.slice(command.path.length);
    const options = beforeTerminator(rest);
    if (options.includes("--help") || options.includes("-h"))
      return await print(terminal, commandHelp(command, COMMANDS));
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
  return others.length === 0 ? mainHelp(COMMANDS) : commandHelp(findCommand(others), COMMANDS);
}

async function print(terminal: Terminal, text: string): Promise<ExitCode> {
  await writeLine(terminal.stdout, text);
  return EXIT.ok;
}

/** Read outside the options; see engine/devices.ts and engine/tfjs/load.ts. */
const OTHER_VARIABLES = ["POLYRNN_ENGINE", "POLYRNN_TFJS_NODE"];

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

/** The command whose path begins the line, the longest one when several do (`models show` before `models`). */
function findCommand(args: readonly string[]): Command {
  const fitting = COMMANDS.filter((command) => command.path.every((word, i) => args[i] === word));
  const command = fitting.sort((a, b) => b.path.length - a.path.length)[0];
  const depth = command?.path.length ?? 0;
  const next = args[depth];
  const below = COMMANDS.filter(
    (other) => other.path.length > depth && (command?.path ?? []).every((word, i) => other.path[i] === word),
  );
  if (command !== undefined && (below.length === 0 || next === undefined || next.startsWith("-"))) return command;
  throw unknownCommand(args.slice(0, depth + 1), [...new Set(below.map((other) => other.path[depth]!))]);
}

function unknownCommand(typed: readonly string[], known: readonly string[]): Error {
  const parent = typed.slice(0, -1).join(" ");
  const word = typed.at(-1) ?? "";
  const hint = `Run "polyrnn${parent === "" ? "" : ` ${parent}`} --help" to see all commands.`;
  if (word.startsWith("-")) return usageError(`unknown option ${word}: options follow the command`, hint);
  const suggestion = nearestName(word, known);
  return usageError(
    `unknown command "${typed.join(" ")}"`,
    suggestion === undefined
      ? hint
      : `Did you mean "polyrnn ${[...typed.slice(0, -1), suggestion].join(" ")}"? ${hint}`,
  );
}

function beforeTerminator(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end < 0 ? args : args.slice(0, end);
}
