/**
 * Tests of training that every backend of TensorFlow.js must pass; each backend has a file of its own, because a
 * process holds one.
 */
import { expect, test } from "vitest";
import { frozenPrefix } from "../../src/network/weights.js";
import { describeNetwork } from "../../src/network/build.js";
import type { Tfjs } from "../../src/engine/tfjs/ops.js";
import type { TfjsTrainer } from "../../src/engine/tfjs/trainer.js";
import {
  NETWORKS,
  openReferenceTrainer,
  readReference,
  referenceBatch,
  worstDifference,
} from "./training-reference.js";

/** Of the loss. */
const LOSS_TOLERANCE = 1e-5;
/**
 * Of the norm of a weight's gradient. Through the 52 random layers of the backbone of `mobile` rounding moves activations
 * over the kinks of ReLU6: PyTorch in float32 differs from itself in float64 by up to 5e-3 there, and TensorFlow from
 * PyTorch by 3.6e-2 on one processor, by less than 1e-2 on others. Behind the backbone, and in all of `tiny`, both agree
 * within 3e-6.
 */
const GRADIENT_TOLERANCE = 1e-3;
const BACKBONE_TOLERANCE = 1e-1;

type Label = keyof typeof NETWORKS;

/** @param extent the comparison of one gradient; that and what needs a few more; or all */
export function describeTraining(tf: Tfjs, label: Label, extent: "gradient" | "short" | "all"): void {
  const options = NETWORKS[label];
  const using = async <R>(
    change: Parameters<typeof openReferenceTrainer>[2],
    work: (trainer: TfjsTrainer) => Promise<R>,
  ): Promise<R> => {
    const trainer = openReferenceTrainer(tf, options, change);
    try {
      return await work(trainer);
    } finally {
      trainer.dispose();
    }
  };

  test.each([
    { why: "through the whole sequence", kind: "whole", change: {} },
    ...(extent === "all" ? [{ why: "cut every two steps", kind: "truncated", change: { truncate: 2 } }] : []),
  ])(
    `losses and gradients of a batch agree with PyTorch on the same weights: ${label}, $why`,
    async ({ kind, change }) => {
      const reference = await readReference();
      const { figures, gradients } = await using(change, (trainer) => trainer.gradients(referenceBatch()));
      const losses = reference(`${label}/${kind}/losses`); // total, steps, edge, vertex, mask
      losses.forEach((loss, at) => {
        expect(Math.abs(figures[at]! - loss) / loss, `part ${at}: ${figures[at]} and ${loss}`).toBeLessThan(
          LOSS_TOLERANCE,
        );
      });
      expect([...gradients.keys()].sort()).toEqual([...describeNetwork(options).weightShapes.keys()].sort());
      const isDeep = (name: string): boolean => label === "mobile" && name.startsWith("encoder.");
      for (const [tolerance, names] of [
        [BACKBONE_TOLERANCE, isDeep],
        [GRADIENT_TOLERANCE, (name: string) => !isDeep(name)],
      ] as const) {
        const compared = new Map([...gradients].filter(([name]) => names(name)));
        const worst = worstDifference(
          compared,
          (name) => reference(`${label}/${kind}/gradients/${name}`),
          ([norm]) => norm!,
        );
        expect(worst.difference, worst.name).toBeLessThan(tolerance);
      }
    },
  );

  if (extent === "gradient") return;

  test(`a frozen prefix does not move, everything else does: ${label}`, async () => {
    const layer = label === "mobile" ? "block_2" : "conv_4";
    const network = describeNetwork(options);
    const frozen = frozenPrefix(network.weightShapes.keys(), layer);
    await using({ frozen, weightDecay: 0.01 }, async (trainer) => {
      const before = await trainer.weights();
      await trainer.step(referenceBatch(), { backbone: 1e-3, head: 1e-3 });
      const after = await trainer.weights();
      const moved = [...after]
        .filter(([name, { values }]) => values.some((value, at) => value !== before.get(name)!.values[at]))
        .map(([name]) => name);
      expect(moved.sort()).toEqual([...network.weightShapes.keys()].filter((name) => !frozen.has(name)).sort());
      expect(trainer.frozen).toBe([...frozen].reduce((sum, name) => sum + before.get(name)!.values.length, 0));
    });
  });

  if (extent === "short") return;

  test(`truncated back-propagation gives the same losses and other gradients: ${label}`, async () => {
    const whole = await using({}, (trainer) => trainer.gradients(referenceBatch()));
    const cut = await using({ truncate: 2 }, (trainer) => trainer.gradients(referenceBatch()));
    expect(cut.figures).toEqual(whole.figures);
    const differs = (name: string): boolean =>
      cut.gradients.get(name)!.values.some((value, at) => value !== whole.gradients.get(name)!.values[at]);
    expect(differs("decoder.gates_1.weight")).toBe(true);
    expect(differs("decoder.global_2.weight")).toBe(false); // behind the last cut there is nothing to cut
  });

  test(`three steps of AdamW with clipping and two learning rates move the weights as PyTorch's do: ${label}`, async () => {
    const reference = await readReference();
    await using({ weightDecay: 0.01, clipNorm: 1 }, async (trainer) => {
      const norms = reference(`${label}/adam/norms`);
      const losses = reference(`${label}/adam/losses`);
      for (let step = 0; step < 3; step++) {
        const report = await trainer.step(referenceBatch(), { backbone: 1e-4, head: 1e-3 });
        expect(report.applied).toBe(true);
        expect(Math.abs(report.gradientNorm / norms[step]! - 1), `norm at step ${step}`).toBeLessThan(2e-3);
        expect(Math.abs(report.losses.total / losses[step]! - 1), `loss at step ${step}`).toBeLessThan(1e-4);
      }
      // Three steps move a weight by at most 3e-3. Adam divides by the gradient's own size, so that where that is
      // nothing but rounding the direction is too: a tenth of the way is allowed.
      const worst = worstDifference(
        await trainer.weights(),
        (name) => reference(`${label}/adam/weights/${name}`),
        () => 1,
      );
      expect(worst.difference, worst.name).toBeLessThan(3e-4);
    });
  });

  test(`no tensor is left behind by steps, a state, and the end: ${label}`, async () => {
    const before = tf.memory().numTensors;
    await using({ ema: 0.9 }, async (trainer) => {
      await trainer.step(referenceBatch(), { backbone: 1e-4, head: 1e-4 });
      const between = tf.memory().numTensors;
      await trainer.step(referenceBatch(), { backbone: 1e-4, head: 1e-4 });
      trainer.restore(await trainer.state());
      expect(tf.memory().numTensors).toBe(between);
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  test(`a state that was taken and restored goes on to the same bits: ${label}`, async () => {
    const rates = { backbone: 1e-3, head: 1e-3 };
    const change = { ema: 0.9, weightDecay: 0.01, clipNorm: 5 };
    const state = await using(change, async (trainer) => {
      await trainer.step(referenceBatch(), rates);
      return trainer.state();
    });
    const next = async (trainer: TfjsTrainer): Promise<unknown> => {
      const { losses, gradientNorm } = await trainer.step(referenceBatch(), rates);
      return { losses, gradientNorm, weights: await trainer.weights() };
    };
    const undisturbed = await using(change, async (trainer) => {
      await trainer.step(referenceBatch(), rates);
      return next(trainer);
    });
    const resumed = await using(change, (trainer) => {
      trainer.restore(state);
      return next(trainer);
    });
    expect(resumed).toEqual(undisturbed);
  });

  test(`losses that are not finite change nothing: ${label}`, async () => {
    await using({ weights: { steps: Number.NaN, edge: 1, vertex: 1, mask: 1 } }, async (trainer) => {
      const before = await trainer.weights();
      const report = await trainer.step(referenceBatch(), { backbone: 1e-3, head: 1e-3 });
      expect(report.applied).toBe(false);
      expect(await trainer.weights()).toEqual(before);
      expect((await trainer.state()).step).toBe(0);
    });
  });
}
