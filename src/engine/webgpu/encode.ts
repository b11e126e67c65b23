/**
 * Crops -> what the encoder gives of them. Maps come back to the host, the image's part of the gates stays on the
 * device. So do the crops, for as long as somebody may want them flipped: that takes an index per row, not an upload.
 */
import { CELL_COUNT, FINE_COUNT } from "../../geometry/grid.js";
import type { EncodedBatch } from "../engine.js";
import type { Gpu } from "./device.js";
import type { Program } from "./program.js";
import { submit } from "./program.js";

export interface EncodeOptions {
  /** Crops in one run of the kernels, a multiple of 8. As many as ENCODER_BYTES hold when absent. */
  readonly encodedAtOnce?: number;
  /** Bytes of crops that stay on the device, at most. Batches beyond are flipped on the host. */
  readonly keptBytes?: number;
}

/** Layers of all crops that one run of the encoder computes. More crops fill a device better, to a point. */
const ENCODER_BYTES = 512 * 2 ** 20;
const MOST_ENCODED_AT_ONCE = 64;
/** Bindings start at multiples of 256 bytes. Eight rows of any tensor of the grid are one: 8 * 784 * 2 = 49 * 256. */
const ROW_STEP = 8;
/** Twice what three batches of 256 crops take. */
const KEPT_BYTES = 256 * 2 ** 20;

/** Maps that come back from the encoder, and their values per crop. */
const MAPS = [
  ["vertex", CELL_COUNT],
  ["mask", CELL_COUNT],
  ["fineMask", FINE_COUNT],
] as const;

export interface Encoded {
  readonly maps: Pick<EncodedBatch, "firstVertexLogits" | "maskLogits" | "fineMaskLogits">;
  /** The image's part of the gates, a row per crop. */
  readonly hoisted: HeldBuffer;
}

/** A buffer that several share: it is freed when the last of them releases it. */
export class HeldBuffer {
  private holders = 1;

  constructor(
    readonly buffer: GPUBuffer,
    private readonly free: (buffer: GPUBuffer) => void,
  ) {}

  hold(): this {
    if (this.holders === 0) throw new Error("what a disposed batch had on the device is gone");
    this.holders++;
    return this;
  }

  release(): void {
    if (--this.holders === 0) this.free(this.buffer);
  }
}

type Bindings = Readonly<Record<string, GPUBufferBinding>>;

export class CropEncoder {
  private readonly encodedAtOnce: number;
  private readonly mostKept: number;
  private kept = 0;
  /** Views of rows in order, as they lie. */
  private readonly inOrder: GPUBuffer;

  /** @param hoistedBytes of a row of `hoisted` */
  constructor(
    private readonly gpu: Gpu,
    readonly program: Program,
    private readonly hoistedBytes: number,
    { encodedAtOnce = cropsAtOnce(program), keptBytes = KEPT_BYTES }: EncodeOptions,
  ) {
    this.encodedAtOnce = encodedAtOnce;
    this.mostKept = keptBytes;
    this.inOrder = gpu.upload(Int32Array.from({ length: encodedAtOnce }, (_, row) => row));
  }

  /** Bytes of crops that stay on the device now. */
  get cropBytes(): number {
    return this.kept;
  }

  /** @returns the crops as well, to be released, unless too many are kept already */
  async encode(pixels: Uint8Array, count: number): Promise<Encoded & { readonly crops: HeldBuffer | undefined }> {
    const rowBytes = pixels.length / count;
    // Taken over by Dawn before the call returns. A copy of our own would be .2 ms per crop.
    const crops = this.gpu.upload(isUnshared(pixels) ? pixels : Uint8Array.from(pixels));
    try {
      const encoded = await this.run(count, (start, rows) => ({
        pixels: { buffer: crops, offset: start * rowBytes, size: rows * rowBytes },
        views: { buffer: this.inOrder },
      }));
      return { ...encoded, crops: this.keep(crops) };
    } catch (error) {
      this.gpu.free([crops]);
      throw error;
    }
  }

  /** @param crops of `encode`, whose caller holds them @param rows which of them, each flipped; they may repeat */
  async encodeFlipped({ buffer }: HeldBuffer, rows: readonly number[]): Promise<Encoded> {
    const { gpu } = this;
    const uploaded: GPUBuffer[] = [];
    try {
      return await this.run(rows.length, (start, count) => {
        const views = gpu.upload(Int32Array.from(rows.slice(start, start + count), (row) => ~row));
        uploaded.push(views);
        return { pixels: { buffer }, views: { buffer: views } };
      });
    } finally {
      gpu.free(uploaded);
    }
  }

  dispose(): void {
    this.program.dispose();
    this.gpu.free([this.inOrder]);
  }

  /** @param inputsOf bindings for a piece of the batch */
  private async run(count: number, inputsOf: (start: number, rows: number) => Bindings): Promise<Encoded> {
    const { gpu, program, hoistedBytes } = this;
    const maps = MAPS.filter(([name]) => program.outputs.has(name));
    const hoisted = new HeldBuffer(gpu.buffer(count * hoistedBytes), (buffer) => {
      gpu.free([buffer]);
    });
    const outputs: { readonly name: string; readonly rowBytes: number; readonly buffer: GPUBuffer }[] = [];
    try {
      for (const [name, values] of maps) {
        outputs.push({ name, rowBytes: 4 * values, buffer: gpu.buffer(4 * values * count) });
      }
      const whole = [{ name: "hoisted", rowBytes: hoistedBytes, buffer: hoisted.buffer }, ...outputs];
      for (let start = 0; start < count; start += this.encodedAtOnce) {
        const rows = Math.min(this.encodedAtOnce, count - start);
        const piece = whole.map(({ name, rowBytes, buffer }) => {
          const binding: GPUBufferBinding = { buffer, offset: start * rowBytes, size: rows * rowBytes };
          return [name, binding] as const;
        });
        submit(gpu, [program.bind(rows, { ...inputsOf(start, rows), ...Object.fromEntries(piece) })]);
      }
      const read = await gpu.readAll(outputs.map(({ buffer, rowBytes }) => ({ buffer, bytes: count * rowBytes })));
      const [vertex, mask, fineMask] = MAPS.map(([name]) => {
        const at = maps.findIndex(([known]) => known === name);
        return at < 0 ? undefined : new Float32Array(read[at]!);
      });
      return { maps: { firstVertexLogits: vertex!, maskLogits: mask, fineMaskLogits: fineMask }, hoisted };
    } catch (error) {
      hoisted.release();
      throw error;
    } finally {
      gpu.free(outputs.map(({ buffer }) => buffer));
    }
  }

  private keep(crops: GPUBuffer): HeldBuffer | undefined {
    if (this.kept + crops.size > this.mostKept) {
      this.gpu.free([crops]);
      return undefined;
    }
    this.kept += crops.size;
    return new HeldBuffer(crops, () => {
      this.kept -= crops.size;
      this.gpu.free([crops]);
    });
  }
}

function cropsAtOnce({ workspaceBytes }: Program): number {
  const fitting = Math.floor(ENCODER_BYTES / workspaceBytes / ROW_STEP) * ROW_STEP;
  return Math.min(MOST_ENCODED_AT_ONCE, Math.max(ROW_STEP, fitting));
}

function isUnshared(pixels: Uint8Array): pixels is Uint8Array<ArrayBuffer> {
  return pixels.buffer instanceof ArrayBuffer;
}
