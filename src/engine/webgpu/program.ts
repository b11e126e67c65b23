/** A plan on a device: pipelines, constants, and the buffers between kernels. */
import type { WeightedNetwork } from "../../model/model.js";
import type { Gpu } from "./device.js";
import type { Plan } from "./plan.js";
import type { PlanNode } from "./record.js";
import { elements } from "./record.js";
import type { Shader } from "./wgsl.js";
import { shaderOf } from "./wgsl.js";

interface Stage {
  readonly shader: Shader;
  readonly pipeline: GPUComputePipeline;
  readonly vectors: GPUBuffer;
  readonly constants: GPUBuffer;
  /** Buffers that nothing reads after this stage. */
  readonly last: readonly PlanNode[];
}

export class Program {
  private constructor(
    private readonly gpu: Gpu,
    private readonly plan: Plan,
    private readonly stages: readonly Stage[],
  ) {}

  static async compile(gpu: Gpu, plan: Plan, weights: WeightedNetwork["weights"]): Promise<Program> {
    const outputs = new Set(Object.values(plan.outputs));
    const stages: Stage[] = [];
    for (const [at, kernel] of plan.kernels.entries()) {
      const shader = shaderOf(kernel, weights);
      const limit = gpu.device.limits.maxStorageBuffersPerShaderStage;
      if (shader.buffers.length + 2 > limit) {
        throw new Error(`a kernel binds ${shader.buffers.length + 2} buffers but the adapter allows ${limit}`);
      }
      const entries = Array.from({ length: shader.buffers.length + 2 }, (_, binding) => ({
        binding,
        visibility: 4, // compute
        buffer: { type: binding < kernel.reads.length + 2 ? "read-only-storage" : "storage" } as const,
      }));
      const layout = gpu.device.createPipelineLayout({
        bindGroupLayouts: [gpu.device.createBindGroupLayout({ entries })],
      });
      const pipeline = await gpu.device.createComputePipelineAsync({
        layout,
        compute: { module: gpu.device.createShaderModule({ code: shader.code }), entryPoint: "main" },
      });
      const isLast = (node: PlanNode): boolean =>
        node.operation.kind !== "input" &&
        !outputs.has(node) &&
        !plan.kernels.slice(at + 1).some(({ reads }) => reads.includes(node));
      stages.push({
        shader,
        pipeline,
        vectors: gpu.upload(Float32Array.from(shader.vectors)),
        constants: gpu.upload(Float32Array.from(shader.constants)),
        last: shader.buffers.filter(isLast),
      });
    }
    gpu.check();
    return new Program(gpu, plan, stages);
  }

  /** Kernels that one run launches. */
  get dispatches(): number {
    return this.stages.length;
  }

  /** @param inputs buffers by name @returns the outputs' buffers, which the caller destroys */
  run<N extends string>(batch: number, inputs: Readonly<Record<N, GPUBuffer>>): ReadonlyMap<string, GPUBuffer> {
    const { gpu, plan } = this;
    const buffers = new Map<PlanNode, GPUBuffer>();
    const spare = new Map<number, GPUBuffer[]>(); // by bytes
    for (const node of plan.stored) {
      const { operation } = node;
      if (operation.kind === "input") buffers.set(node, inputs[operation.name as N]);
    }
    const bytesOf = (node: PlanNode): number => 4 * batch * elements(node.shape);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { shader, pipeline, vectors, constants, last } of this.stages) {
      const bound = shader.buffers.map((node) => {
        const buffer = buffers.get(node) ?? spare.get(bytesOf(node))?.pop() ?? gpu.buffer(bytesOf(node));
        buffers.set(node, buffer);
        return buffer;
      });
      const resources = [vectors, constants, ...bound];
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        gpu.device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: resources.map((buffer, binding) => ({ binding, resource: { buffer } })),
        }),
      );
      pass.dispatchWorkgroups(...shader.groups(batch));
      for (const node of last) {
        const list = spare.get(bytesOf(node)) ?? [];
        spare.set(bytesOf(node), list);
        list.push(buffers.get(node)!);
      }
    }
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    for (const list of spare.values()) for (const buffer of list) buffer.destroy();
    return new Map(Object.entries(plan.outputs).map(([name, node]) => [name, buffers.get(node)!]));
  }

  dispose(): void {
    for (const { vectors, constants } of this.stages) {
      vectors.destroy();
      constants.destroy();
    }
  }
}
