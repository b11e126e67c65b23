/**
 * A WebGPU device through the package `webgpu` (Dawn), which is optional. Whatever goes wrong on the device is kept and
 * thrown at the next call that waits for it. Memory on the device is counted and bounded.
 */
import type {} from "webgpu";
import { count } from "../../count.js";
import { gone, reasonOf, unavailable } from "../../errors.js";
import type { Precision } from "../engine.js";
import type { AdapterReport } from "./adapter.js";
import { MEMORY_BOUND, reportOf, requestAdapter } from "./adapter.js";

/** As in the specification of WebGPU; the names are global only in a browser. */
const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const;
const MAP_READ = 1;

export class Gpu {
  private failure: string | undefined;
  private isClosing = false;
  private used = 0;
  private peak = 0;
  /** Bytes of every buffer there is. */
  private readonly sizes = new Map<GPUBuffer, number>();
  /** By their shader's text: networks repeat layers, and a device compiles the same text again while another does. */
  readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();

  private constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterReport,
    private readonly memoryBound: number,
  ) {
    void device.lost.then(({ message }) => {
      if (!this.isClosing) this.failure ??= `the device was lost (${firstLine(message)})`;
    });
    device.onuncapturederror = ({ error }) => {
      this.failure ??= firstLine(error.message);
    };
  }

  /** @throws E_UNAVAILABLE without the package, an adapter, or a device */
  static async open(options: { readonly memoryBound?: number; readonly precision?: Precision } = {}): Promise<Gpu> {
    const { memoryBound = MEMORY_BOUND, precision } = options;
    const adapter = await requestAdapter();
    const { limits } = adapter;
    const device = await adapter.requestDevice({
      requiredFeatures: precision === "float16" ? ["shader-f16"] : [],
      requiredLimits: {
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxBufferSize: limits.maxBufferSize,
      },
    });
    return new Gpu(device, reportOf(adapter), memoryBound);
  }

  /** Over a device of the caller's: one that only records, for measuring what the host does (bench/host.mjs). */
  static over(device: GPUDevice, adapter: AdapterReport): Gpu {
    return new Gpu(device, adapter, MEMORY_BOUND);
  }

  /** Bytes on the device: those of now, the most there were, and the bound. */
  get memory(): { readonly used: number; readonly peak: number; readonly bound: number } {
    return { used: this.used, peak: this.peak, bound: this.memoryBound };
  }

  /** @throws E_UNAVAILABLE when anything failed on the device since it was opened */
  check(): void {
    if (this.failure === undefined) return;
    throw gone(`WebGPU on ${this.adapter.name}: ${this.failure}`, "Use --device cpu, or start the run again.");
  }

  /** Filled with zeros. */
  buffer(bytes: number): GPUBuffer {
    this.check();
    const { maxStorageBufferBindingSize } = this.device.limits;
    if (bytes > maxStorageBufferBindingSize) {
      throw this.unavailable(
        `a buffer needs ${count(bytes, "byte")} but the adapter binds ${maxStorageBufferBindingSize}`,
        "Use a smaller --batch-size, or --device cpu.",
      );
    }
    return this.counted(Math.max(16, Math.ceil(bytes / 4) * 4), USAGE.storage | USAGE.copySource | USAGE.copyTarget);
  }

  upload(
    values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint8Array<ArrayBuffer>,
  ): GPUBuffer {
    const buffer = this.buffer(values.byteLength);
    this.device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  }

  free(buffers: Iterable<GPUBuffer>): void {
    for (const buffer of buffers) {
      if (this.sizes.get(buffer) === undefined) continue;
      this.used -= this.sizes.get(buffer)!;
      this.sizes.delete(buffer);
      buffer.destroy();
    }
  }

  /** @param bytes from the start of the buffer, a multiple of 4 */
  async read(buffer: GPUBuffer, bytes: number): Promise<Float32Array> {
    const [values] = await this.readAll([{ buffer, bytes }]);
    return new Float32Array(values!);
  }

  /** The same for several buffers, with one wait. */
  async readAll(
    parts: readonly { readonly buffer: GPUBuffer; readonly offset?: number; readonly bytes: number }[],
  ): Promise<readonly ArrayBuffer[]> {
    const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    this.check();
    const target = this.counted(total, USAGE.mapRead | USAGE.copyTarget);
    try {
      const encoder = this.device.createCommandEncoder();
      let at = 0;
      for (const { buffer, offset = 0, bytes } of parts) {
        encoder.copyBufferToBuffer(buffer, offset, target, at, bytes);
        at += bytes;
      }
      this.device.queue.submit([encoder.finish()]);
      try {
        await target.mapAsync(MAP_READ);
      } catch (error) {
        this.failure ??= `reading failed (${firstLine(reasonOf(error))})`;
      }
      this.check();
      const mapped = target.getMappedRange();
      let start = 0;
      return parts.map(({ bytes }) => mapped.slice(start, (start += bytes)));
    } finally {
      this.free([target]);
    }
  }

  /** Ends what is under way: whoever waits for it gets an error. */
  close(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.failure ??= "it was closed";
    this.device.destroy();
  }

  private counted(size: number, usage: number): GPUBuffer {
    if (this.used + size > this.memoryBound) {
      throw this.unavailable(
        `${count(size, "byte")} more than the ${this.used} in use would exceed the bound of ${this.memoryBound}`,
        "Use a smaller --batch-size, or --device cpu.",
      );
    }
    const buffer = this.device.createBuffer({ size, usage });
    this.sizes.set(buffer, size);
    this.used += size;
    this.peak = Math.max(this.peak, this.used);
    return buffer;
  }

  private unavailable(what: string, hint: string): Error {
    return unavailable(`WebGPU on ${this.adapter.name}: ${what}`, hint);
  }
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0]!.slice(0, 200);
}
