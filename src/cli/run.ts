/** One command line from words to exit code. Runs in tests as in the process: the world comes in as a Terminal. */
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

/** @param words the command line after `polyrnn` */
export async function run(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const presentation = presentationFrom(words, terminal.env);
  try {
    return await dispatch(words, terminal, presentation);
  } catch (error) {
    return await reportError(error, terminal, presentation);
  }
}

/** Until the options are resolved, an error is told as the bare words ask for. */
function presentationFrom(words: readonly string[], env: Readonly<Record<string, string | undefined>>): Presentation {
  const options = beforeTerminator(words);
  return {
    json:
      options.includes("--json") ||
      options.includes("--json=true") ||
      ["1", "true"].includes(env["POLYRNN_JSON"] ?? ""),
    verbose: options.includes("--verbose"),
    color: "auto",
  };
}

async function dispatch(words: readonly string[], terminal: Terminal, presentation: Presentation): Promise<ExitCode> {
  const [first] = words;
  if (first === undefined || first === "--help" || first === "-h") return print(terminal, mainHelp(COMMANDS));
  if (first === "--version") return print(terminal, packageVersion());
  if (first === "help")
    return print(
      terminal,
      words.length === 1 ? mainHelp(COMMANDS) : commandHelp(findCommand(words.slice(1)), COMMANDS),
    );
  const command = findCommand(words);
  warnOfUnknownVariables(terminal);
  const rest = words.slice(command.words.length);
  const options = beforeTerminator(rest);
  if (options.includes("--help") || options.includes("-h")) return print(terminal, commandHelp(command, COMMANDS));
  return command.run(rest, terminal, presentation);
}

async function print(terminal: Terminal, text: string): Promise<ExitCode> {
  await writeLine(terminal.stdout, text);
  return EXIT.ok;
}

/** Read outside the options; see engine/devices.ts and engine/tfjs/load.ts. */
const OTHER_VARIABLES = ["POLYRNN_ENGINE", "POLYRNN_TFJS_NODE"];

/** POLYRNN_BATCHSIZE would be ignored without a word; an option of another command is fine. */
function warnOfUnknownVariables(terminal: Terminal): void {
  const known = new Set([
    ...OTHER_VARIABLES,
    ...COMMANDS.flatMap((command) => Object.keys(command.table).map(environmentName)),
  ]);
  for (const name of Object.keys(terminal.env)) {
    if (!name.startsWith("POLYRNN_") || known.has(name)) continue;
    const suggestion = nearestName(name, known);
    terminal.stderr.write(
      `warning: environment variable ${printable(name)} is no option of polyrnn${suggestion === undefined ? "" : `; did you mean ${suggestion}?`}\n`,
    );
  }
}

/** The command whose words begin the line, the longest one when several do (`models show` before `models`). */
function findCommand(words: readonly string[]): Command {
  const fitting = COMMANDS.filter((command) => command.words.every((word, i) => words[i] === word));
  const command = fitting.sort((a, b) => b.words.length - a.words.length)[0];
  const depth = command?.words.length ?? 0;
  const next = words[depth];
  const below = COMMANDS.filter(
    (other) => other.words.length > depth && (command?.words ?? []).every((word, i) => other.words[i] === word),
  );
  if (command !== undefined && (below.length === 0 || next === undefined || next.startsWith("-"))) return command;
  throw unknownCommand(words.slice(0, depth + 1), [...new Set(below.map((other) => other.words[depth]!))]);
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

function beforeTerminator(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return end < 0 ? words : words.slice(0, end);
}
