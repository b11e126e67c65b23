/**
 * Engine over TensorFlow.js: the network runs operation by operation, state stays in tensors between steps.
 *
 * Ownership: the engine owns weights and tables, a Decoding owns its hoisted gates and its state; `dispose` frees them.
 * Everything in between lives inside one synchronous tf.tidy per call; values are read after it.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { CELL_COUNT, CROP_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { DecoderState, PolygonRnn } from "../../network/polygon-rnn.js";
import { vertexScoreKernel } from "../../network/vertex-score.js";
import type { Decoding, DeviceName, EncodedBatch, Engine, StepDecoded, StepInput } from "../engine.js";
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
 * Steps queue up on a GPU as long as nothing is read back. A CPU computes at once and would only waste steps on ended
 * polygons.
 */
const STEPS_AT_ONCE: Record<DeviceName, number> = { cpu: 1, webgpu: 8, cuda: 8 };

/**
 * h and c of both layers, each [B, 28, 28, C]. A `type`, like the others here, so that tf.tidy and tf.dispose take it.
 */
type State = [h1: tfjs.Tensor, c1: tfjs.Tensor, h2: tfjs.Tensor, c2: tfjs.Tensor];

/** What a decoding holds for each of its rows. `hoisted` is [B, 28, 28, 4 * C1]. */
type Planes = { hoisted: tfjs.Tensor; state: State };

/** What is kept of an encoded batch; the maps are [B, 28, 28, 1], the refined mask [B, 112, 112, 1]. */
type Encoding = {
  hoisted: tfjs.Tensor;
  vertex: tfjs.Tensor;
  mask: tfjs.Tensor | undefined;
  fineMask: tfjs.Tensor | undefined;
};

export function openTfjsEngine(tf: Tfjs, model: WeightedNetwork, options: TfjsEngineOptions): Engine {
  const { network, normalization } = model;
  const { device, version, stepsAtOnce = STEPS_AT_ONCE[device] } = options;
  const tensors = uploadWeights(tf, model);
  const ops = new TfjsOps(tf, (name) => tensors.get(name));
  return {
    name: "tfjs",
    device,
    version,
    async encode(pixels, count) {
      const { hoisted, vertex, mask, fineMask } = tf.tidy((): Encoding => {
        const crops = tf.tensor4d(pixels, [count, CROP_SIZE, CROP_SIZE, 3], "int32");
        const { hoisted, vertex, mask, fineMask } = network.encode(ops, crops, normalization);
        return { hoisted, vertex, mask, fineMask };
      });
      // One channel each, so that the order of the values is the grid's.
      const [firstVertexLogits, maskLogits, fineMaskLogits] = await Promise.all([
        readFloats(vertex),
        mask && readFloats(mask),
        fineMask && readFloats(fineMask),
      ]);
      const [c1, c2] = network.widths;
      const zeros = (channels: number): tfjs.Tensor => tf.zeros([count, GRID_SIZE, GRID_SIZE, channels]);
      return new TfjsDecoding(
        { tf, network, ops, stepsAtOnce },
        { size: count, firstVertexLogits, maskLogits, fineMaskLogits },
        { hoisted, state: [zeros(c1), zeros(c1), zeros(c2), zeros(c2)] },
      );
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

/** The vertices a step sees, [B] int32 each. */
type Vertices = { first: tfjs.Tensor; previous: tfjs.Tensor; beforePrevious: tfjs.Tensor };

/** What the encoder says of a batch. */
interface BatchMaps {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits?: Float32Array | undefined;
  readonly fineMaskLogits?: Float32Array | undefined;
}

class TfjsDecoding implements EncodedBatch {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits: Float32Array | undefined;
  readonly fineMaskLogits: Float32Array | undefined;
  readonly steps: EncodedBatch["steps"];
  private readonly hoisted: tfjs.Tensor;
  private state: State;

  constructor(
    private readonly decoder: Decoder,
    { size, firstVertexLogits, maskLogits, fineMaskLogits }: BatchMaps,
    { hoisted, state }: Planes,
  ) {
    this.size = size;
    this.firstVertexLogits = firstVertexLogits;
    this.maskLogits = maskLogits;
    this.fineMaskLogits = fineMaskLogits;
    this.hoisted = hoisted;
    this.state = state;
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
    const next = this.decoder.network.step(this.decoder.ops, this.hoisted, vertices, before);
    const [one, two] = next.state;
    return { logits: next.logits, state: [one.h, one.c, two.h, two.c] };
  }

  select(rows: readonly number[]): Decoding {
    const { tf } = this.decoder;
    const planes = tf.tidy((): Planes => {
      const indices = tf.tensor1d([...rows], "int32");
      const take = (plane: tfjs.Tensor): tfjs.Tensor => tf.gather(plane, indices);
      const [h1, c1, h2, c2] = this.state;
      return { hoisted: take(this.hoisted), state: [take(h1), take(c1), take(h2), take(c2)] };
    });
    const firstVertexLogits = new Float32Array(rows.length * CELL_COUNT);
    rows.forEach((row, at) => {
      firstVertexLogits.set(this.firstVertexLogits.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT), at * CELL_COUNT);
    });
    return new TfjsDecoding(this.decoder, { size: rows.length, firstVertexLogits }, planes);
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
function uploadWeights(
  tf: Tfjs,
  { network, weights }: Pick<WeightedNetwork, "network" | "weights">,
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
