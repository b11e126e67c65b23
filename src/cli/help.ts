/** Help texts, made from the option tables. Lines fit 100 columns. */
import { EXIT } from "../errors.js";
import { Secret } from "../secret.js";
import { packageVersion } from "../version.js";
import type { Command, CommandGroup } from "./command.js";
import { commandsBelow } from "./find-command.js";
import type { OptionGroup, OptionRow } from "./option-table.js";
import { flagName } from "./option-table.js";
import { expectation } from "./option-values.js";
import { wrap } from "./phrases.js";

const LINE_WIDTH = 100;
export const GROUPS: readonly OptionGroup[] = ["common", "advanced", "output"];
export const GROUP_TITLES: Readonly<Record<OptionGroup, string>> = {
  common: "Common",
  advanced: "Advanced",
  output: "Output",
};

/** Also in docs/cli.md. */
export const EXIT_CODE_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.ok, "every requested instance is done (up to --max-failed may have failed), or there was nothing to do"],
  [EXIT.failures, "the run finished, some instances failed (more than --max-failed); the summary lists them"],
  [EXIT.usage, "wrong usage"],
  [EXIT.dataInvalid, "input data is invalid, or not one polygon came out although there were boxes"],
  [EXIT.inputMissing, "input is missing"],
  [EXIT.unavailable, "model or device is not available"],
  [EXIT.bug, "a bug; prints a stack and where to report it"],
  [EXIT.cannotWrite, "cannot write output"],
  [EXIT.stopped, "stopped by the user; the journal is valid"],
];

/** `polyrnn --help` */
export function mainHelp(commands: readonly Command[]): string {
  const top = commands.filter((command) => command.path.length === 1);
  return [
    `polyrnn ${packageVersion()} - turns boxes into polygons`,
    "",
    ...top.flatMap((command) => exampleLines(command.examples.slice(0, 1))),
    "",
    "Commands",
    ...columns(commands.map((command) => [usageOf(command), command.summary])),
    "",
    'Every command explains its options: "polyrnn annotate --help". "polyrnn --version" prints the version.',
    "",
    "Exit codes",
    ...columns(EXIT_CODE_MEANINGS.map(([code, meaning]) => [String(code), meaning])),
  ].join("\n");
}

/** `polyrnn queue --help` */
export function groupHelp(group: CommandGroup, commands: readonly Command[]): string {
  const name = group.path.join(" ");
  const below = commandsBelow(group.path, commands);
  return [
    `polyrnn ${name} - ${group.summary}`,
    "",
    ...below.flatMap((command) => exampleLines(command.examples.slice(0, 1))),
    "",
    "Commands",
    ...columns(below.map((command) => [usageOf(command), command.summary])),
    "",
    `Every command explains its options: "polyrnn ${below[0]!.path.join(" ")} --help".`,
  ].join("\n");
}

/** `polyrnn annotate --help` */
export function commandHelp(command: Command, commands: readonly Command[]): string {
  const name = command.path.join(" ");
  const below = commandsBelow(command.path, commands);
  const lines = [
    `polyrnn ${name} - ${command.summary}`,
    "",
    ...exampleLines(command.examples),
    "",
    "Usage",
    `  polyrnn ${usageOf(command)}`,
  ];
  if (below.length > 0) lines.push("", "Commands", ...columns(below.map((other) => [usageOf(other), other.summary])));
  const width = leftWidth(Object.entries(command.table).map(([option, row]) => signature(option, row)));
  for (const group of GROUPS) {
    const rows = Object.entries(command.table).filter(([, row]) => row.group === group);
    if (rows.length === 0) continue;
    const texts = rows.map(([option, row]) => [signature(option, row), explanation(row)] as const);
    lines.push("", GROUP_TITLES[group], ...columns(texts, width));
  }
  lines.push(
    "",
    ...wrap(
      "Every option can also be set as an environment variable (--batch-size: POLYRNN_BATCH_SIZE)" +
        ("config" in command.table
          ? " or in a config file. Flags override the environment, which overrides the config file."
          : ". Flags override it."),
      0,
      LINE_WIDTH,
    ),
  );
  return lines.join("\n");
}

/** `--batch-size N`, `--device auto|cuda|webgpu|cpu`, `IMAGES` */
export function signature(name: string, row: OptionRow): string {
  const placeholder = placeholderOf(row);
  if (row.position !== undefined) return placeholder;
  return placeholder === "" ? `--${flagName(name)}` : `--${flagName(name)} ${placeholder}`;
}

/** The description with range, unit and default. */
export function explanation(row: OptionRow): string {
  const facts: string[] = [];
  if (row.type === "number") {
    const range = row.max === undefined ? `${row.min} or more` : `${row.min} to ${row.max}`;
    facts.push(row.unit === undefined ? range : `${range} ${row.unit}`);
  }
  if (row.type === "list" && row.choices !== undefined) facts.push(expectation(row));
  if (row.required === true) facts.push("required");
  if (row.default !== undefined && row.type !== "flag") facts.push(`default: ${defaultText(row.default)}`);
  if (row.whenAbsent !== undefined) facts.push(`default: ${row.whenAbsent}`);
  return facts.length === 0 ? row.describe : `${row.describe} (${facts.join("; ")})`;
}

function defaultText(value: NonNullable<OptionRow["default"]>): string {
  if (typeof value !== "object" || value instanceof Secret) return String(value);
  return value.length === 0 ? "all" : value.join(",");
}

function placeholderOf(row: OptionRow): string {
  if (row.type === "flag") return "";
  if (row.type === "number") return "N";
  if (row.type === "list") return row.placeholder ?? "LIST";
  if (row.type === "address") return row.placeholder;
  return row.placeholder ?? row.choices?.join("|") ?? "TEXT";
}

/** `annotate IMAGES --boxes FILE|DIR [options]`: what must be given, and the rest in brackets. */
export function usageOf(command: Command): string {
  const rows = Object.entries(command.table);
  const needed = rows.filter(([, row]) => row.position !== undefined || row.required === true);
  const parts = needed.map(([name, row]) =>
    row.required === true ? signature(name, row) : `[${signature(name, row)}]`,
  );
  return [...command.path, ...parts, ...(needed.length < rows.length ? ["[options]"] : [])].join(" ");
}

function exampleLines(examples: Command["examples"]): string[] {
  return examples.flatMap((example) => [`  # ${example.why}`, `  ${example.line}`]);
}

/** Room for the longest left side, but at most 28 columns: what is longer stands on a line of its own. */
function leftWidth(lefts: readonly string[]): number {
  return Math.max(0, ...lefts.map((left) => left.length).filter((length) => length <= 28));
}

/** Two columns. */
function columns(
  rows: readonly (readonly [string, string])[],
  width = leftWidth(rows.map(([left]) => left)),
): string[] {
  return rows.flatMap(([left, right]) => {
    const [first = "", ...more] = wrap(right, width + 4, LINE_WIDTH);
    if (left.length > width) return [`  ${left}`, " ".repeat(width + 4) + first.trimStart(), ...more];
    return [`  ${left.padEnd(width)}  ${first.trimStart()}`, ...more];
  });
}
