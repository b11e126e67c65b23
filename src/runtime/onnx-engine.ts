/**
 * Engine over onnxruntime-node: the CPU everywhere, WebGPU from the same package, CUDA where its provider library is installed.
 */
import "./onnx-guard.js";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { CELL_COUNT, CROP_SIZE } from "../geometry/grid.js";
import type { PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import type { Decoding, DeviceName, Engine, StepInput } from "./engine.js";
import { buildEncoderModel, buildStepModel } from "./onnx-model.js";
import type { WeightMap } from "./onnx-ops.js";

export interface OnnxEngineOptions {
  readonly device: DeviceName;
  /** Threads inside one operation; onnxruntime's own choice (one per core) when absent. */
  readonly threads?: number;
}

/** State between steps: graph input name -> tensor. Immutable: a step makes new tensors, so that decodings may share old ones. */
type Planes = Readonly<Record<"hoisted" | "h1" | "c1" | "h2" | "c2", Tensor>>;

export async function openOnnxEngine(
  network: PolygonRnn, weights: WeightMap, normalization: Normalization, options: OnnxEngineOptions,
): Promise<Engine> {
  const sessionOptions = onnxSessionOptions(options);
  const graphOptions = { padConvInputs: options.device === "webgpu" };
  // One after the other: both hold a copy of their weights while they are being optimized.
  const encoder = await InferenceSession.create(buildEncoderModel(network, weights, normalization, "decoding", graphOptions), sessionOptions);
  const stepper = await InferenceSession.create(buildStepModel(network, weights, graphOptions), sessionOptions);
  return {
    name: "onnxruntime",
    device: options.device,
    version: `onnxruntime-node ${onnxruntimeVersion()}`,
    async encode(pixels, count) {
      const { vertex, hoisted } = await encoder.run({ pixels: new Tensor("uint8", pixels, [count, CROP_SIZE, CROP_SIZE, 3]) });
      const [c1, c2] = network.widths;
      const zeros = (channels: number): Tensor =>
        new Tensor("float32", new Float32Array(count * channels * CELL_COUNT), [count, channels, ...hoisted!.dims.slice(2)]);
      const planes = { hoisted: hoisted!, h1: zeros(c1), c1: zeros(c1), h2: zeros(c2), c2: zeros(c2) };
      return new OnnxDecoding(stepper, count, floatsOf(vertex!), planes);
    },
    async dispose() {
      await encoder.release();
      await stepper.release();
    },
  };
}

class OnnxDecoding implements Decoding {
  constructor(
    private readonly stepper: InferenceSession,
    readonly size: number,
    readonly firstVertexLogits: Float32Array,
    private planes: Planes,
  ) {}

  async step(input: StepInput): Promise<Float32Array> {
    const indices = (values: Int32Array): Tensor => new Tensor("int32", values, [this.size]);
    const next = await this.stepper.run({
      ...this.planes,
      first: indices(input.first), previous: indices(input.previous), before_previous: indices(input.beforePrevious),
    });
    this.planes = { hoisted: this.planes.hoisted, h1: next["next_h1"]!, c1: next["next_c1"]!, h2: next["next_h2"]!, c2: next["next_c2"]! };
    return floatsOf(next["logits"]!);
  }

  select(rows: readonly number[]): Decoding {
    const { hoisted, h1, c1, h2, c2 } = this.planes;
    const planes = { hoisted: takeRows(hoisted, rows), h1: takeRows(h1, rows), c1: takeRows(c1, rows), h2: takeRows(h2, rows), c2: takeRows(c2, rows) };
    return new OnnxDecoding(this.stepper, rows.length, rowsOf(this.firstVertexLogits, CELL_COUNT, rows), planes);
  }

  dispose(): void {
    // Planes lie in ordinary memory and are shared with the decodings made from this one; the garbage collector has them.
  }
}

function takeRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [count, ...shape] = tensor.dims;
  const values = floatsOf(tensor);
  return new Tensor("float32", rowsOf(values, values.length / count!, rows), [rows.length, ...shape]);
}

function rowsOf(values: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, at) => { taken.set(values.subarray(row * width, (row + 1) * width), at * width); });
  return taken;
}

function floatsOf(tensor: Tensor): Float32Array {
  if (!(tensor.data instanceof Float32Array)) throw new Error(`expected a float32 tensor from onnxruntime, received ${tensor.type}`);
  return tensor.data;
}

/** How every session of this program is opened; benchmarks compare under the same options. */
export function onnxSessionOptions({ device, threads }: OnnxEngineOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    graphOptimizationLevel: "all",
    // Warnings about nodes left on the CPU would land on the terminal; errors are thrown.
    logSeverityLevel: 3,
    // onnxruntime's threads spin while they wait for work. Decoding, cropping and JavaScript want those cores: with spinning, a run on a
    // busy machine took 1.5 times the processor time and twice as long.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
}

function onnxruntimeVersion(): string {
  const file = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
