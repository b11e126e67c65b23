/**
 * Engine over kernels of our own (plan.ts, wgsl.ts) on WebGPU. The state of a batch never leaves the device: vertices
 * go in, logits or choices come out.
 */
import { CELL_COUNT, CLASS_COUNT, CROP_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { PolygonRnn } from "../../network/polygon-rnn.js";
import type { DecodedRow, Decoding, EncodedBatch, Engine, Precision, StepInput } from "../engine.js";
import { dawnVersion } from "./adapter.js";
import { compileChoice } from "./choose.js";
import { Gpu } from "./device.js";
import type { EncodeOptions, HeldBuffer } from "./encode.js";
import { CropEncoder } from "./encode.js";
import type { Plan, PlanOptions } from "./plan.js";
import { inFloat16, passingOverEnded, planKernels } from "./plan.js";
import { Program } from "./program.js";
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

export interface KernelOptions extends Partial<SlotOptions>, EncodeOptions {
  /** Bytes on the device at most. */
  readonly memoryBound?: number;
  /** A device of the caller's, which stays open when the engine is disposed. One of its own when absent. */
  readonly gpu?: Gpu;
  /** Of convolutions; those that a trial on the adapter chose when absent. */
  readonly tiles?: Tiles;
}

/** Slots of a device's own memory. A driver on the CPU gets few: it fills no better with more. */
const SLOT_BYTES = 512 * 2 ** 20;
const MOST_SLOTS = 512;
const MOST_SLOTS_OF_SOFTWARE = 32;
const STEPS_AT_ONCE = 4;
/** Inputs and outputs in float16. What is added to at every step stays float32, and so does what is judged. */
const HALVES: ReadonlySet<string> = new Set<PlaneName>(["hoisted"]);

/** Kernels of the encoder: views of pixels -> vertex, hoisted, and the masks the network has. */
export function encoderPlan({ network, weights, normalization }: WeightedNetwork, options?: PlanOptions): Plan {
  const ops = new RecordOps(weights);
  const pixels = ops.input("pixels", "pixels", [3, CROP_SIZE, CROP_SIZE]);
  const seen = ops.view(pixels, ops.input("views", "view", [1, 1, 1]));
  const { vertex, hoisted, mask, fineMask } = network.encode(ops, seen, normalization);
  return planKernels({ vertex, hoisted, ...(mask && { mask }), ...(fineMask && { fineMask }) }, options);
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
  readonly encoder: CropEncoder;
  readonly rowBytes: RowBytes;
  /** Opened when the first batch is decoded in them. */
  readonly slots: () => Slots;
}

/** An engine that tells what it holds. */
export interface KernelEngine extends Engine {
  /** Of the device, in bytes; `crops` are those of `used` that batches keep to be seen flipped. */
  readonly memory: Gpu["memory"] & { readonly crops: number };
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
    const [program, step, choose] = await Promise.all([
      Program.compile(gpu, model.encoder, model.weights, tiles),
      Program.compile(gpu, model.step, model.weights, tiles),
      compileChoice(gpu),
    ]);
    const kernels = { step, choose };
    const { rowBytes } = model;
    const encoder = new CropEncoder(gpu, program, rowBytes.hoisted, options);
    let slots: Slots | undefined;
    const shared: Shared = {
      ...kernels,
      gpu,
      encoder,
      rowBytes,
      slots: () => (slots ??= new Slots(gpu, kernels, rowBytes, slotOptions(gpu, rowBytes, options))),
    };
    return {
      name: "wgsl",
      device: "webgpu",
      precision,
      version: `own kernels${precision === "float16" ? " in float16" : ""}, webgpu ${dawnVersion()} on ${gpu.adapter.name}`,
      get memory() {
        return { ...gpu.memory, crops: encoder.cropBytes };
      },
      dispatches: { encoder: program.dispatches, step: step.dispatches },
      tiles,
      async encode(pixels, count) {
        const { maps, ...held } = await encoder.encode(pixels, count);
        return new WebGpuDecoding(shared, maps, held, inOrder(count));
      },
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

function slotOptions({ adapter }: Gpu, rowBytes: RowBytes, asked: Partial<SlotOptions>): SlotOptions {
  const { stepsAtOnce = STEPS_AT_ONCE } = asked;
  const fitting = Math.floor(SLOT_BYTES / Slots.bytesOf(rowBytes, { rows: 1, stepsAtOnce }));
  const most = adapter.isSoftware ? MOST_SLOTS_OF_SOFTWARE : MOST_SLOTS;
  const bound = Math.floor(adapter.limits.bindingBytes / Math.max(...Object.values(rowBytes)));
  return { stepsAtOnce, rows: asked.rows ?? Math.min(most, fitting, bound) };
}

/** What the rows of a batch have in common on the device. Rows taken out of it share the image's part, not the crops. */
interface HeldRows {
  readonly hoisted: HeldBuffer;
  /** As they lie; absent where nobody can see them flipped. */
  readonly crops?: HeldBuffer | undefined;
}

function inOrder(count: number): number[] {
  return Array.from({ length: count }, (_, row) => row);
}

type Planes = Readonly<Record<PlaneName, GPUBuffer>>;

class WebGpuDecoding implements EncodedBatch {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits: Float32Array | undefined;
  readonly fineMaskLogits: Float32Array | undefined;
  readonly flipped: EncodedBatch["flipped"];
  /** Absent before the first step: the rows are those of `hoisted` then, and the state is zero. */
  private planes: Planes | undefined;
  private isDisposed = false;

  // eslint-disable-next-line max-params -- what it shares, what it knows, what it holds
  constructor(
    private readonly shared: Shared,
    maps: Pick<EncodedBatch, "firstVertexLogits" | "maskLogits" | "fineMaskLogits">,
    private readonly held: HeldRows,
    private readonly rows: readonly number[],
    planes?: Planes,
  ) {
    this.size = rows.length;
    this.firstVertexLogits = maps.firstVertexLogits;
    this.maskLogits = maps.maskLogits;
    this.fineMaskLogits = maps.fineMaskLogits;
    this.planes = planes;
    const { crops } = held;
    this.flipped = crops && ((some) => this.encodeFlipped(crops, some));
  }

  async decode(firsts: readonly number[], maxSteps: number): Promise<readonly DecodedRow[]> {
    if (this.planes !== undefined) throw new Error("a batch that has stepped is not decoded from its start");
    const hoisted = this.held.hoisted.hold();
    try {
      return await this.shared.slots().decode(hoisted.buffer, this.rows, firsts, maxSteps);
    } finally {
      hoisted.release();
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
    const hoisted = this.held.hoisted.hold();
    return new WebGpuDecoding(this.shared, { firstVertexLogits }, { hoisted }, taken, planes);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.held.hoisted.release();
    this.held.crops?.release();
    if (this.planes !== undefined) this.shared.gpu.free(Object.values(this.planes));
  }

  private async encodeFlipped(crops: HeldBuffer, rows: readonly number[]): Promise<EncodedBatch> {
    crops.hold(); // this batch may be disposed meanwhile
    try {
      const { maps, hoisted } = await this.shared.encoder.encodeFlipped(crops, rows);
      return new WebGpuDecoding(this.shared, maps, { hoisted }, inOrder(rows.length));
    } finally {
      crops.release();
    }
  }

  /** Rows of the planes, or of the batch with a state of zeros where it has not stepped. */
  private takePlanes(rows: readonly number[]): Planes {
    const { gpu, rowBytes } = this.shared;
    const from: Partial<Planes> = this.planes ?? { hoisted: this.held.hoisted.buffer };
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
