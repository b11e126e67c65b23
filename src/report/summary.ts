/**
 * The few numbers of an evaluation that a program asks for: the object `--json` prints. Adding a field is free,
 * changing one is a new version.
 */
import type { EvaluationReport, Interval, MethodReport } from "./types.js";

export interface EvaluationSummary {
  readonly version: 1;
  readonly type: "evaluation";
  readonly evaluated: number;
  readonly failed: number;
  /** Annotations and predictions that take part in no mean. */
  readonly excluded: number;
  readonly rasterizer: string;
  /** Of the predictions. */
  readonly iou: MeanScores;
  readonly boundaryIou: MeanScores;
  /** Mean IoU of the other methods and of the grid ceiling. */
  readonly compared: readonly ({ readonly name: string } & MeanScores)[];
  readonly gridCeiling: MeanScores;
  /** What `--fail-under` asked for, and whether it was reached; absent without it. */
  readonly failUnder?: { readonly limit: number; readonly passed: boolean };
  readonly out: string;
  /** Relative to `out`. */
  readonly written: readonly string[];
}

export interface MeanScores {
  readonly instanceMean: Interval;
  readonly classMean: Interval;
}

/** @param failUnder smallest mean IoU over instances */
export function summarizeEvaluation(
  { methods, gridCeiling, counts, inputs }: EvaluationReport,
  place: { readonly out: string; readonly written: readonly string[] },
  failUnder: number | undefined,
): EvaluationSummary {
  const [own, ...others] = methods as [MethodReport, ...MethodReport[]];
  return {
    version: 1,
    type: "evaluation",
    evaluated: counts.evaluated,
    failed: counts.failed,
    excluded: counts.exclusions.reduce((sum, { count }) => sum + count, 0),
    rasterizer: inputs.rasterizer,
    iou: meansOf(own),
    boundaryIou: { instanceMean: own.boundaryInstanceMean, classMean: own.boundaryClassMean },
    compared: others.map((method) => ({ name: method.name, ...meansOf(method) })),
    gridCeiling: meansOf(gridCeiling),
    ...(failUnder !== undefined && {
      failUnder: { limit: failUnder, passed: (own.instanceMean.mean ?? 0) >= failUnder },
    }),
    ...place,
  };
}

function meansOf({ instanceMean, classMean }: MethodReport): MeanScores {
  return { instanceMean, classMean };
}
