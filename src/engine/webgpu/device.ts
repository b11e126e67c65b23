/**
 * A WebGPU device through the package `webgpu` (Dawn), which is optional. Whatever goes wrong on the device is kept and
 * thrown at the next call that waits for it.
 */
import type {} from "webgpu";
import { count } from "../../count.js";
import { reasonOf, unavailable } from "../../errors.js";

/** As in the specification of WebGPU; the names are global only in a browser. */
const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const;
const MAP_READ = 1;

/** Dawn ends the process when this is collected while devices live (node-webgpu#18). */
let held: { gpu: GPU } | undefined;

export class Gpu {
  private failure: string | undefined;
  private isClosing = false;

  private constructor(
    readonly device: GPUDevice,
    /** Name of the adapter, for messages. */
    readonly adapterName: string,
  ) {
    void device.lost.then(({ message }) => {
      if (!this.isClosing) this.failure ??= `the device was lost (${firstLine(message)})`;
    });
    device.onuncapturederror = ({ error }) => {
      this.failure ??= firstLine(error.message);
    };
  }

  /** @throws E_UNAVAILABLE without the package, an adapter, or a device */
  static async open(): Promise<Gpu> {
    held ??= { gpu: await loadGpu() };
    const adapter = await held.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null) {
      throw unavailable(
        "WebGPU: expected an adapter but found none",
        "Install the GPU's driver with Vulkan support and the Vulkan loader (Debian and Ubuntu: libvulkan1).",
      );
    }
    const { limits, info } = adapter;
    const device = await adapter.requestDevice({
      requiredLimits: {
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxBufferSize: limits.maxBufferSize,
      },
    });
    return new Gpu(device, info.description || info.device || info.vendor);
  }

  /** @throws E_UNAVAILABLE when anything failed on the device since it was opened */
  check(): void {
    if (this.failure !== undefined) {
      throw unavailable(`WebGPU on ${this.adapterName}: ${this.failure}`, "Use --device cpu, or start the run again.");
    }
  }

  /** Filled with zeros. */
  buffer(bytes: number): GPUBuffer {
    this.check();
    const { maxStorageBufferBindingSize } = this.device.limits;
    if (bytes > maxStorageBufferBindingSize) {
      throw unavailable(
        `WebGPU on ${this.adapterName}: a buffer needs ${count(bytes, "byte")} but the adapter binds ${maxStorageBufferBindingSize}`,
        "Use a smaller --batch, or --device cpu.",
      );
    }
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    return this.device.createBuffer({ size: Math.max(16, Math.ceil(bytes / 4) * 4), usage });
  }

  upload(values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.buffer(values.byteLength);
    this.device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  }

  /** @param bytes from the start of the buffer */
  async read(buffer: GPUBuffer, bytes: number): Promise<Float32Array> {
    const target = this.device.createBuffer({ size: bytes, usage: USAGE.mapRead | USAGE.copyTarget });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, target, 0, bytes);
      this.device.queue.submit([encoder.finish()]);
      try {
        await target.mapAsync(MAP_READ);
      } catch (error) {
        this.failure ??= `reading failed (${firstLine(reasonOf(error))})`;
      }
      this.check();
      return new Float32Array(target.getMappedRange().slice(0));
    } finally {
      target.destroy();
    }
  }

  close(): void {
    this.isClosing = true;
    this.failure ??= "it was closed";
    this.device.destroy();
  }
}

async function loadGpu(): Promise<GPU> {
  try {
    const { create } = await import("webgpu");
    return create([]);
  } catch (error) {
    throw unavailable(
      `WebGPU: the package webgpu does not load (${firstLine(reasonOf(error))})`,
      "Install it beside the program: npm install webgpu",
    );
  }
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0]!.slice(0, 200);
}
