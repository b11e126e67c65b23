/** What a command is to the command line: its path, its help and options, and the work behind them. */
import type { ExitCode } from "../errors.js";
import { hideInWord } from "../secret.js";
import type { AnyOptionTable, OptionTable } from "./option-table.js";
import type { Presentation } from "./report-error.js";
import type { Terminal } from "./terminal.js";

export interface Example {
  readonly why: string;
  /** The command line, `polyrnn` included. */
  readonly line: string;
}

interface CommandHead {
  /** ["models", "show"] */
  readonly path: readonly string[];
  /** Lower case, no full stop: follows the command's name in the help. */
  readonly summary: string;
  /** Two or three. */
  readonly examples: readonly Example[];
}

/** A word that only commands below it follow: `polyrnn queue` alone does nothing. */
export interface CommandGroup {
  readonly path: readonly string[];
  readonly summary: string;
}

export interface Command extends CommandHead {
  readonly table: AnyOptionTable;
  /**
   * @param args what follows the command's own name
   * @throws E_USAGE; E_MISSING and E_DATA for a config file
   */
  resolve(args: readonly string[], env: Terminal["env"]): Promise<Invocation>;
}

/** A command with its options, ready to run. */
export interface Invocation {
  readonly presentation: Presentation;
  run(terminal: Terminal): Promise<ExitCode>;
}

interface CommandDefinition<O> extends CommandHead {
  readonly table: OptionTable<O> & AnyOptionTable;
  /**
   * The work. What is heavy is imported here with `await import()`, never at the top of the file: help starts at once.
   * @param args as typed but for the secrets of addresses, for messages that repeat the command
   */
  run(options: Readonly<O>, terminal: Terminal, args: readonly string[]): Promise<ExitCode>;
}

/** Ties a table to the function that takes its options. */
export function defineCommand<O extends Partial<Presentation>>(definition: CommandDefinition<O>): Command {
  const { path, summary, examples, table } = definition;
  return {
    path,
    summary,
    examples,
    table,
    async resolve(args, env) {
      const help = `polyrnn ${path.join(" ")} --help`;
      const { parseArguments } = await import("./parse-arguments.js");
      const { resolveOptions } = await import("./resolve-options.js");
      const given = parseArguments(args, table, help);
      const options = await resolveOptions<O>(definition.table, { given, env, help });
      return {
        presentation: {
          json: options.json ?? false,
          verbose: options.verbose ?? false,
          color: options.color ?? "auto",
        },
        run: (terminal) => definition.run(options, terminal, args.map(hideInWord)),
      };
    },
  };
}
