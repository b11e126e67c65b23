/**
 * Everything that is compared: from the args of `--compare` to opened methods, the predictions and the ceiling with
 * them.
 */
import { usageError } from "../../errors.js";
import { nearestName } from "../../nearest.js";
import type { Comparison, EvaluateOptions } from "../options.js";
import { gridCeiling, SHAPE_BASELINES, shapeBaseline } from "./baselines.js";
import { crfMethod } from "./crf.js";
import { deepMaskMethod } from "./deepmask.js";
import { dilationMethod } from "./dilation.js";
import { FileMethod } from "./file-method.js";
import { grabCutMaskMethod } from "./grabcut-mask.js";
import { grabCutMethod } from "./grabcut.js";
import type { LearnedName } from "./learned-masks.js";
import { LEARNED_NAMES, LearnedMasks } from "./learned-masks.js";
import type { MatchBy } from "./match-predictions.js";
import type { ShapeTruth } from "./mean-shape.js";
import { meanShapeMethod } from "./mean-shape.js";
import type { Method, OnExcluded } from "./method.js";
import { ORACLE_NAMES, Oracles } from "./oracles.js";
import type { PredictionFile } from "./prediction-file.js";
import { openPredictions, predictionsAt } from "./prediction-file.js";
import { sharpMaskMethod } from "./sharpmask.js";

/** Name of the predictions file's method. */
export const OWN_METHOD = "polyrnn";

const GRABCUT = "grabcut";
const MEAN_SHAPE = "mean-shape";
const NONE = "none";
/** Names the report uses itself. */
const BUILT_IN: readonly string[] = [...SHAPE_BASELINES, MEAN_SHAPE, GRABCUT, ...LEARNED_NAMES];
const TAKEN: readonly string[] = [OWN_METHOD, "grid-ceiling", ...BUILT_IN, NONE];
const LONGEST_NAME = 40;

/** @throws E_USAGE for an unknown method, a name that is taken, or one given twice */
export function parseComparisons(args: readonly string[]): Comparison[] {
  if (args.length === 1 && args[0] === NONE) return [];
  const comparisons = args.map(parseComparison);
  const names = comparisons.map(comparisonName);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw usageError(
      `--compare: expected every method once, received ${JSON.stringify(twice)} twice`,
      "Give each file a name of its own: name=file.json.",
    );
  return comparisons;
}

/** Its name in the report. */
export function comparisonName(comparison: Comparison): string {
  return "name" in comparison ? comparison.name : comparison.kind;
}

/** Run folders become the files in them. @throws E_MISSING for a folder without one */
export function locateComparisons(comparisons: readonly Comparison[]): Promise<Comparison[]> {
  return Promise.all(
    comparisons.map(async (comparison) =>
      comparison.kind === "file" ? { ...comparison, path: await predictionsAt(comparison.path) } : comparison,
    ),
  );
}

