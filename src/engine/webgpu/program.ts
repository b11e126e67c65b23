/** A plan on a device: pipelines, constants, and the memory between kernels. */
import { count } from "../../count.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { Gpu } from "./device.js";
import type { Plan } from "./plan.js";
import { bytesOf } from "./plan.js";
import type { PlanNode } from "./record.js";
import type { Tiles } from "./tiles.js";
import type { Shader } from "./wgsl.js";
import { shaderOf } from "./wgsl.js";

interface Stage {
  readonly shader: Shader;
  readonly pipeline: GPUComputePipeline;
  readonly vectors: GPUBuffer;
  readonly constants: GPUBuffer;
}

/** Something with all its buffers, which may run often. */
export interface Recorded {
  /** @param rows of the batch that are computed, the first ones; all when absent */
  record(pass: GPUComputePassEncoder, rows?: number): void;
}

/** A program. Its kernels are in the order of the plan, each to be run alone where it is measured. */
export interface Bound extends Recorded {
  readonly kernels: readonly Recorded[];
}

export class Program {
  /** Place of what lies between kernels; several nodes take turns in one. */
  private readonly places: ReadonlyMap<PlanNode, number>;
  /** Bytes of each place, per row. */
  private readonly placeBytes: readonly number[];
  private workspace: { readonly batch: number; readonly buffers: readonly GPUBuffer[] } | undefined;

  private constructor(
    private readonly gpu: Gpu,
    readonly plan: Plan,
    private readonly stages: readonly Stage[],
  ) {
    ({ places: this.places, bytes: this.placeBytes } = placesOf(plan));
  }

  /** @param tiles the safe ones when absent */
  static async compile(gpu: Gpu, plan: Plan, weights: WeightedNetwork["weights"], tiles?: Tiles): Promise<Program> {
    const limit = gpu.device.limits.maxStorageBuffersPerShaderStage;
    const shaders = plan.kernels.map((kernel) => shaderOf(kernel, weights, tiles, plan.halves));
    for (const { buffers } of shaders) {
      if (buffers.length + 2 > limit) {
        throw new Error(`a kernel binds ${count(buffers.length + 2, "buffer")} but the adapter allows ${limit}`);
      }
    }
    // All at once: drivers compile on threads of their own.
    const pipelines = await Promise.all(
      shaders.map((shader, at) => {
        const readOnly = 2 + plan.kernels[at]!.reads.length;
        return compileShader(gpu, shader.code, { readOnly, written: 2 + shader.buffers.length - readOnly });
      }),
    );
    const stages = shaders.map((shader, at): Stage => ({
      shader,
      pipeline: pipelines[at]!,
      vectors: gpu.upload(packed(shader.vectors)),
      constants: gpu.upload(Float32Array.from(shader.constants)),
    }));
    gpu.check();
    return new Program(gpu, plan, stages);
  }

  /** Kernels that one run launches. */
  get dispatches(): number {
    return this.stages.length;
  }

  get outputs(): ReadonlySet<string> {
    return new Set(Object.keys(this.plan.outputs));
  }

  /** Bytes between kernels, per row of a batch. */
  get workspaceBytes(): number {
    return this.placeBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * @param batch     rows at most
   * @param bindings  buffers of all inputs and outputs, by name
   * @param workspace of `allocate`, for what is run more than once; absent: one that the next call may take
   */
  bind(
    batch: number,
    bindings: Readonly<Record<string, GPUBufferBinding>>,
    workspace = this.workspaceFor(batch),
  ): Bound {
    const { device } = this.gpu;
    const outer = new Map<PlanNode, GPUBufferBinding>();
    for (const node of this.plan.stored) {
      if (node.operation.kind === "input") outer.set(node, bindings[node.operation.name]!);
    }
    for (const [name, node] of Object.entries(this.plan.outputs)) outer.set(node, bindings[name]!);
    const resourceOf = (node: PlanNode): GPUBufferBinding =>
      outer.get(node) ?? {
        buffer: workspace[this.places.get(node)!]!,
        size: inWords(batch * bytesOf(this.plan, node)),
      };
    const kernels = this.stages.map(({ shader, pipeline, vectors, constants }): Recorded => {
      const resources = [{ buffer: vectors }, { buffer: constants }, ...shader.buffers.map(resourceOf)];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      return {
        record(pass, rows = batch) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(...shader.groups(rows));
        },
      };
    });
    return {
      kernels,
      record(pass, rows = batch) {
        for (const kernel of kernels) kernel.record(pass, rows);
      },
    };
  }

