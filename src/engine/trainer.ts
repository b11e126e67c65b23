/**
 * What train/ asks of an engine: optimizer steps on batches of crops and cells, the current weights, a state to be
 * saved and restored. Plain numbers, no tensors.
 */
import type { WeightTensor } from "../model/safetensors.js";
import type { DeviceName } from "./engine.js";

/** One batch. T is the number of decoder outputs for its longest ring, end-of-sequence included. */
export interface TrainingBatch {
  /** Crops, B. */
  readonly size: number;
  /** Decoder outputs per crop, T. */
  readonly steps: number;
  /** [B, 224, 224, 3] uint8 RGB. */
  readonly crops: Uint8Array;
  /** [B, T + 1]: the vertices in order, then end-of-sequence (784) to the end, at least once in each row. */
  readonly cells: Int32Array;
  /** [B, 28, 28] 0 or 1: cells the closed ring's boundary passes through. */
  readonly edge: Uint8Array;
  /** [B, 28, 28] 0..1: share of each cell inside the ring. */
  readonly mask: Float32Array;
  /** [B, 112, 112] 0..1: share of each fine cell inside the truth's outline; for networks with a refined mask. */
  readonly fineMask: Float32Array;
}

/** Of the encoder's backbone, and of everything else. */
export interface LearningRates {
  readonly backbone: number;
  readonly head: number;
}

export interface LossOptions {
  /** Weights of the parts in their sum; `mask` is that of the refined mask too. */
  readonly weights: { readonly steps: number; readonly edge: number; readonly vertex: number; readonly mask: number };
  /**
   * Weight of each 4-neighbor of the true cell in the targets; the cell itself has 1. End-of-sequence is one-hot.
   */
  readonly smoothing: number;
  /** Gradients are cut after this many decoder steps, again and again; the loss is the same. Absent: never. */
  readonly truncate?: number;
}

export interface OptimizerOptions {
  /** Decoupled weight decay (AdamW). */
  readonly weightDecay: number;
  /** Largest global norm of the gradient; 0: no clipping. */
  readonly clipNorm: number;
  /** Decay per step of the exponential moving average of the weights; 0: none. */
  readonly ema: number;
}

export interface TrainerOptions extends LossOptions, OptimizerOptions {
  /** Names of weights that stay as they are. No gradient is computed where nothing before them is trained. */
  readonly frozen: ReadonlySet<string>;
}

/** One optimizer step. Losses before the update. */
export interface StepReport {
  /** False when a loss or the gradient was not finite: nothing was changed then. */
  readonly applied: boolean;
  readonly losses: {
    readonly total: number;
    readonly steps: number;
    readonly edge: number;
    readonly vertex: number;
    readonly mask?: number;
    /** Absent where the network does not refine its mask. */
    readonly fineMask?: number;
  };
  /** Share of live decoder steps whose best class is the true one, 0..1. */
  readonly accuracy: number;
  /** Mean IoU of the mask map (logit above 0) with the truth; absent where the network has no mask map. */
  readonly maskIou?: number;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Wall time. On a GPU, operations are only queued when their time is taken; the sum is right, the parts are not. */
  readonly seconds: {
    readonly upload: number;
    readonly encoder: number;
    readonly decoder: number;
    readonly backward: number;
    readonly update: number;
  };
}

/** Everything that the next step depends on, in the layout of the files. */
export interface TrainerState {
  /** Optimizer steps done. */
  readonly step: number;
  /** Every weight, frozen ones included. */
  readonly weights: ReadonlyMap<string, WeightTensor>;
  /** Of the weights that are trained: Adam's moments, and the moving average where there is one. */
  readonly firstMoments: ReadonlyMap<string, WeightTensor>;
  readonly secondMoments: ReadonlyMap<string, WeightTensor>;
  readonly averages?: ReadonlyMap<string, WeightTensor>;
}

export interface Trainer {
  readonly device: DeviceName;
  /** "@tensorflow/tfjs-node 4.22.0" */
  readonly version: string;
  /** How many numbers are trained, and how many stay as they are. */
  readonly trainable: number;
  readonly frozen: number;
  step(batch: TrainingBatch, rates: LearningRates): Promise<StepReport>;
  /** The weights to be validated and saved: the moving average where there is one. File layout, copies. */
  weights(): Promise<ReadonlyMap<string, WeightTensor>>;
  state(): Promise<TrainerState>;
  /** @throws when names or shapes are not those of `state()` */
  restore(state: TrainerState): void;
  dispose(): void;
}
