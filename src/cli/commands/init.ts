/** `polyrnn init`: writes a config file with every option of a command, its explanation and its default. */
import { lstat } from "node:fs/promises";
import { EXIT, usageError } from "../../errors.js";
import { nearestName } from "../../nearest.js";
import { Secret } from "../../secret.js";
import type { Command } from "../command.js";
import { defineCommand } from "../command.js";
import { explanation, GROUP_TITLES, GROUPS } from "../help.js";
import type { OptionRow, OptionTable } from "../option-table.js";
import { flagName } from "../option-table.js";
import { wrap } from "../phrases.js";
import type { ColorChoice } from "../shared-rows.js";
import { colorRow } from "../shared-rows.js";
import { printable, writeLine } from "../terminal.js";

interface InitFlags {
  readonly command: string;
  readonly out: string;
  readonly force: boolean;
  readonly color: ColorChoice;
}

const initTable = {
  command: {
    type: "text",
    position: 0,
    placeholder: "COMMAND",
    group: "common",
    default: "annotate",
    describe: "Command whose options the file is for",
  },
  out: {
    type: "text",
    placeholder: "FILE|-",
    group: "common",
    default: "polyrnn.yaml",
    describe: "Config file to write, in YAML; - prints it",
  },
  force: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Replace a file that is already there",
  },
  color: colorRow,
} as const satisfies OptionTable<InitFlags>;

/** @param commands all of the program */
export const makeInitCommand = (commands: () => readonly Command[]): Command =>
  defineCommand<InitFlags>({
    path: ["init"],
    summary: "write a config file with every option and its default, as comments",
    examples: [
      { why: "polyrnn.yaml for annotate, to fill in", line: "polyrnn init" },
      { why: "the options of another command", line: "polyrnn init train --out train.yaml" },
    ],
    table: initTable,
    async run({ command: name, out, force }, terminal) {
      const command = commandOf(name, commands());
      if (out === "-") {
        await writeLine(terminal.stdout, configTemplate(command, "polyrnn.yaml").trimEnd());
        return EXIT.ok;
      }
      if (/\.json$/i.test(out))
        throw usageError(`--out ${out}: expected a YAML file, because JSON has no comments`, "Name it .yaml.");
      const { folderNotEmpty } = await import("../../files/folders.js");
      const { writeAtomic } = await import("../../files/atomic-file.js");
      if (!force && (await isThere(out)))
        throw folderNotEmpty(
          `--out ${out}: expected a name that is free, received one that is taken`,
          "Name another file with --out, or replace this one with --force.",
        );
      await writeAtomic(out, configTemplate(command, out));
      terminal.stderr.write(`${printable(`wrote ${out}; use it with: polyrnn ${name} --config ${out}`)}\n`);
      return EXIT.ok;
    },
  });

function commandOf(name: string, commands: readonly Command[]): Command {
  const configurable = commands.filter(({ table }) => "config" in table);
  const found = configurable.find(({ path }) => path.join(" ") === name);
  if (found !== undefined) return found;
  const names = configurable.map(({ path }) => path.join(" "));
  const suggestion = nearestName(name, names);
  throw usageError(
    `COMMAND: expected one of ${names.join(", ")}, which take --config, but received ${JSON.stringify(name)}`,
    suggestion === undefined ? 'Run "polyrnn init --help" for examples.' : `Did you mean ${suggestion}?`,
  );
}

/** A link that leads nowhere is there, too. */
function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

const WIDTH = 100;

/**
 * The file's text. Every option is a comment, so that defaults of later versions hold.
 * @param file its own name, for the command line in its head
 */
export function configTemplate({ path, table }: Command, file: string): string {
  const name = path.join(" ");
  const lines = [
    `# Options of polyrnn ${name}. Take the # away from a line to set it; the values here are the defaults.`,
    `# Read by: polyrnn ${name} --config ${printable(file)}`,
    "# The environment and flags go before this file.",
  ];
  for (const group of GROUPS) {
    const rows = Object.entries(table).filter(([option, row]) => row.group === group && option !== "config");
    if (rows.length > 0) lines.push("", `# ---- ${GROUP_TITLES[group]}`);
    for (const [option, row] of rows) {
      lines.push("", ...wrap(explanation(row), 2, WIDTH).map((line) => `# ${line.trimStart()}`));
      lines.push(`#${flagName(option)}:${defaultText(row)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** " 8", " [coco]"; nothing where there is no default: null is refused where an option is forgotten. */
function defaultText({ default: value }: OptionRow): string {
  if (value === undefined || value instanceof Secret) return "";
  if (typeof value === "object") return ` [${value.map(scalarText).join(", ")}]`;
  return ` ${typeof value === "string" ? scalarText(value) : String(value)}`;
}

/** Plain where YAML reads it as the same text. */
function scalarText(text: string): string {
  return /^[a-z][\w./-]*$/i.test(text) && !/^(?:true|false|null)$/i.test(text) ? text : JSON.stringify(text);
}
