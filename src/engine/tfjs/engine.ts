/**
 * Engine over TensorFlow.js: the network runs operation by operation, state stays in tensors between steps.
 *
 * Ownership: the engine owns weights and tables, a Decoding owns its hoisted gates and its state; `dispose` frees them.
 * Everything in between lives inside one synchronous tf.tidy per call; values are read after it.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { CELL_COUNT, CROP_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightTensor } from "../../model/safetensors.js";
import type { DecoderState, PolygonRnn } from "../../network/polygon-rnn.js";
import type { Normalization } from "../../network/tensor-ops.js";
import { vertexScoreKernel } from "../../network/vertex-score.js";
import type { Decoding, DeviceName, Engine, StepDecoded, StepInput } from "../engine.js";
import { toTfjsLayout, weightRoles } from "./layout.js";
import type { Tfjs } from "./ops.js";
import { TfjsOps } from "./ops.js";

export interface TfjsEngineOptions {
  readonly device: DeviceName;
  /** For the run summary: "@tensorflow/tfjs-node 4.22.0". */
  readonly version: string;
  /** Decoder steps in one call; 1 leaves `steps` out. The device's own number when absent. */
  readonly stepsAtOnce?: number;
}

/**
 * Steps queue up on a GPU as long as nothing is read back; a CPU computes at once and would only step ended polygons in
 * vain.
 */
const STEPS_AT_ONCE: Record<DeviceName, number> = { cpu: 1, webgpu: 8, cuda: 8 };

/**
 * What moves from step to step: h and c of both layers, each [B, 28, 28, C]. A `type`, so that tf.tidy and tf.dispose
 * take it.
 */
type State = [h1: tfjs.Tensor, c1: tfjs.Tensor, h2: tfjs.Tensor, c2: tfjs.Tensor];

/** @param weights every weight of the network, in file layout (see model/model.ts) */
export function openTfjsEngine(
  tf: Tfjs,
  network: PolygonRnn,
  weights: ReadonlyMap<string, WeightTensor>,
  normalization: Normalization,
  options: TfjsEngineOptions,
): Engine {
  const { device, version, stepsAtOnce = STEPS_AT_ONCE[device] } = options;
  const tensors = uploadWeights(tf, network, weights);
  const ops = new TfjsOps(tf, (name) => tensors.get(name));
  return {
    name: "tfjs",
    device,
    version,
    async encode(pixels, count) {
      const [hoisted, vertex, mask] = tf.tidy<tfjs.Tensor[]>(() => {
        const encoded = network.encode(
          ops,
          tf.tensor4d(pixels, [count, CROP_SIZE, CROP_SIZE, 3], "int32"),
          normalization,
        );
        return [encoded.hoisted, encoded.vertex, ...(encoded.mask === undefined ? [] : [encoded.mask])];
      }) as [tfjs.Tensor, tfjs.Tensor, tfjs.Tensor | undefined];
      // [B, 28, 28, 1] both: one channel, so the order is the grid's.
      const [logits, maskLogits] = await Promise.all([
        readFloats(vertex),
        mask === undefined ? undefined : readFloats(mask),
      ]);
      const zeros = network.widths.flatMap((channels) =>
        [0, 1].map(() => tf.zeros([count, GRID_SIZE, GRID_SIZE, channels])),
      );
      const decoding = new TfjsDecoding({ tf, network, ops, stepsAtOnce }, count, logits, hoisted, zeros as State);
      return maskLogits === undefined ? decoding : Object.assign(decoding, { maskLogits });
    },
    dispose() {
      tf.dispose([...tensors.values()]);
      ops.dispose();
      return Promise.resolve();
    },
  };
}

interface Decoder {
  readonly tf: Tfjs;
  readonly network: PolygonRnn;
  readonly ops: TfjsOps;
  readonly stepsAtOnce: number;
}

/** The vertices a step sees, [B] int32 each; in a `type`, so that tf.tidy takes them. */
type Vertices = { first: tfjs.Tensor; previous: tfjs.Tensor; beforePrevious: tfjs.Tensor };

class TfjsDecoding implements Decoding {
  readonly steps: Decoding["steps"];

  constructor(
    private readonly decoder: Decoder,
    readonly size: number,
    readonly firstVertexLogits: Float32Array,
    private readonly hoisted: tfjs.Tensor,
    private state: State,
  ) {
    if (decoder.stepsAtOnce > 1) this.steps = (input) => this.takeSteps(input);
  }

  async step(input: StepInput): Promise<Float32Array> {
    const [logits, ...state] = this.decoder.tf.tidy<[tfjs.Tensor, ...State]>(() => {
      const next = this.stepFrom(this.toTensors(input), this.state);
      return [next.logits, ...next.state];
    });
    this.decoder.tf.dispose(this.state);
    this.state = state;
    return readFloats(logits);
  }

