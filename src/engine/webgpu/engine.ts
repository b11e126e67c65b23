/**
 * Engine over kernels of our own (plan.ts, wgsl.ts) on WebGPU. The state of a batch never leaves the device: vertices
 * go in, logits come out.
 */
import { CELL_COUNT, CLASS_COUNT, CROP_SIZE, FINE_COUNT, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { PolygonRnn } from "../../network/polygon-rnn.js";
import type { Decoding, EncodedBatch, Engine, StepInput } from "../engine.js";
import { Gpu } from "./device.js";
import type { Plan } from "./plan.js";
import { planKernels } from "./plan.js";
import { Program } from "./program.js";
import { RecordOps } from "./record.js";

/** Crops in one run of the encoder: bounds the largest layers in memory, 5 MB per crop of `mobile`. */
const ENCODED_AT_ONCE = 16;

const PLANES = ["hoisted", "h1", "c1", "h2", "c2"] as const;
type PlaneName = (typeof PLANES)[number];
type Planes = Readonly<Record<PlaneName, GPUBuffer>>;

/** Kernels of the encoder: pixels -> vertex, hoisted, and the masks the network has. */
export function encoderPlan({ network, weights, normalization }: WeightedNetwork): Plan {
  const ops = new RecordOps(weights);
  const pixels = ops.input("pixels", "pixels", [3, CROP_SIZE, CROP_SIZE]);
  const { vertex, hoisted, mask, fineMask } = network.encode(ops, pixels, normalization);
  return planKernels({ vertex, hoisted, ...(mask && { mask }), ...(fineMask && { fineMask }) });
}

/** Kernels of a step: vertices, hoisted and state -> logits and the next state. */
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
  return planKernels({ logits, h1: one.h, c1: one.c, h2: two.h, c2: two.c });
}

function channelsOf({ widths: [one, two], hoistedChannels }: PolygonRnn): Readonly<Record<PlaneName, number>> {
  return { hoisted: hoistedChannels, h1: one, c1: one, h2: two, c2: two };
}

/** What every batch of an engine shares. */
interface Shared {
  readonly gpu: Gpu;
  readonly step: Program;
  /** Bytes of one row of each plane. */
  readonly rowBytes: Readonly<Record<PlaneName, number>>;
}

/** @throws E_UNAVAILABLE without the package, an adapter or what the kernels need of it */
export async function openWebGpuEngine(model: WeightedNetwork): Promise<Engine> {
  const gpu = await Gpu.open();
  try {
    const encoder = await Program.compile(gpu, encoderPlan(model), model.weights);
    const step = await Program.compile(gpu, stepPlan(model), model.weights);
    const rowBytes = mapPlanes((name) => 4 * CELL_COUNT * channelsOf(model.network)[name]);
    const shared: Shared = { gpu, step, rowBytes };
    return {
      name: "wgsl",
      device: "webgpu",
      version: `own kernels on ${gpu.adapterName}`,
      encode: (pixels, count) => encode(shared, encoder, pixels, count),
      dispose() {
        encoder.dispose();
        step.dispose();
        gpu.close();
        return Promise.resolve();
      },
    };
  } catch (error) {
    gpu.close();
    throw error;
  }
}

