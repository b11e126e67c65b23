/** What a command is to the command line: words, help, options, and work that is loaded when it is asked for. */
import type { ExitCode } from "../errors.js";
import type { AnyOptionTable, OptionTable } from "./option-table.js";
import type { Presentation } from "./report-error.js";
import type { Terminal } from "./terminal.js";

export interface Example {
  readonly why: string;
  /** The command line, without `polyrnn` where it begins with it. */
  readonly line: string;
}

interface CommandHead {
  /** ["models", "show"] */
  readonly words: readonly string[];
  /** Lower case, no full stop: follows the command's name in the help. */
  readonly summary: string;
  /** Two or three. */
  readonly examples: readonly Example[];
}

export interface Command extends CommandHead {
  readonly table: AnyOptionTable;
  /** @param rest the words after the command's own */
  run(rest: readonly string[], terminal: Terminal, presentation: Presentation): Promise<ExitCode>;
}

type Work<O> = (options: Readonly<O>, terminal: Terminal, args: readonly string[]) => Promise<ExitCode>;

interface CommandDefinition<O> extends Omit<CommandHead, "words"> {
  readonly path?: readonly string[];
  readonly words?: readonly string[];
  readonly table: OptionTable<O> & AnyOptionTable;
  readonly run?: Work<O>;
  /** Imports the command's implementation; nothing heavy may be imported before. */
  load?(): Promise<Work<O>>;
}

/** Ties a table to the function that takes its options. */
export function defineCommand<O extends Partial<Presentation>>(definition: CommandDefinition<O>): Command {
  const words = definition.path ?? definition.words ?? [];
  return {
    words,
    summary: definition.summary,
    examples: definition.examples,
    table: definition.table,
    async run(rest, terminal, presentation) {
      const help = `polyrnn ${words.join(" ")} --help`;
      const { parseArguments } = await import("./parse-arguments.js");
      const { resolveOptions } = await import("./resolve-options.js");
      const given = parseArguments(rest, definition.table, help);
      const options = await resolveOptions<O>(definition.table, { given, env: terminal.env, help });
      presentation.json = options.json ?? false;
      presentation.verbose = options.verbose ?? false;
      presentation.color = options.color ?? "auto";
      const work = definition.run ?? (await definition.load!());
      return work(options, terminal, rest);
    },
  };
}
