/** `polyrnn completion`: prints a script for a shell; the scripts are in cli/completion.ts. */
import { EXIT } from "../../errors.js";
import type { Command } from "../command.js";
import { defineCommand } from "../command.js";
import type { Shell } from "../completion.js";
import { completionScript, SHELLS } from "../completion.js";
import type { OptionTable } from "../option-table.js";
import type { ColorChoice } from "../shared-rows.js";
import { colorRow } from "../shared-rows.js";
import { writeLine } from "../terminal.js";

interface CompletionFlags {
  readonly shell: Shell;
  readonly color: ColorChoice;
}

const completionTable = {
  shell: {
    type: "text",
    position: 0,
    choices: SHELLS,
    group: "common",
    required: true,
    describe: "Shell that is to complete commands, options and their words",
  },
  color: colorRow,
} as const satisfies OptionTable<CompletionFlags>;

/** @param commands all of the program, this one included */
export const makeCompletionCommand = (commands: () => readonly Command[]): Command =>
  defineCommand<CompletionFlags>({
    path: ["completion"],
    summary: "print a script that completes commands and options in a shell",
    examples: [
      { why: "bash: load it from ~/.bashrc with source", line: "polyrnn completion bash > ~/.polyrnn.bash" },
      { why: "zsh, in a folder of $fpath", line: "polyrnn completion zsh > ~/.zfunc/_polyrnn" },
      { why: "fish, for good", line: "polyrnn completion fish > ~/.config/fish/completions/polyrnn.fish" },
    ],
    table: completionTable,
    async run({ shell }, terminal) {
      await writeLine(terminal.stdout, completionScript(shell, commands()).trimEnd());
      return EXIT.ok;
    },
  });
