/**
 * The options of a command from its defaults, config file, environment and flags, each overriding the one before. The
 * parser knows no defaults, so that each layer can tell "not given" from "given as the default". The config file
 * (`--config FILE`) is read by config-file.ts.
 */
import { usageError } from "../errors.js";
import { describeValue } from "../foreign.js";
import type { ConfigValue } from "./config-file.js";
import { readConfigFile } from "./config-file.js";
import type { AnyOptionTable, OptionRow, OptionTable, OptionValue } from "./option-table.js";
import { environmentName, flagName } from "./option-table.js";
import { valueFromJson, valueFromText } from "./option-values.js";
import type { GivenArguments } from "./parse-arguments.js";

export interface OptionSources {
  readonly given: GivenArguments;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What to type for help, for example "polyrnn annotate --help". */
  readonly help: string;
}

/**
 * @returns every option of the table, checked and frozen; options that are absent everywhere and have no default have
 *   no key
 * @throws E_USAGE for a value out of range, a missing required option, an extra argument; E_MISSING and E_DATA for the
 *   config file
 */
export async function resolveOptions<O>(
  table: OptionTable<O> & AnyOptionTable,
  sources: OptionSources,
): Promise<Readonly<O>> {
  const { given, env, help } = sources;
  checkPositionals(table, given, help);

  const flags = new Map<string, OptionValue>();
  const environment = new Map<string, OptionValue>();
  for (const [name, row] of Object.entries<OptionRow>(table)) {
    const flag = fromFlags(name, row, given);
    if (flag !== undefined) flags.set(name, flag);
    const variable = env[environmentName(name)];
    // An empty variable counts as not set, as with NO_COLOR.
    if (variable !== undefined && variable !== "") {
      environment.set(name, valueFromText(row, variable, `${environmentName(name)} (environment)`));
    }
  }
  const configPath = (flags.get("config") ?? environment.get("config")) as string | undefined;
  const config = configPath === undefined ? new Map<string, ConfigValue>() : await readConfigFile(configPath, table);

  const resolved: Record<string, OptionValue> = {};
  for (const [name, row] of Object.entries<OptionRow>(table)) {
    const found = config.get(name);
    const fromConfig = found === undefined ? undefined : valueFromJson(row, found.value, found.place);
    const value = flags.get(name) ?? environment.get(name) ?? fromConfig ?? row.default;
    if (value !== undefined)
      resolved[name] = Array.isArray(value) ? Object.freeze([...(value as readonly string[])]) : value;
    else if (row.required === true) throw missingOption(name, row, help);
  }
  // The table says which keys there are and of which type; `satisfies OptionTable<O>` ties that to O.
  return Object.freeze(resolved) as Readonly<O>;
}

function fromFlags(name: string, row: OptionRow, given: GivenArguments): OptionValue | undefined {
  if (row.position !== undefined && row.type === "list") {
    const texts = given.positionals.slice(row.position);
    // Not split at commas: a shell's * may give names that contain them.
    return texts.length === 0 ? undefined : texts;
  }
  if (row.position !== undefined) {
    const text = given.positionals[row.position];
    return text === undefined
      ? undefined
      : valueFromText(row, text, row.type === "text" ? (row.placeholder ?? name) : name);
  }
  const values = given.options.get(name);
  if (values === undefined) return undefined;
  const place = `--${flagName(name)}`;
  if (row.type === "list") return values.flatMap((value) => valueFromText(row, String(value), place) as string[]);
  if (values.length > 1)
    throw usageError(`${place}: expected once but received ${values.length} times`, "Leave one of them.");
  return typeof values[0] === "boolean" ? values[0] : valueFromText(row, values[0]!, place);
}

function checkPositionals(rows: AnyOptionTable, { positionals, options }: GivenArguments, help: string): void {
  const places = Object.entries(rows).filter(([, row]) => row.position !== undefined);
  // A list in the last place takes everything that follows.
  if (places.some(([, row]) => row.type === "list")) return;
  const extra = positionals[places.length];
  if (extra === undefined) return;
  const names = places.map(([name, row]) => placeholderOf(name, row)).join(" ");
  const missing = Object.entries(rows).find(
    ([name, row]) => row.position === undefined && row.required === true && !options.has(name),
  );
  throw usageError(
    `unexpected argument ${describeValue(extra, 200)}: expected only ${names === "" ? "options" : `${names} and options`}`,
    missing === undefined
      ? `Quote names that contain spaces. Run "${help}" for examples.`
      : `Did you mean --${flagName(missing[0])} ${extra}? Run "${help}" for examples.`,
  );
}

function placeholderOf(name: string, row: OptionRow): string {
  return "placeholder" in row ? (row.placeholder ?? name) : name;
}

function missingOption(name: string, row: OptionRow, help: string): Error {
  const placeholder = row.type === "number" ? "N" : placeholderOf("VALUE", row);
  const what = row.position === undefined ? `--${flagName(name)} ${placeholder}` : placeholder;
  return usageError(`${what} is missing: ${row.describe}`, `Run "${help}" for examples.`);
}