  /** One run by itself. @param inputs buffers by name @returns the outputs' buffers, which the caller frees */
  run(batch: number, inputs: Readonly<Record<string, GPUBuffer>>): ReadonlyMap<string, GPUBuffer> {
    const { gpu, plan } = this;
    const outputs = Object.entries(plan.outputs).map(
      ([name, node]) => [name, gpu.buffer(batch * bytesOf(plan, node))] as const,
    );
    const bindings = Object.fromEntries(
      [...Object.entries(inputs), ...outputs].map(([name, buffer]) => [name, { buffer }]),
    );
    submit(gpu, [this.bind(batch, bindings)]);
    return new Map(outputs);
  }

  dispose(): void {
    this.gpu.free(this.stages.flatMap(({ vectors, constants }) => [vectors, constants]));
    this.gpu.free(this.workspace?.buffers ?? []);
    this.workspace = undefined;
  }

  /** Memory between kernels, the caller's to free. */
  allocate(batch: number): readonly GPUBuffer[] {
    return this.placeBytes.map((bytes) => this.gpu.buffer(batch * bytes));
  }

  /** Kept for the next run: a device does what is submitted in order, so that runs may share it. */
  private workspaceFor(batch: number): readonly GPUBuffer[] {
    if (this.workspace === undefined || this.workspace.batch < batch) {
      this.gpu.free(this.workspace?.buffers ?? []); // lives until the work that was submitted before has ended
      this.workspace = { batch, buffers: this.allocate(batch) };
    }
    return this.workspace.buffers;
  }
}

/** One after the other, in one submission. */
export function submit(gpu: Gpu, programs: readonly Recorded[]): void {
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const program of programs) program.record(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
}

/**
 * @param buffers from binding 0 on, those that are only read first @returns the one pipeline of the device for this
 *   text, which names its bindings
 */
export function compileShader(
  { device, pipelines }: Gpu,
  code: string,
  buffers: { readonly readOnly: number; readonly written: number },
): Promise<GPUComputePipeline> {
  const known = pipelines.get(code) ?? createPipeline(device, code, buffers);
  pipelines.set(code, known);
  return known;
}

function createPipeline(
  device: GPUDevice,
  code: string,
  { readOnly, written }: { readonly readOnly: number; readonly written: number },
): Promise<GPUComputePipeline> {
  const entries = Array.from({ length: readOnly + written }, (_, binding) => ({
    binding,
    visibility: 4, // compute
    buffer: { type: binding < readOnly ? "read-only-storage" : "storage" } as const,
  }));
  return device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] }),
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
}

/** Devices take and bind whole words of four bytes. */
function inWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** For uploading. */
function packed(values: Float32Array | Uint16Array): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (values instanceof Float32Array) return Float32Array.from(values);
  const whole = new Uint16Array(inWords(2 * values.length) / 2);
  whole.set(values);
  return whole;
}

/** Nodes whose lives do not overlap share a place. */
function placesOf(plan: Plan): {
  readonly places: ReadonlyMap<PlanNode, number>;
  readonly bytes: readonly number[];
} {
  const { kernels, outputs } = plan;
  const isOutput = new Set(Object.values(outputs));
  const lastRead = new Map<PlanNode, number>();
  for (const [at, { reads }] of kernels.entries()) for (const node of reads) lastRead.set(node, at);
  const places = new Map<PlanNode, number>();
  const bytes: number[] = [];
  const free = new Set<number>();
  for (const [at, { roots, reads }] of kernels.entries()) {
    for (const root of roots.filter((node) => !isOutput.has(node))) {
      const needed = bytesOf(plan, root);
      const place = bestPlace(free, bytes, needed);
      free.delete(place);
      bytes[place] = Math.max(bytes[place] ?? 0, needed);
      places.set(root, place);
    }
    for (const node of reads) {
      const place = places.get(node);
      if (place !== undefined && lastRead.get(node) === at) free.add(place);
    }
  }
  return { places, bytes };
}

/** The smallest free place that is large enough, else the largest, which grows; a new one where none is free. */
function bestPlace(free: ReadonlySet<number>, bytes: readonly number[], needed: number): number {
  const bySize = [...free].sort((a, b) => bytes[a]! - bytes[b]!);
  return bySize.find((place) => bytes[place]! >= needed) ?? bySize.at(-1) ?? bytes.length;
}
