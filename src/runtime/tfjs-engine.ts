/**
 * Engine over TensorFlow.js: the network runs operation by operation, state stays in tensors between steps.
 *
 * Ownership: the engine owns weights and tables, a Decoding owns its hoisted gates and its state; `dispose` frees them. Everything
 * in between lives inside one synchronous tf.tidy per call; values are read after it.
 */
import type * as tfjs from "@tensorflow/tfjs";
import { CELL_COUNT, CROP_SIZE, GRID_SIZE } from "../geometry/grid.js";
import type { DecoderState, PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import type { Decoding, DeviceName, Engine, StepInput } from "./engine.js";
import type { WeightTensor } from "./safetensors.js";
import { toTfjsLayout, weightRoles } from "./tfjs-layout.js";
import { TfjsOps } from "./tfjs-ops.js";
import type { Tfjs } from "./tfjs-ops.js";

export interface TfjsEngineOptions {
  readonly device: DeviceName;
  /** For the run summary: "@tensorflow/tfjs-node 4.22.0". */
  readonly version: string;
}

/** What moves from step to step: h and c of both layers, each [B, 28, 28, C]. A `type`, so that tf.tidy and tf.dispose take it. */
type State = [h1: tfjs.Tensor, c1: tfjs.Tensor, h2: tfjs.Tensor, c2: tfjs.Tensor];

/** @param weights every weight of the network, in file layout (see runtime/model.ts) */
export function openTfjsEngine(
  tf: Tfjs, network: PolygonRnn, weights: ReadonlyMap<string, WeightTensor>, normalization: Normalization, options: TfjsEngineOptions,
): Engine {
  const tensors = uploadWeights(tf, network, weights);
  const ops = new TfjsOps(tf, (name) => tensors.get(name));
  return {
    name: "tfjs",
    ...options,
    async encode(pixels, count) {
      const [vertex, hoisted] = tf.tidy<[tfjs.Tensor, tfjs.Tensor]>(() => {
        const encoded = network.encode(ops, tf.tensor4d(pixels, [count, CROP_SIZE, CROP_SIZE, 3], "int32"), normalization);
        return [encoded.vertex, encoded.hoisted];
      });
      const logits = await readFloats(vertex); // [B, 28, 28, 1]: one channel, so the order is the grid's
      const zeros = network.widths.flatMap((channels) => [0, 1].map(() => tf.zeros([count, GRID_SIZE, GRID_SIZE, channels])));
      return new TfjsDecoding(tf, network, ops, count, logits, hoisted, zeros as State);
    },
    dispose() {
      tf.dispose([...tensors.values()]);
      ops.dispose();
      return Promise.resolve();
    },
  };
}

class TfjsDecoding implements Decoding {
  constructor(
    private readonly tf: Tfjs,
    private readonly network: PolygonRnn,
    private readonly ops: TfjsOps,
    readonly size: number,
    readonly firstVertexLogits: Float32Array,
    private readonly hoisted: tfjs.Tensor,
    private state: State,
  ) {}

  async step(input: StepInput): Promise<Float32Array> {
    const [logits, ...state] = this.tf.tidy(() => {
      const vertices = {
        first: this.tf.tensor1d(input.first, "int32"),
        previous: this.tf.tensor1d(input.previous, "int32"),
        beforePrevious: this.tf.tensor1d(input.beforePrevious, "int32"),
      };
      const [h1, c1, h2, c2] = this.state;
      const before: DecoderState<tfjs.Tensor> = [{ h: h1, c: c1 }, { h: h2, c: c2 }];
      const next = this.network.step(this.ops, this.hoisted, vertices, before);
      return [next.logits, ...next.state.flatMap(({ h, c }) => [h, c])];
    }) as [tfjs.Tensor, ...State];
    this.tf.dispose(this.state);
    this.state = state;
    return readFloats(logits);
  }

  select(rows: readonly number[]): Decoding {
    const [hoisted, ...state] = this.tf.tidy(() => {
      const indices = this.tf.tensor1d([...rows], "int32");
      return [this.hoisted, ...this.state].map((tensor) => this.tf.gather(tensor, indices));
    }) as [tfjs.Tensor, ...State];
    const logits = new Float32Array(rows.length * CELL_COUNT);
    rows.forEach((row, at) => { logits.set(this.firstVertexLogits.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT), at * CELL_COUNT); });
    return new TfjsDecoding(this.tf, this.network, this.ops, rows.length, logits, hoisted, state);
  }

  dispose(): void {
    this.tf.dispose([this.hoisted, ...this.state]);
  }
}

/** Weights as tensors in TensorFlow.js layout; the caller disposes them. */
export function uploadWeights(tf: Tfjs, network: PolygonRnn, weights: ReadonlyMap<string, WeightTensor>): Map<string, tfjs.Tensor> {
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
