/**
 * Engine over kernels of our own (plan.ts, wgsl.ts) on WebGPU. The state of a batch never leaves the device: vertices
 * go in, logits or choices come out.
 */
import { CELL_COUNT, CLASS_COUNT, CROP_SIZE, FINE_COUNT, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { PolygonRnn } from "../../network/polygon-rnn.js";
import type { DecodedRow, Decoding, EncodedBatch, Engine, Precision, StepInput } from "../engine.js";
import { dawnVersion } from "./adapter.js";
import { compileChoice } from "./choose.js";
import { Gpu } from "./device.js";
import type { Plan } from "./plan.js";
import { inFloat16, passingOverEnded, planKernels } from "./plan.js";
import { Program, submit } from "./program.js";
import { RecordOps } from "./record.js";
import type { RowBytes, SlotOptions, StepKernels } from "./slots.js";
import { Slots } from "./slots.js";
import type { Tiles } from "./tiles.js";
import { tilesFor } from "./trial.js";

const STATE = ["h1", "c1", "h2", "c2"] as const;
type PlaneName = (typeof STATE)[number] | "hoisted";

/** An engine's kernels and weights: data that another thread can take. */
export interface KernelModel {
  readonly encoder: Plan;
  readonly step: Plan;
  readonly weights: WeightedNetwork["weights"];
  readonly precision: Precision;
  /** Bytes of one row of each plane. */
  readonly rowBytes: RowBytes;
}

export interface KernelOptions extends Partial<SlotOptions> {
  /** Crops in one run of the encoder, a multiple of 8. As many as ENCODER_BYTES hold when absent. */
  readonly encodedAtOnce?: number;
  /** Bytes on the device at most. */
  readonly memoryBound?: number;
  /** A device of the caller's, which stays open when the engine is disposed. One of its own when absent. */
  readonly gpu?: Gpu;
  /** Of convolutions; those that a trial on the adapter chose when absent. */
  readonly tiles?: Tiles;
}

/** Layers of all crops that one run of the encoder computes. More crops fill a device better, to a point. */
const ENCODER_BYTES = 512 * 2 ** 20;
const MOST_ENCODED_AT_ONCE = 64;
/** Slots of a device's own memory. A driver on the CPU gets few: it fills no better with more. */
const SLOT_BYTES = 512 * 2 ** 20;
const MOST_SLOTS = 512;
const MOST_SLOTS_OF_SOFTWARE = 32;
const STEPS_AT_ONCE = 4;
/** Bindings start at multiples of 256 bytes. Eight rows of any tensor of the grid are one: 8 * 784 * 2 = 49 * 256. */
const ROW_STEP = 8;
/** Inputs and outputs in float16. What is added to at every step stays float32, and so does what is judged. */
const HALVES: ReadonlySet<string> = new Set<PlaneName>(["hoisted"]);

/** Kernels of the encoder: pixels -> vertex, hoisted, and the masks the network has. */
export function encoderPlan({ network, weights, normalization }: WeightedNetwork): Plan {
  const ops = new RecordOps(weights);
  const pixels = ops.input("pixels", "pixels", [3, CROP_SIZE, CROP_SIZE]);
  const { vertex, hoisted, mask, fineMask } = network.encode(ops, pixels, normalization);
  return planKernels({ vertex, hoisted, ...(mask && { mask }), ...(fineMask && { fineMask }) });
}

/** Kernels of a step: vertices, hoisted and state -> logits and the next state. Rows with ENDED stay as they are. */
export function stepPlan({ network, weights }: Pick<WeightedNetwork, "network" | "weights">): Plan {
  const ops = new RecordOps(weights);
  const plane = (name: PlaneName): ReturnType<RecordOps["input"]> =>
    ops.input(name, "float", [channelsOf(network)[name], GRID_SIZE, GRID_SIZE]);
  const index = (name: keyof StepInput): ReturnType<RecordOps["input"]> => ops.input(name, "index", [1, 1, 1]);
  const vertices = {
    first: index("first"),
    previous: index("previous"),
    beforePrevious: index("beforePrevious"),
  };
  const { logits, state } = network.step(ops, plane("hoisted"), vertices, [
    { h: plane("h1"), c: plane("c1") },
    { h: plane("h2"), c: plane("c2") },
  ]);
  const [one, two] = state;
  const plan = planKernels({ logits, next_h1: one.h, next_c1: one.c, next_h2: two.h, next_c2: two.c });
  return passingOverEnded(plan, "previous");
}

function channelsOf({ widths: [one, two], hoistedChannels }: PolygonRnn): Readonly<Record<PlaneName, number>> {
  return { hoisted: hoistedChannels, h1: one, c1: one, h2: two, c2: two };
}

export function kernelModelOf(model: WeightedNetwork, precision: Precision = "float32"): KernelModel {
  const [encoder, step] = [encoderPlan(model), stepPlan(model)].map((plan) =>
    precision === "float16" ? inFloat16(plan, HALVES) : plan,
  ) as [Plan, Plan];
  const channels = channelsOf(model.network);
  const isHalf = (name: PlaneName): boolean => precision === "float16" && HALVES.has(name);
  const rowBytes = mapPlanes((name) => (isHalf(name) ? 2 : 4) * CELL_COUNT * channels[name]);
  return { encoder, step, weights: model.weights, precision, rowBytes };
}

/** What every batch of an engine shares. */
interface Shared extends StepKernels {
  readonly gpu: Gpu;
  readonly encoder: Program;
  readonly encodedAtOnce: number;
  readonly rowBytes: RowBytes;
  /** Opened when the first batch is decoded in them. */
  readonly slots: () => Slots;
}

/** An engine that tells what it holds. */
export interface KernelEngine extends Engine {
  readonly memory: Gpu["memory"];
  /** Kernels of one run. */
  readonly dispatches: { readonly encoder: number; readonly step: number };
  readonly tiles: Tiles;
}

/** @throws E_UNAVAILABLE without the package, an adapter or what the kernels need of it */
export async function openKernels(model: KernelModel, options: KernelOptions = {}): Promise<KernelEngine> {
  const { precision } = model;
  const gpu = options.gpu ?? (await Gpu.open({ ...options, precision }));
  const isOwn = options.gpu === undefined;
  try {
    const { tiles } = options.tiles === undefined ? await tilesFor(gpu.adapter) : { tiles: options.tiles };
    const [encoder, step, choose] = await Promise.all([
      Program.compile(gpu, model.encoder, model.weights, tiles),
      Program.compile(gpu, model.step, model.weights, tiles),
      compileChoice(gpu),
    ]);
    const kernels = { step, choose };
    const { rowBytes } = model;
    let slots: Slots | undefined;
    const shared: Shared = {
      ...kernels,
      gpu,
      encoder,
      encodedAtOnce: options.encodedAtOnce ?? cropsAtOnce(encoder),
      rowBytes,
      slots: () => (slots ??= new Slots(gpu, kernels, rowBytes, slotOptions(gpu, rowBytes, options))),
    };
    return {
      name: "wgsl",
      device: "webgpu",
      precision,
      version: `own kernels${precision === "float16" ? " in float16" : ""}, webgpu ${dawnVersion()} on ${gpu.adapter.name}`,
      get memory() {
        return gpu.memory;
      },
      dispatches: { encoder: encoder.dispatches, step: step.dispatches },
      tiles,
      encode: (pixels, count) => encode(shared, pixels, count),
      dispose() {
        if (isOwn) gpu.close();
        else for (const part of [encoder, step, slots]) part?.dispose();
        return Promise.resolve();
      },
    };
  } catch (error) {
    if (isOwn) gpu.close();
    throw error;
  }
}

/** The same in one go. */
export function openWebGpuEngine(
  model: WeightedNetwork,
  { precision, ...options }: KernelOptions & { readonly precision?: Precision } = {},
): Promise<KernelEngine> {
  return openKernels(kernelModelOf(model, precision), options);
}

function cropsAtOnce({ workspaceBytes }: Program): number {
  const fitting = Math.floor(ENCODER_BYTES / workspaceBytes / ROW_STEP) * ROW_STEP;
  return Math.min(MOST_ENCODED_AT_ONCE, Math.max(ROW_STEP, fitting));
}

function slotOptions({ adapter }: Gpu, rowBytes: RowBytes, asked: Partial<SlotOptions>): SlotOptions {
  const { stepsAtOnce = STEPS_AT_ONCE } = asked;
  const fitting = Math.floor(SLOT_BYTES / Slots.bytesOf(rowBytes, { rows: 1, stepsAtOnce }));
  const most = adapter.isSoftware ? MOST_SLOTS_OF_SOFTWARE : MOST_SLOTS;
  const bound = Math.floor(adapter.limits.bindingBytes / Math.max(...Object.values(rowBytes)));
  return { stepsAtOnce, rows: asked.rows ?? Math.min(most, fitting, bound) };
}

/** Maps that come back from the encoder, and their values per crop. */
const MAPS = [
  ["vertex", CELL_COUNT],
  ["mask", CELL_COUNT],
  ["fineMask", FINE_COUNT],
] as const;

async function encode(shared: Shared, pixels: Uint8Array, count: number): Promise<EncodedBatch> {
  const { gpu, encoder, encodedAtOnce, rowBytes } = shared;
  const cropBytes = pixels.length / count;
  const maps = MAPS.filter(([name]) => encoder.outputs.has(name));
  const hoisted = new HoistedRows(gpu, gpu.buffer(count * rowBytes.hoisted));
  const outputs = maps.map(([name, values]) => ({
    name,
    rowBytes: 4 * values,
    buffer: gpu.buffer(4 * values * count),
  }));
  // Taken over by Dawn before the call returns. A copy of our own would be .2 ms per crop.
  const crops = gpu.upload(isUnshared(pixels) ? pixels : Uint8Array.from(pixels));
  try {
    const whole = [
      { name: "pixels", rowBytes: cropBytes, buffer: crops },
      { name: "hoisted", rowBytes: rowBytes.hoisted, buffer: hoisted.buffer },
      ...outputs,
    ];
    for (let start = 0; start < count; start += encodedAtOnce) {
      const rows = Math.min(encodedAtOnce, count - start);
      const piece = whole.map(({ name, rowBytes, buffer }) => {
        const binding: GPUBufferBinding = { buffer, offset: start * rowBytes, size: rows * rowBytes };
        return [name, binding] as const;
      });
      submit(gpu, [encoder.bind(rows, Object.fromEntries(piece))]);
    }
    const read = await gpu.readAll(outputs.map(({ buffer, rowBytes }) => ({ buffer, bytes: count * rowBytes })));
    const [vertex, mask, fineMask] = MAPS.map(([name]) => {
      const at = maps.findIndex(([known]) => known === name);
      return at < 0 ? undefined : new Float32Array(read[at]!);
    });
    return new WebGpuDecoding(
      shared,
      { firstVertexLogits: vertex!, maskLogits: mask, fineMaskLogits: fineMask },
      hoisted,
      Array.from({ length: count }, (_, row) => row),
    );
  } catch (error) {
    hoisted.release();
    throw error;
  } finally {
    gpu.free([crops, ...outputs.map(({ buffer }) => buffer)]);
  }
}

function isUnshared(pixels: Uint8Array): pixels is Uint8Array<ArrayBuffer> {
  return pixels.buffer instanceof ArrayBuffer;
}

/** The image's part of a batch. Rows taken out of it share it: it is freed when the last of them is. */
class HoistedRows {
  private holders = 1;

  constructor(
    private readonly gpu: Gpu,
    readonly buffer: GPUBuffer,
  ) {}

  hold(): this {
    this.holders++;
    return this;
  }

  release(): void {
    if (--this.holders === 0) this.gpu.free([this.buffer]);
  }
}

type Planes = Readonly<Record<PlaneName, GPUBuffer>>;

class WebGpuDecoding implements EncodedBatch {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits: Float32Array | undefined;
  readonly fineMaskLogits: Float32Array | undefined;
  /** Absent before the first step: the rows are those of `hoisted` then, and the state is zero. */
  private planes: Planes | undefined;
  private isDisposed = false;

  // eslint-disable-next-line max-params -- what it shares, what it knows, what it holds
  constructor(
    private readonly shared: Shared,
    maps: Pick<EncodedBatch, "firstVertexLogits" | "maskLogits" | "fineMaskLogits">,
    private readonly hoisted: HoistedRows,
    private readonly rows: readonly number[],
    planes?: Planes,
  ) {
    this.size = rows.length;
    this.firstVertexLogits = maps.firstVertexLogits;
    this.maskLogits = maps.maskLogits;
    this.fineMaskLogits = maps.fineMaskLogits;
    this.planes = planes;
  }

  async decode(firsts: readonly number[], maxSteps: number): Promise<readonly DecodedRow[]> {
    if (this.planes !== undefined) throw new Error("a batch that has stepped is not decoded from its start");
    this.hoisted.hold();
    try {
      return await this.shared.slots().decode(this.hoisted.buffer, this.rows, firsts, maxSteps);
    } finally {
      this.hoisted.release();
    }
  }

  async step(input: StepInput): Promise<Float32Array> {
    const { gpu, step } = this.shared;
    const { hoisted, ...before } = (this.planes ??= this.takePlanes(this.rows));
    const vertices = {
      first: gpu.upload(Int32Array.from(input.first)),
      previous: gpu.upload(Int32Array.from(input.previous)),
      beforePrevious: gpu.upload(Int32Array.from(input.beforePrevious)),
    };
    const outputs = step.run(this.size, { ...vertices, hoisted, ...before });
    const logits = outputs.get("logits")!;
    this.planes = mapPlanes((name) => (name === "hoisted" ? hoisted : outputs.get(`next_${name}`)!));
    // Destroyed buffers live until the work that was submitted before has ended.
    gpu.free([...Object.values(vertices), ...Object.values(before)]);
    try {
      return await gpu.read(logits, 4 * this.size * CLASS_COUNT);
    } finally {
      gpu.free([logits]);
    }
  }

  select(rows: readonly number[]): Decoding {
    const firstVertexLogits = new Float32Array(rows.length * CELL_COUNT);
    rows.forEach((row, at) => {
      firstVertexLogits.set(this.firstVertexLogits.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT), at * CELL_COUNT);
    });
    const taken = rows.map((row) => this.rows[row]!);
    const planes = this.planes && this.takePlanes(rows);
    return new WebGpuDecoding(this.shared, { firstVertexLogits }, this.hoisted.hold(), taken, planes);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.hoisted.release();
    if (this.planes !== undefined) this.shared.gpu.free(Object.values(this.planes));
  }

  /** Rows of the planes, or of the batch with a state of zeros where it has not stepped. */
  private takePlanes(rows: readonly number[]): Planes {
    const { gpu, rowBytes } = this.shared;
    const from: Partial<Planes> = this.planes ?? { hoisted: this.hoisted.buffer };
    const taken = mapPlanes((name) => gpu.buffer(rows.length * rowBytes[name]));
    const encoder = gpu.device.createCommandEncoder();
    for (const name of [...STATE, "hoisted"] as const) {
      const [source, bytes] = [from[name], rowBytes[name]];
      if (source === undefined) continue;
      rows.forEach((row, at) => {
        encoder.copyBufferToBuffer(source, row * bytes, taken[name], at * bytes, bytes);
      });
    }
    gpu.device.queue.submit([encoder.finish()]);
    return taken;
  }
}

function mapPlanes<V>(valueOf: (name: PlaneName) => V): Readonly<Record<PlaneName, V>> {
  return {
    hoisted: valueOf("hoisted"),
    h1: valueOf("h1"),
    c1: valueOf("c1"),
    h2: valueOf("h2"),
    c2: valueOf("c2"),
  };
}