async function encode(shared: Shared, encoder: Program, pixels: Uint8Array, count: number): Promise<EncodedBatch> {
  const { gpu, rowBytes } = shared;
  const planes = mapPlanes((name) => gpu.buffer(count * rowBytes[name]));
  const maps = new Map<string, Float32Array>();
  const bytes = pixels.length / count;
  try {
    for (let start = 0; start < count; start += ENCODED_AT_ONCE) {
      const size = Math.min(ENCODED_AT_ONCE, count - start);
      const crops = gpu.upload(Uint8Array.from(pixels.subarray(start * bytes, (start + size) * bytes)));
      const outputs = encoder.run(size, { pixels: crops });
      try {
        copy(gpu, [[outputs.get("hoisted")!, 0, planes.hoisted, start * rowBytes.hoisted, size * rowBytes.hoisted]]);
        for (const [name, values] of MAPS) {
          const buffer = outputs.get(name);
          if (buffer === undefined) continue;
          const map = maps.get(name) ?? new Float32Array(count * values);
          map.set(await gpu.read(buffer, 4 * size * values), start * values);
          maps.set(name, map);
        }
      } finally {
        for (const buffer of [crops, ...outputs.values()]) buffer.destroy();
      }
    }
  } catch (error) {
    destroy(planes);
    throw error;
  }
  return new WebGpuDecoding(
    shared,
    {
      size: count,
      firstVertexLogits: maps.get("vertex")!,
      maskLogits: maps.get("mask"),
      fineMaskLogits: maps.get("fineMask"),
    },
    planes,
  );
}

/** Maps that come back from the encoder, and their values per crop. */
const MAPS = [
  ["vertex", CELL_COUNT],
  ["mask", CELL_COUNT],
  ["fineMask", FINE_COUNT],
] as const;

class WebGpuDecoding implements EncodedBatch {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits: Float32Array | undefined;
  readonly fineMaskLogits: Float32Array | undefined;

  constructor(
    private readonly shared: Shared,
    maps: Pick<EncodedBatch, "size" | "firstVertexLogits" | "maskLogits" | "fineMaskLogits">,
    private planes: Planes,
  ) {
    this.size = maps.size;
    this.firstVertexLogits = maps.firstVertexLogits;
    this.maskLogits = maps.maskLogits;
    this.fineMaskLogits = maps.fineMaskLogits;
  }

  async step({ first, previous, beforePrevious }: StepInput): Promise<Float32Array> {
    const { gpu, step } = this.shared;
    const { hoisted, ...state } = this.planes;
    const vertices = {
      first: gpu.upload(Int32Array.from(first)),
      previous: gpu.upload(Int32Array.from(previous)),
      beforePrevious: gpu.upload(Int32Array.from(beforePrevious)),
    };
    const outputs = step.run(this.size, { ...vertices, hoisted, ...state });
    const logits = outputs.get("logits")!;
    this.planes = mapPlanes((name) => (name === "hoisted" ? hoisted : outputs.get(name)!));
    // Destroyed buffers live until the work that was submitted before has ended.
    for (const buffer of [...Object.values(vertices), ...Object.values(state)]) buffer.destroy();
    try {
      return await gpu.read(logits, 4 * this.size * CLASS_COUNT);
    } finally {
      logits.destroy();
    }
  }

  select(rows: readonly number[]): Decoding {
    const { gpu, rowBytes } = this.shared;
    const taken = mapPlanes((name) => gpu.buffer(rows.length * rowBytes[name]));
    copy(
      gpu,
      PLANES.flatMap((name) => {
        const bytes = rowBytes[name];
        return rows.map((row, at) => [this.planes[name], row * bytes, taken[name], at * bytes, bytes] as const);
      }),
    );
    const firstVertexLogits = new Float32Array(rows.length * CELL_COUNT);
    rows.forEach((row, at) => {
      firstVertexLogits.set(this.firstVertexLogits.subarray(row * CELL_COUNT, (row + 1) * CELL_COUNT), at * CELL_COUNT);
    });
    return new WebGpuDecoding(this.shared, { size: rows.length, firstVertexLogits }, taken);
  }

  dispose(): void {
    destroy(this.planes);
  }
}

type Copy = readonly [source: GPUBuffer, from: number, target: GPUBuffer, to: number, bytes: number];

function copy(gpu: Gpu, copies: readonly Copy[]): void {
  const encoder = gpu.device.createCommandEncoder();
  for (const [source, from, target, to, bytes] of copies) encoder.copyBufferToBuffer(source, from, target, to, bytes);
  gpu.device.queue.submit([encoder.finish()]);
}

function destroy(planes: Planes): void {
  for (const buffer of Object.values(planes)) buffer.destroy();
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
