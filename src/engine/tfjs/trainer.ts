/**
 * Training by TensorFlow.js: the functions of src/network under the gradient tape, then Adam.
 *
 * Ownership: the trainer owns the vectors of weights, moments and moving average, the frozen weights, and the tables of
 * targets and vertices. A step's tensors live inside it. A backend must have all gradients: the native ones do, the
 * WASM one lacks those of convolution kernels (tfjs 4.22).
 */
import type * as tfjs from "@tensorflow/tfjs";
import { CLASS_COUNT } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { WeightTensor } from "../../model/safetensors.js";
import { isBackboneWeight } from "../../network/weights.js";
import type { DeviceName } from "../engine.js";
import type { LearningRates, StepReport, Trainer, TrainerOptions, TrainerState, TrainingBatch } from "../trainer.js";
import { toTfjsLayout, weightRoles } from "./layout.js";
import type { BatchTensors, LossContext } from "./losses.js";
import { FIGURES, lossOfBatch, smoothedTargets, uploadBatch } from "./losses.js";
import type { Tfjs } from "./ops.js";
import { TfjsOps } from "./ops.js";
import type { AdamState } from "./optimizer.js";
import { adamStep, FlatWeights } from "./optimizer.js";

type Weights = ReadonlyMap<string, WeightTensor>;

type TfjsTrainerOptions = TrainerOptions & Pick<Trainer, "device" | "version">;

export function openTfjsTrainer(tf: Tfjs, start: WeightedNetwork, options: TfjsTrainerOptions): TfjsTrainer {
  return new TfjsTrainer(tf, start, options);
}

export class TfjsTrainer implements Trainer {
  readonly device: DeviceName;
  readonly version: string;
  readonly trainable: number;
  readonly frozen: number;
  private readonly flat: FlatWeights;
  /** Weights of the backbone come first in the vector. */
  private readonly backboneSize: number;
  private readonly frozenWeights: Weights;
  private readonly frozenTensors: Map<string, tfjs.Tensor>;
  private readonly context: LossContext;
  private current: ReadonlyMap<string, tfjs.Tensor> = new Map();
  private vectors: AdamState;
  private steps = 0;

  constructor(
    private readonly tf: Tfjs,
    { network, weights, normalization }: WeightedNetwork,
    private readonly options: TfjsTrainerOptions,
  ) {
    this.device = options.device;
    this.version = options.version;
    const roles = weightRoles(network);
    const names = [...network.weightShapes.keys()];
    const trained = names.filter((name) => !options.frozen.has(name));
    const sizeOf = (list: readonly string[]): number =>
      list.reduce((sum, name) => sum + weights.get(name)!.values.length, 0);
    const backbone = trained.filter(isBackboneWeight);
    this.backboneSize = sizeOf(backbone);
    this.flat = new FlatWeights(
      [...backbone, ...trained.filter((name) => !isBackboneWeight(name))],
      network.weightShapes,
      roles,
    );
    this.trainable = this.flat.size;
    this.frozenWeights = new Map(
      names.filter((name) => options.frozen.has(name)).map((name) => [name, weights.get(name)!]),
    );
    this.frozen = sizeOf([...this.frozenWeights.keys()]);
    this.frozenTensors = new Map(
      [...this.frozenWeights].map(([name, weight]) => {
        const { shape, values } = toTfjsLayout(weight, roles.get(name)!);
        return [name, tf.tensor(values, [...shape])];
      }),
    );
    const ops = new TfjsOps(tf, (name) => this.frozenTensors.get(name) ?? this.current.get(name));
    this.context = {
      tf,
      ops,
      network,
      normalization,
      options,
      targets: tf.tensor2d(smoothedTargets(options.smoothing), [CLASS_COUNT, CLASS_COUNT]),
    };
    this.vectors = this.startState(weights);
  }

  private startState(weights: Weights): AdamState {
    const vector = (values: Float32Array): tfjs.Tensor1D => this.tf.tensor1d(values);
    const zeros = (): tfjs.Tensor1D => this.tf.zeros([this.flat.size]);
    const start = this.flat.join(weights);
    return {
      weights: vector(start),
      first: zeros(),
      second: zeros(),
      ...(this.options.ema > 0 && { ema: vector(start) }),
    };
  }

  async step(batch: TrainingBatch, rates: LearningRates): Promise<StepReport> {
    const clock = new Clock();
    const tensors = uploadBatch(this.tf, batch);
    clock.mark("upload");
    try {
      const { gradient, figures } = this.gradientOf(tensors, clock);
      try {
        return await this.update(gradient, figures, rates, clock);
      } finally {
        this.tf.dispose([gradient, figures]);
      }
    } finally {
      this.tf.dispose(tensors);
    }
  }