function parseComparison(arg: string): Comparison {
  const shape = SHAPE_BASELINES.find((name) => name === arg);
  if (shape !== undefined) return { kind: "shape", name: shape };
  if (arg === GRABCUT || arg === MEAN_SHAPE) return { kind: arg };
  const learned = LEARNED_NAMES.find((name) => name === arg);
  if (learned !== undefined) return { kind: "learned", name: learned };
  const equals = arg.indexOf("=");
  if (equals < 0) throw unknownMethod(arg);
  const name = arg.slice(0, equals).trim();
  const path = arg.slice(equals + 1).trim();
  if (name === "" || name.length > LONGEST_NAME || TAKEN.includes(name)) {
    throw usageError(
      `--compare: expected a name of 1 to ${LONGEST_NAME} characters other than ${TAKEN.join(", ")}, ` +
        `received ${JSON.stringify(name)}`,
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

function unknownMethod(arg: string): Error {
  const suggestion = nearestName(arg, BUILT_IN);
  return usageError(
    `--compare: expected ${BUILT_IN.join(", ")}, none, or name=file.json but received ${JSON.stringify(arg)}`,
    suggestion === undefined
      ? `A file is given with a name for the report: ${JSON.stringify(`other=${arg}`)}.`
      : `Did you mean ${suggestion}?`,
  );
}

/** "grid" is the method that is always there. */
export const ORACLE_CHOICES = [...ORACLE_NAMES, "grid"] as const;
export type OracleChoice = (typeof ORACLE_CHOICES)[number];

/** @throws E_USAGE for an unknown oracle or one given twice */
export function parseOracles(args: readonly string[]): OracleChoice[] {
  const oracles = args.map((arg) => {
    const oracle = ORACLE_CHOICES.find((name) => name === arg);
    if (oracle !== undefined) return oracle;
    const suggestion = nearestName(arg, ORACLE_CHOICES);
    throw usageError(
      `--oracle: expected ${ORACLE_CHOICES.join(", ")} but received ${JSON.stringify(arg)}`,
      suggestion === undefined ? "Give some of them, with commas between." : `Did you mean ${suggestion}?`,
    );
  });
  const twice = oracles.find((name, i) => oracles.indexOf(name) !== i);
  if (twice !== undefined)
    throw usageError(`--oracle: expected every oracle once, received ${twice} twice`, "Leave one of them out.");
  return oracles;
}

export interface OpenedMethods {
  /** The predictions first, then those compared with, then the oracles but "grid", the grid ceiling last. */
  readonly all: readonly Method[];
  readonly predictions: FileMethod;
  close(): Promise<void>;
}

/**
 * @param context extra part of the box's long side in the network's square
 * @param truth   walked only for mean-shape
 * @throws what opening a file throws; E_UNAVAILABLE where a package or model is missing; what was open by then is closed
 */
export async function openMethods(
  options: EvaluateOptions,
  context: number,
  onExcluded: OnExcluded,
  truth: ShapeTruth,
): Promise<OpenedMethods> {
  const opened: Method[] = [];
  let masks: LearnedMasks | undefined;
  let oracles: Oracles | undefined;
  const close = async (): Promise<void> => {
    for (const method of opened) await method.close?.();
    await masks?.close();
    await oracles?.close();
  };
  try {
    const learned = options.compare.flatMap((each) => (each.kind === "learned" ? [each.name] : []));
    const predictions = await openFile(OWN_METHOD, options.predictions, options, onExcluded);
    opened.push(predictions);
    for (const comparison of options.compare) {
      if (comparison.kind === "learned") {
        masks ??= await LearnedMasks.open(context, learned);
        opened.push(await LEARNED[comparison.name](masks));
      } else if (comparison.kind === "mean-shape") opened.push(await meanShapeMethod(truth));
      else opened.push(await openComparison(comparison, options, onExcluded));
    }
    const asked = ORACLE_NAMES.filter((name) => options.oracles?.includes(name) === true);
    if (asked.length > 0) {
      oracles = await Oracles.open(asked, context, options.rasterizer);
      opened.push(...oracles.methods());
    }
    opened.push(gridCeiling(context, options.rasterizer));
    return { all: opened, predictions, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const LEARNED: Readonly<Record<LearnedName, (masks: LearnedMasks) => Method | Promise<Method>>> = {
  deepmask: deepMaskMethod,
  sharpmask: sharpMaskMethod,
  dilation: dilationMethod,
  "grabcut-mask": grabCutMaskMethod,
  crf: crfMethod,
};

function openComparison(
  comparison: Exclude<Comparison, { readonly kind: "learned" | "mean-shape" }>,
  options: EvaluateOptions,
  onExcluded: OnExcluded,
): Method | Promise<Method> {
  switch (comparison.kind) {
    case "shape":
      return shapeBaseline(comparison.name, options.rasterizer);
    case "grabcut":
      return grabCutMethod();
    case "file":
      return openFile(comparison.name, comparison.path, options, onExcluded);
  }
}

async function openFile(
  name: string,
  path: string,
  options: EvaluateOptions,
  onExcluded: OnExcluded,
): Promise<FileMethod> {
  const file = await openPredictions(path);
  const matchBy = options.matchBy ?? (file.kind === "annotations" ? "id" : "box");
  return new FileMethod(file, {
    name,
    words: describeFile(file, matchBy),
    matchBy,
    rasterizer: options.rasterizer,
    onExcluded,
  });
}

function describeFile({ kind }: PredictionFile, matchBy: MatchBy): string {
  const what = kind === "annotations" ? "annotations" : "results list";
  const by = matchBy === "id" ? "annotation id" : "image, category and overlap of boxes";
  return `${what} matched to the truth by ${by}`;
}
