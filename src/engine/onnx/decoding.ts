/**
 * A batch that onnxruntime is decoding. On a device that keeps tensors its planes never leave it: steps pass them on,
 * and a graph takes rows out. Elsewhere they lie in ordinary memory.
 */
import type { InferenceSession } from "onnxruntime-node";
import { Tensor } from "onnxruntime-node";
import { CELL_COUNT } from "../../geometry/grid.js";
import type { Decoding, EncodedBatch, StepDecoded, StepInput } from "../engine.js";

/** What a decoding holds for each of its rows, by graph input name. */
export const PLANES = ["hoisted", "h1", "c1", "h2", "c2"] as const;

/** Graph input name -> tensor. Each decoding has its own. */
export type Planes = Readonly<Record<(typeof PLANES)[number], Tensor>>;

/** The graphs of a decoder; engine/onnx/models.ts describes each. */
export interface DecoderSessions {
  readonly step: InferenceSession;
  /** Several steps. */
  readonly steps?: InferenceSession;
  /** Takes rows where the planes are; absent where they lie in ordinary memory. */
  readonly select?: InferenceSession;
}

/** What the encoder says of a batch. */
interface BatchMaps {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits?: Float32Array | undefined;
  readonly fineMaskLogits?: Float32Array | undefined;
}

export class OnnxDecoding implements EncodedBatch {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits: Float32Array | undefined;
  readonly fineMaskLogits: Float32Array | undefined;
  readonly steps: EncodedBatch["steps"];
  private planes: Promise<Planes>;
  /** Rows being taken out of this batch: the planes are freed after that. */
  private readonly selections: Promise<unknown>[] = [];
  private hasStepped = false;

  constructor(
    private readonly sessions: DecoderSessions,
    { size, firstVertexLogits, maskLogits, fineMaskLogits }: BatchMaps,
    planes: Planes | Promise<Planes>,
  ) {
    this.size = size;
    this.firstVertexLogits = firstVertexLogits;
    this.maskLogits = maskLogits;
    this.fineMaskLogits = fineMaskLogits;
    this.planes = Promise.resolve(planes);
    const { steps } = sessions;
    if (steps !== undefined) this.steps = (input) => this.runSteps(steps, input);
  }

  async step(input: StepInput): Promise<Float32Array> {
    const { logits } = await this.run(this.sessions.step, input);
    return floatsOf(logits!);
  }

  select(rows: readonly number[]): Decoding {
    const firstVertexLogits = rowsOf(this.firstVertexLogits, CELL_COUNT, rows);
    return new OnnxDecoding(this.sessions, { size: rows.length, firstVertexLogits }, this.takePlanes(rows));
  }

  dispose(): void {
    // Ordinary memory is the garbage collector's.
    if (this.sessions.select === undefined) return;
    void Promise.allSettled(this.selections).then(async () => {
      free(Object.values(await this.planes));
    });
  }

  private async runSteps(session: InferenceSession, input: StepInput): Promise<StepDecoded[]> {
    const outputs = await this.run(session, input);
    const decoded: StepDecoded[] = [];
    for (let at = 0; outputs[`logits_${at}`] !== undefined; at++) {
      decoded.push({ chosen: integersOf(outputs[`chosen_${at}`]!), logits: floatsOf(outputs[`logits_${at}`]!) });
    }
    return decoded;
  }

  private async run(session: InferenceSession, input: StepInput): Promise<Readonly<Record<string, Tensor>>> {
    const { hoisted, ...state } = await this.planes;
    const indices = (values: Int32Array): Tensor => new Tensor("int32", values, [this.size]);
    const outputs = await session.run({
      hoisted,
      ...state,
      first: indices(input.first),
      previous: indices(input.previous),
      before_previous: indices(input.beforePrevious),
    });
    this.hasStepped = true;
    this.planes = Promise.resolve({
      hoisted,
      h1: outputs["next_h1"]!,
      c1: outputs["next_c1"]!,
      h2: outputs["next_h2"]!,
      c2: outputs["next_c2"]!,
    });
    free(Object.values(state));
    return outputs;
  }

  private takePlanes(rows: readonly number[]): Promise<Planes> {
    const { planes, size, hasStepped } = this;
    const { select } = this.sessions;
    const taking = planes.then((all) =>
      select === undefined ? takeFromMemory(all, rows, { size, hasStepped }) : takeOnDevice(select, all, rows),
    );
    taking.catch(() => undefined); // thrown where the selection is stepped or freed
    if (select !== undefined) this.selections.push(taking);
    return taking;
  }
}

async function takeOnDevice(select: InferenceSession, planes: Planes, rows: readonly number[]): Promise<Planes> {
  const taken = await select.run({ rows: new Tensor("int32", Int32Array.from(rows), [rows.length]), ...planes });
  return planesOf((name) => taken[`taken_${name}`]!);
}

/** No plane is ever written again, so that all rows, and zeros, need no copy: they are most of what would be copied. */
function takeFromMemory(
  planes: Planes,
  rows: readonly number[],
  { size, hasStepped }: { readonly size: number; readonly hasStepped: boolean },
): Planes {
  if (rows.length === size && rows.every((row, at) => row === at)) return planes;
  const isZero = (name: keyof Planes): boolean => name !== "hoisted" && !hasStepped;
  return planesOf((name) =>
    isZero(name) && rows.length <= size ? firstRows(planes[name], rows.length) : takeRows(planes[name], rows),
  );
}

function planesOf(tensorOf: (name: keyof Planes) => Tensor): Planes {
  return {
    hoisted: tensorOf("hoisted"),
    h1: tensorOf("h1"),
    c1: tensorOf("c1"),
    h2: tensorOf("h2"),
    c2: tensorOf("c2"),
  };
}

/** Frees tensors that lie on a device. */
function free(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) if (tensor.location !== "cpu") tensor.dispose();
}

/** A view, not a copy. */
function firstRows(tensor: Tensor, count: number): Tensor {
  const [size, ...shape] = tensor.dims;
  return new Tensor("float32", floatsOf(tensor).subarray(0, (tensor.size / size!) * count), [count, ...shape]);
}

function takeRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [count, ...shape] = tensor.dims;
  const values = floatsOf(tensor);
  return new Tensor("float32", rowsOf(values, values.length / count!, rows), [rows.length, ...shape]);
}

function rowsOf(values: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const taken = new Float32Array(rows.length * width);
  rows.forEach((row, at) => {
    taken.set(values.subarray(row * width, (row + 1) * width), at * width);
  });
  return taken;
}

export function floatsOf(tensor: Tensor): Float32Array {
  if (!(tensor.data instanceof Float32Array))
    throw new Error(`expected a float32 tensor from onnxruntime, received ${tensor.type}`);
  return tensor.data;
}

function integersOf(tensor: Tensor): Int32Array {
  if (!(tensor.data instanceof Int32Array))
    throw new Error(`expected an int32 tensor from onnxruntime, received ${tensor.type}`);
  return tensor.data;
}
