/**
 * Engine over onnxruntime-node: the CPU everywhere, WebGPU from the same package, CUDA where its provider library is
 * installed.
 */
import "./environment.js";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { CELL_COUNT, CROP_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { StateWidths } from "../../network/polygon-rnn.js";
import { countCores } from "../cores.js";
import type { DeviceName, Engine } from "../engine.js";
import type { DecoderSessions } from "./decoding.js";
import { floatsOf, OnnxDecoding, PLANES } from "./decoding.js";

export interface OnnxEngineOptions {
  readonly device: DeviceName;
  /** Threads inside one operation on the CPU; one per core when absent. */
  readonly threads?: number;
  /** Decoder steps in one call; 1 leaves `steps` out. The device's own number when absent. */
  readonly stepsAtOnce?: number;
  /** Crops in one call of the encoder. The device's own number when absent. */
  readonly encodedAtOnce?: number;
}

/**
 * On a CPU a call costs nothing beyond its arithmetic, and steps after a polygon's end would be wasted. A GPU waits for
 * the host between calls. Polygons have about 15 steps, so that 8 at a time leave two waits and few wasted steps.
 */
export const STEPS_AT_ONCE: Record<DeviceName, number> = { cpu: 1, webgpu: 8, cuda: 8 };

/**
 * Crops in one call of the encoder, on a CPU per thread. Larger calls are no quicker per crop, but hold the largest
 * layers of all their crops in memory (bench/README.md).
 */
const ENCODED_AT_ONCE: Record<DeviceName, number> = { cpu: 2, webgpu: 64, cuda: 64 };

/** Outputs of a step, or of several, that are the next one's input. */
const NEXT_STATE = ["next_h1", "next_c1", "next_h2", "next_c2"];

/**
 * Devices on which onnxruntime-node can leave a tensor. It cannot with CUDA, where the state comes back after every
 * call.
 */
export const KEEPS_TENSORS: Record<DeviceName, boolean> = { cpu: false, webgpu: true, cuda: false };

/** The ONNX models of an engine, by what they do; those a device has no use for are absent. */
export interface OnnxModels<M> {
  readonly encoder: M;
  readonly step: M;
  /** Several steps in one call. */
  readonly steps?: M;
  /** Rows out of a batch, where the planes stay on a device. */
  readonly select?: M;
  /** What was encoded in pieces, where it stays on a device. */
  readonly join?: M;
}

/** Each is made when its turn comes: they are as large as the weights. */
export type OnnxModelsToMake = OnnxModels<() => Uint8Array>;

export function mapModels<A, B>(
  { encoder, step, steps, select, join }: OnnxModels<A>,
  change: (model: A) => B,
): OnnxModels<B> {
  return {
    encoder: change(encoder),
    step: change(step),
    ...(steps !== undefined && { steps: change(steps) }),
    ...(select !== undefined && { select: change(select) }),
    ...(join !== undefined && { join: change(join) }),
  };
}

/** Opens what `onnxModelsFor` (engine/onnx/models.ts) makes: whoever is handed models needs nothing that builds them. */
export async function openOnnxModels(
  widths: StateWidths,
  models: OnnxModelsToMake,
  options: Omit<OnnxEngineOptions, "stepsAtOnce">,
): Promise<Engine> {
  const {
    device,
    threads = countCores(),
    encodedAtOnce = ENCODED_AT_ONCE[device] * (device === "cpu" ? threads : 1),
  } = options;
  const session = { device, threads };
  // One after the other: each holds a copy of its weights while it is being optimized.
  const encoder = await openSession(models.encoder(), session, ["hoisted"]);
  const join = models.join && (await openSession(models.join(), session, ["joined_hoisted"]));
  const sessions: DecoderSessions = {
    step: await openSession(models.step(), session, NEXT_STATE),
    ...(models.steps !== undefined && { steps: await openSession(models.steps(), session, NEXT_STATE) }),
    ...(models.select !== undefined && {
      select: await openSession(
        models.select(),
        session,
        PLANES.map((name) => `taken_${name}`),
      ),
    }),
  };
  return {
    name: "onnxruntime",
    device,
    version: `onnxruntime-node ${onnxruntimeVersion()}`,
    async encode(pixels, count) {
      const { vertex, hoisted, mask, fineMask } = await encodePieces({ encoder, join }, pixels, count, encodedAtOnce);
      const [c1, c2] = widths;
      const zeros = (channels: number): Tensor =>
        new Tensor("float32", new Float32Array(count * channels * CELL_COUNT), [count, channels, GRID_SIZE, GRID_SIZE]);
      return new OnnxDecoding(
        sessions,
        {
          size: count,
          firstVertexLogits: floatsOf(vertex!),
          maskLogits: mask && floatsOf(mask),
          fineMaskLogits: fineMask && floatsOf(fineMask),
        },
        { hoisted: hoisted!, h1: zeros(c1), c1: zeros(c1), h2: zeros(c2), c2: zeros(c2) },
      );
    },
    async dispose() {
      for (const each of [encoder, join, sessions.step, sessions.steps, sessions.select]) await each?.release();
    },
  };
}

interface EncoderSessions {
  readonly encoder: InferenceSession;
  /** Joins rows where they are; absent where they lie in ordinary memory. */
  readonly join: InferenceSession | undefined;
}

/** Runs the encoder over a few crops at a time. @returns its outputs by name, as of one call */
async function encodePieces(
  { encoder, join }: EncoderSessions,
  pixels: Uint8Array,
  count: number,
  atOnce: number,
): Promise<Readonly<Record<string, Tensor>>> {
  const pieces: Readonly<Record<string, Tensor>>[] = [];
  const bytes = pixels.length / count;
  for (let start = 0; start < count; start += atOnce) {
    const end = Math.min(count, start + atOnce);
    const piece = pixels.subarray(start * bytes, end * bytes);
    pieces.push(await encoder.run({ pixels: new Tensor("uint8", piece, [end - start, CROP_SIZE, CROP_SIZE, 3]) }));
  }
  if (pieces.length === 1) return pieces[0]!;
  const joined: Record<string, Tensor> = {};
  for (const [name, { dims, location }] of Object.entries(pieces[0]!)) {
    const parts = pieces.map((piece) => piece[name]!);
    joined[name] = location === "cpu" ? joinRows(parts, [count, ...dims.slice(1)]) : await joinOnDevice(join!, parts);
  }
  return joined;
}

/** Frees the parts. */
async function joinOnDevice(join: InferenceSession, [first, ...others]: readonly Tensor[]): Promise<Tensor> {
  let joined = first!;
  for (const other of others) {
    const { joined_hoisted: both } = await join.run({ hoisted: joined, more_hoisted: other });
    joined.dispose();
    other.dispose();
    joined = both!;
  }
  return joined;
}

function joinRows(tensors: readonly Tensor[], dims: readonly number[]): Tensor {
  const joined = new Float32Array(dims.reduce((product, side) => product * side, 1));
  let at = 0;
  for (const tensor of tensors) {
    joined.set(floatsOf(tensor), at);
    at += tensor.size;
  }
  return new Tensor("float32", joined, dims);
}

/** @param kept outputs that stay on the device where it can keep them */
function openSession(
  model: Uint8Array,
  options: Pick<OnnxEngineOptions, "device" | "threads">,
  kept: readonly string[],
): Promise<InferenceSession> {
  const sessionOptions = onnxSessionOptions(options);
  if (!KEEPS_TENSORS[options.device]) return InferenceSession.create(model, sessionOptions);
  const preferredOutputLocation = Object.fromEntries(kept.map((output) => [output, "gpu-buffer" as const]));
  return InferenceSession.create(model, { ...sessionOptions, preferredOutputLocation });
}

/** How every session of this program is opened; benchmarks compare under the same options. */
export function onnxSessionOptions({ device, threads }: OnnxEngineOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    graphOptimizationLevel: "all",
    // Warnings about nodes left on the CPU would land on the terminal; errors are thrown.
    logSeverityLevel: 3,
    // onnxruntime's threads would spin while they wait for work, on cores that decoding, cropping and JavaScript need.
    // On a busy machine a run then takes twice as long.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
    ...(device === "cpu" && { intraOpNumThreads: threads ?? countCores() }),
  };
}

export function onnxruntimeVersion(): string {
  const file = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