  /** What a step would go by: the loss and its gradient before clipping, in file layout. Nothing is updated. */
  async gradients(batch: TrainingBatch): Promise<{ figures: Float32Array; gradients: Weights }> {
    const tensors = uploadBatch(this.tf, batch);
    const { gradient, figures } = this.gradientOf(tensors, new Clock());
    try {
      return { figures: await figures.data<"float32">(), gradients: this.flat.part(await gradient.data<"float32">()) };
    } finally {
      this.tf.dispose([gradient, figures]);
      this.tf.dispose(tensors);
    }
  }

  /** @returns tensors the caller disposes */
  private gradientOf(tensors: BatchTensors, clock: Clock): { gradient: tfjs.Tensor1D; figures: tfjs.Tensor1D } {
    const { tf } = this;
    let figures: tfjs.Tensor1D | undefined;
    const { grad, value } = tf.valueAndGrad((vector: tfjs.Tensor) => {
      this.current = this.flat.cut(tf, vector as tfjs.Tensor1D);
      const loss = lossOfBatch(this.context, tensors, () => {
        clock.mark("encoder");
      });
      figures = tf.keep(loss.figures);
      clock.mark("decoder");
      return loss.total;
    })(this.vectors.weights);
    this.current = new Map();
    value.dispose();
    clock.mark("backward");
    return { gradient: grad as tfjs.Tensor1D, figures: figures! };
  }

  private async update(
    gradient: tfjs.Tensor1D,
    figures: tfjs.Tensor1D,
    rates: LearningRates,
    clock: Clock,
  ): Promise<StepReport> {
    const { tf } = this;
    const [numbers, norm] = await Promise.all([
      figures.data<"float32">(),
      readScalar(tf.tidy(() => tf.sqrt(tf.sum(tf.square(gradient))))),
    ]);
    const at = (name: (typeof FIGURES)[number]): number => numbers[FIGURES.indexOf(name)]!;
    const applied = [...numbers].every(Number.isFinite) && Number.isFinite(norm);
    if (applied) {
      const before = this.vectors;
      this.vectors = tf.tidy(() => {
        const learningRates = tf.concat1d([
          tf.fill([this.backboneSize], rates.backbone),
          tf.fill([this.flat.size - this.backboneSize], rates.head),
        ]);
        return adamStep(tf, before, { gradient, norm, learningRates, step: this.steps + 1 }, this.options);
      });
      tf.dispose(before);
      this.steps++;
    }
    clock.mark("update");
    const hasMask = !(at("mask") < 0);
    return {
      applied,
      losses: {
        total: at("total"),
        steps: at("steps"),
        edge: at("edge"),
        vertex: at("vertex"),
        ...(hasMask && { mask: at("mask") }),
        ...(!(at("fineMask") < 0) && { fineMask: at("fineMask") }),
      },
      accuracy: at("accuracy"),
      ...(hasMask && { maskIou: at("maskIou") }),
      gradientNorm: norm,
      seconds: clock.seconds,
    };
  }

  async weights(): Promise<Weights> {
    const values = await (this.vectors.ema ?? this.vectors.weights).data<"float32">();
    return new Map([...this.frozenWeights, ...this.flat.part(values)]);
  }

  async state(): Promise<TrainerState> {
    const read = async (vector: tfjs.Tensor1D): Promise<Weights> => this.flat.part(await vector.data<"float32">());
    const { weights, first, second, ema } = this.vectors;
    return {
      step: this.steps,
      weights: new Map([...this.frozenWeights, ...(await read(weights))]),
      firstMoments: await read(first),
      secondMoments: await read(second),
      ...(ema !== undefined && { averages: await read(ema) }),
    };
  }

  restore(state: TrainerState): void {
    const vector = (weights: Weights): tfjs.Tensor1D => this.tf.tensor1d(this.flat.join(weights));
    const restored: AdamState = {
      weights: vector(state.weights),
      first: vector(state.firstMoments),
      second: vector(state.secondMoments),
      ...(this.options.ema > 0 && { ema: vector(state.averages ?? state.weights) }),
    };
    this.tf.dispose(this.vectors);
    this.vectors = restored;
    this.steps = state.step;
  }

  dispose(): void {
    this.tf.dispose(this.vectors);
    this.tf.dispose([...this.frozenTensors.values(), this.context.targets]);
    this.context.ops.dispose();
  }
}

/** Wall seconds between marks. */
class Clock {
  readonly seconds = { upload: 0, encoder: 0, decoder: 0, backward: 0, update: 0 };
  private last = performance.now();
  mark(part: keyof Clock["seconds"]): void {
    const now = performance.now();
    this.seconds[part] += (now - this.last) / 1000;
    this.last = now;
  }
}

async function readScalar(scalar: tfjs.Tensor): Promise<number> {
  try {
    return (await scalar.data<"float32">())[0]!;
  } finally {
    scalar.dispose();
  }
}
