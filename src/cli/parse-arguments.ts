/**
 * Arguments -> what was given, by option name. Nothing is defaulted or converted here; resolve-options.ts does that.
 * yargs splits the arguments. Names are checked against the table before, because yargs suggests commands but not
 * options, and takes `--resume=maybe` for false and `--out --json` for an empty name.
 */
import yargs from "yargs";
import { usageError } from "../errors.js";
import { nearestName } from "../nearest.js";
import type { AnyOptionTable } from "./option-table.js";
import { flagName } from "./option-table.js";
import { expectation } from "./option-values.js";

/** Text as typed; a flag's true or false. Several entries: the option was given several times. */
export interface GivenArguments {
  readonly options: ReadonlyMap<string, readonly (string | boolean)[]>;
  readonly positionals: readonly string[];
}

/**
 * @param args  everything after the command
 * @param table the command's rows
 * @param help  what to type for help, for example "polyrnn annotate --help"
 * @throws E_USAGE for an option the table does not have
 */
export function parseArguments(args: readonly string[], table: AnyOptionTable, help: string): GivenArguments {
  checkNames(args, table, help);
  const parser = yargs([...args])
    .parserConfiguration({
      "boolean-negation": true,
      "camel-case-expansion": false,
      "dot-notation": false,
      "duplicate-arguments-array": true,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "short-option-groups": false,
    })
    .locale("en")
    .help(false)
    .version(false)
    .exitProcess(false)
    .strictOptions()
    .fail((message, error) => {
      throw (error as Error | undefined) ?? usageError(message, `Run "${help}" to see all options.`);
    });
  const named = Object.entries(table).filter(([, row]) => row.position === undefined);
  for (const [name, row] of named) {
    // nargs makes yargs take a lone dash for a value.
    parser.option(flagName(name), row.type === "flag" ? { type: "boolean" } : { type: "string", nargs: 1 });
  }

  const parsed = parser.parseSync() as Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] };
  const options = new Map<string, readonly (string | boolean)[]>();
  for (const [name] of named) {
    const given = parsed[flagName(name)] as string | boolean | (string | boolean)[] | undefined;
    if (given !== undefined) options.set(name, Array.isArray(given) ? given : [given]);
  }
  return { options, positionals: parsed._.map(String) };
}

/** Begins with a dash and is no option: a lone dash (standard output) or a negative number. */
const isDashedValue = (arg: string): boolean => arg === "-" || /^-\.?\d/.test(arg);

function checkNames(args: readonly string[], table: AnyOptionTable, help: string): void {
  const hint = `Run "${help}" to see all options.`;
  const named = Object.entries(table).filter(([, row]) => row.position === undefined);
  const rows = new Map(named.map(([name, row]) => [flagName(name), row]));
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return;
    if (!arg.startsWith("-") || isDashedValue(arg)) continue;
    const [typed, value] = splitOnce(arg.replace(/^--?/, ""), "=");
    const negated = typed.startsWith("no-") ? rows.get(typed.slice(3)) : undefined;
    const row = arg.startsWith("--")
      ? (rows.get(typed) ?? (negated?.type === "flag" ? negated : undefined))
      : undefined;
    if (row === undefined) {
      const suggestion = nearestName(typed, [...rows.keys(), "help"]);
      throw usageError(
        `unknown option ${arg.startsWith("--") ? "--" : "-"}${typed}`,
        suggestion === undefined ? hint : `Did you mean --${suggestion}? ${hint}`,
      );
    }
    if (row.type === "flag") {
      if (value !== undefined && (negated !== undefined || !["true", "false"].includes(value))) {
        throw usageError(`--${typed}: expected no value, or =true or =false, but received "${value}"`, hint);
      }
    } else if (value === undefined) {
      i += 1; // The next argument is the value.
      const next = args[i];
      if (next === undefined || (next.startsWith("-") && !isDashedValue(next))) {
        throw usageError(
          `--${typed}: expected ${expectation(row)} but received nothing`,
          `Give it a value; one that begins with a dash as --${typed}=VALUE.`,
        );
      }
    }
  }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
