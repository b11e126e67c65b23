/** The words of `--compare` and `--group-by` to what they mean. */
import { usageError } from "../errors.js";
import { nearestName } from "../schema/nearest.js";
import { SHAPE_BASELINES } from "./baselines.js";
import { OWN_METHOD } from "./open-methods.js";
import type { Comparison } from "./options.js";
import type { GroupBy } from "./report-types.js";

const GRABCUT = "grabcut";
const NONE = "none";
/** Names the report uses itself. */
const TAKEN: readonly string[] = [OWN_METHOD, "grid-ceiling", ...SHAPE_BASELINES, GRABCUT, NONE];
const LONGEST_NAME = 40;

/** @throws E_USAGE for an unknown method, a name that is taken, or one given twice */
export function parseComparisons(words: readonly string[]): Comparison[] {
  if (words.length === 1 && words[0] === NONE) return [];
  const comparisons = words.map(parseComparison);
  const names = comparisons.map((comparison) => (comparison.kind === "grabcut" ? GRABCUT : comparison.name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw usageError(
      `--compare: expected every method once, received ${JSON.stringify(twice)} twice`,
      "Give each file a name of its own: name=file.json.",
    );
  return comparisons;
}

function parseComparison(word: string): Comparison {
  const shape = SHAPE_BASELINES.find((name) => name === word);
  if (shape !== undefined) return { kind: "shape", name: shape };
  if (word === GRABCUT) return { kind: "grabcut" };
  const equals = word.indexOf("=");
  if (equals < 0) {
    const methods = [...SHAPE_BASELINES, GRABCUT];
    const suggestion = nearestName(word, methods);
    throw usageError(
      `--compare: expected ${methods.join(", ")}, none, or name=file.json but received ${JSON.stringify(word)}`,
      suggestion === undefined
        ? `A file is given with a name for the report: ${JSON.stringify(`other=${word}`)}.`
        : `Did you mean ${suggestion}?`,
    );
  }
  const name = word.slice(0, equals).trim();
  const path = word.slice(equals + 1).trim();
  if (name === "" || name.length > LONGEST_NAME || TAKEN.includes(name)) {
    throw usageError(
      `--compare: expected a name of 1 to ${LONGEST_NAME} characters other than ${TAKEN.join(", ")}, received ${JSON.stringify(name)}`,
      "Write name=file.json with another name.",
    );
  }
  if (path === "")
    throw usageError(
      `--compare: expected a file after ${JSON.stringify(`${name}=`)} but received nothing`,
      "Write name=file.json.",
    );
  return { kind: "file", name, path };
}

/** "none", "prefix", or the name of a field of the images. */
export function parseGroupBy(word: string): GroupBy {
  return word === NONE || word === "prefix" ? { kind: word } : { kind: "field", field: word };
}
