/** `--config FILE`: a JSON object of options. Keys are option names as flags write them or in camelCase. */
import { readFile } from "node:fs/promises";
import { invalidData, missingInput, reasonOf, usageError } from "../errors.js";
import { nearestName } from "../schema/nearest.js";
import { flagName, type AnyOptionTable } from "./options/option-table.js";

/**
 * @returns values by camelCase option name, unchecked
 * @throws E_MISSING (no such file), E_DATA (not a JSON object), E_USAGE (a key that is no option, or one given in both spellings)
 */
export async function readConfigFile(path: string, table: AnyOptionTable): Promise<ReadonlyMap<string, unknown>> {
  const names = new Map<string, string>();
  for (const name of Object.keys(table)) {
    if (name === "config") continue; // One file cannot point to the next.
    names.set(name, name).set(flagName(name), name);
  }
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(parseObject(path, await readText(path)))) {
    const name = names.get(key);
    if (name === undefined) {
      const suggestion = nearestName(key, [...names.keys()]);
      throw usageError(
        `${path}: ${JSON.stringify(key)} is not an option`,
        suggestion === undefined
          ? `Known keys: ${Object.keys(table)
              .filter((known) => known !== "config")
              .join(", ")}.`
          : `Did you mean ${JSON.stringify(suggestion)}?`,
      );
    }
    if (values.has(name))
      throw usageError(`${path}: ${name} is given twice, as ${name} and as ${flagName(name)}`, "Remove one of them.");
    values.set(name, value);
  }
  return values;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw missingInput(
      `${path}: expected a config file that can be read, received ${isAbsent ? "no such file" : reasonOf(error)}`,
      "Check the path given with --config or POLYRNN_CONFIG.",
      error,
    );
  }
}

function parseObject(path: string, text: string): object {
  const hint = 'Write a JSON object such as {"model": "mobile", "batch-size": 8}.';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidData(`${path}: expected JSON but ${reasonOf(error)}`, hint, error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidData(
      `${path}: expected a JSON object but received ${value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`}`,
      hint,
    );
  }
  return value;
}
