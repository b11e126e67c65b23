/** Opens everything that is compared: the predictions, the baselines, the other files. */
import { gridCeiling, shapeBaseline } from "./baselines.js";
import { FileMethod } from "./file-method.js";
import { grabCutMethod } from "./grabcut.js";
import type { MatchBy } from "./match-predictions.js";
import type { Method, OnExcluded } from "./method.js";
import type { Comparison, EvaluateOptions } from "./options.js";
import { openPredictions, type PredictionFile } from "./prediction-file.js";

/** Name of the predictions file's method. */
export const OWN_METHOD = "polyrnn";

export interface OpenedMethods {
  /** The predictions first, the grid ceiling last. */
  readonly all: readonly Method[];
  readonly predictions: FileMethod;
  close(): Promise<void>;
}

/**
 * @param context extra part of the box's long side in the network's square
 * @throws what opening a file throws; E_UNAVAILABLE for GrabCut; whatever was open by then is closed
 */
export async function openMethods(
  options: EvaluateOptions,
  context: number,
  onExcluded: OnExcluded,
): Promise<OpenedMethods> {
  const opened: Method[] = [];
  const close = async (): Promise<void> => {
    for (const method of opened) await method.close?.();
  };
  try {
    const predictions = await openFile(OWN_METHOD, options.predictions, options, onExcluded);
    opened.push(predictions);
    for (const comparison of options.compare) opened.push(await openComparison(comparison, options, onExcluded));
    opened.push(gridCeiling(context, options.rasterizer));
    return { all: opened, predictions, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function openComparison(
  comparison: Comparison,
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
    words: wordsOf(file, matchBy),
    matchBy,
    rasterizer: options.rasterizer,
    onExcluded,
  });
}

function wordsOf(file: PredictionFile, matchBy: MatchBy): string {
  return `${file.kind === "annotations" ? "annotations" : "results list"} matched to the truth by ${matchBy === "id" ? "annotation id" : "image, category and overlap of boxes"}`;
}
