/** Means over the steps between two lines of the metrics; part of the checkpoint, so that a resumed run writes the same lines. */
import type { StepReport } from "../runtime/trainer.js";
import type { LossParts, StepLine } from "./events.js";

/** Sums over `count` steps. `mask` and `maskIou` are absent where the network has no mask map. */
export interface Sums {
  readonly count: number;
  readonly total: number;
  readonly steps: number;
  readonly edge: number;
  readonly vertex: number;
  readonly mask?: number;
  readonly accuracy: number;
  readonly maskIou?: number;
  readonly gradientNorm: number;
}

export const NO_SUMS: Sums = { count: 0, total: 0, steps: 0, edge: 0, vertex: 0, accuracy: 0, gradientNorm: 0 };

export function addStep(sums: Sums, { losses, accuracy, maskIou, gradientNorm }: StepReport): Sums {
  return {
    count: sums.count + 1,
    total: sums.total + losses.total,
    steps: sums.steps + losses.steps,
    edge: sums.edge + losses.edge,
    vertex: sums.vertex + losses.vertex,
    ...(losses.mask !== undefined && { mask: (sums.mask ?? 0) + losses.mask }),
    accuracy: sums.accuracy + accuracy,
    ...(maskIou !== undefined && { maskIou: (sums.maskIou ?? 0) + maskIou }),
    gradientNorm: sums.gradientNorm + gradientNorm,
  };
}

/** @param sums of at least one step */
export function meansOf(sums: Sums): { losses: LossParts } & Pick<StepLine, "accuracy" | "maskIou" | "gradientNorm"> {
  const mean = (sum: number): number => sum / sums.count;
  return {
    losses: {
      total: mean(sums.total),
      steps: mean(sums.steps),
      edge: mean(sums.edge),
      vertex: mean(sums.vertex),
      ...(sums.mask !== undefined && { mask: mean(sums.mask) }),
    },
    accuracy: mean(sums.accuracy),
    ...(sums.maskIou !== undefined && { maskIou: mean(sums.maskIou) }),
    gradientNorm: mean(sums.gradientNorm),
  };
}