  /** Nothing is read until the last step has been asked for. */
  private async takeSteps(input: StepInput): Promise<StepDecoded[]> {
    const { tf, stepsAtOnce } = this.decoder;
    const [logits, chosen, ...state] = tf.tidy<[tfjs.Tensor, tfjs.Tensor, ...State]>(() => {
      let vertices = this.toTensors(input);
      let current = this.state;
      const allLogits: tfjs.Tensor[] = [];
      const allChosen: tfjs.Tensor[] = [];
      for (let step = 0; step < stepsAtOnce; step++) {
        const next = this.stepFrom(vertices, current);
        const best = tf.argMax(vertexScores(tf, next.logits), 1); // [B] int32, the first of equals
        vertices = { first: vertices.first, previous: best, beforePrevious: vertices.previous };
        current = next.state;
        allLogits.push(next.logits);
        allChosen.push(best);
      }
      return [tf.stack(allLogits), tf.stack(allChosen), ...current]; // [steps, B, 785], [steps, B]
    });
    tf.dispose(this.state);
    this.state = state;
    const [values, classes] = await Promise.all([readFloats(logits), readIntegers(chosen)]);
    const width = values.length / stepsAtOnce;
    return Array.from({ length: stepsAtOnce }, (_, step): StepDecoded => ({
      chosen: classes.subarray(step * this.size, (step + 1) * this.size),
      logits: values.subarray(step * width, (step + 1) * width),
    }));
  }

  private toTensors({ first, previous, beforePrevious }: StepInput): Vertices {
    const indices = (values: Int32Array): tfjs.Tensor => this.decoder.tf.tensor1d(values, "int32");
    return { first: indices(first), previous: indices(previous), beforePrevious: indices(beforePrevious) };
  }

  /** Inside a tidy. */
  private stepFrom(vertices: Vertices, [h1, c1, h2, c2]: State): { logits: tfjs.Tensor; state: State } {
    const before: DecoderState<tfjs.Tensor> = [
      { h: h1, c: c1 },
      { h: h2, c: c2 },
    ];
    const {
      logits,
      state: [one, two],
    } = this.decoder.network.step(this.decoder.ops, this.hoisted, vertices, before);
    return { logits, state: [one.h, one.c, two.h, two.c] };
  }

  select(rows: readonly number[]): Decoding {
    const { tf } = this.decoder;
    const [hoisted, ...state] = tf.tidy(() => {
      const indices = tf.tensor1d([...rows], "int32");
      return [this.hoisted, ...this.state].map((tensor) => tf.gather(tensor, indices));
    }) as [tfjs.Tensor, ...State];
    const logits = new Float32Array(rows.length * CELL_COUNT);
    rows.forEach((row, at) => {
      logits.set(this.firstVertexLogits.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT), at * CELL_COUNT);
    });
    return new TfjsDecoding(this.decoder, rows.length, logits, hoisted, state);
  }

  dispose(): void {
    this.decoder.tf.dispose([this.hoisted, ...this.state]);
  }
}

/** Scores whose largest is the class to take (network/vertex-score.ts). Inside a tidy. [B, 785] -> [B, 785] */
function vertexScores(tf: Tfjs, logits: tfjs.Tensor): tfjs.Tensor {
  const masses = tf.exp(tf.sub(logits, tf.max(logits, 1, true)));
  const grid: tfjs.Tensor4D = tf.reshape(tf.slice(masses, [0, 0], [-1, CELL_COUNT]), [-1, GRID_SIZE, GRID_SIZE, 1]);
  const cells = tf.conv2d(grid, tf.tensor4d(vertexScoreKernel(), [3, 3, 1, 1]), 1, "same");
  return tf.concat([tf.reshape(cells, [-1, CELL_COUNT]), tf.slice(masses, [0, CELL_COUNT], [-1, 1])], 1);
}

/** Weights as tensors in TensorFlow.js layout; the caller disposes them. */
export function uploadWeights(
  tf: Tfjs,
  network: PolygonRnn,
  weights: ReadonlyMap<string, WeightTensor>,
): Map<string, tfjs.Tensor> {
  const tensors = new Map<string, tfjs.Tensor>();
  for (const [name, role] of weightRoles(network)) {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`the network asks for weight ${name}, which the model does not have`);
    const { shape, values } = toTfjsLayout(weight, role);
    tensors.set(name, tf.tensor(values, [...shape]));
  }
  return tensors;
}

/** Reads a float tensor and frees it, also when reading fails. */
async function readFloats(tensor: tfjs.Tensor): Promise<Float32Array> {
  try {
    return await tensor.data<"float32">();
  } finally {
    tensor.dispose();
  }
}

/** The same for an int32 tensor. */
async function readIntegers(tensor: tfjs.Tensor): Promise<Int32Array> {
  try {
    return await tensor.data<"int32">();
  } finally {
    tensor.dispose();
  }
}
