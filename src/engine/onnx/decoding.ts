/**
 * A batch being drawn by onnxruntime. On a device that keeps tensors its planes never leave it: steps hand them on, and
 * rows are taken by a graph; elsewhere they lie in ordinary memory.
 */
import type { InferenceSession } from "onnxruntime-node";
import { Tensor } from "onnxruntime-node";
import { CELL_COUNT } from "../../geometry/grid.js";
import type { Decoding, StepDecoded, StepInput } from "../engine.js";
import type { PLANES } from "./models.js";

/** Graph input name -> tensor. Each decoding has its own. */
export type Planes = Readonly<Record<(typeof PLANES)[number], Tensor>>;

export interface DecoderSessions {
  /** One step; see engine/onnx/models.ts. */
  readonly step: InferenceSession;
  /** Several steps; see engine/onnx/models.ts. */
  readonly steps?: InferenceSession;
  /** Takes rows where the planes are; absent where they lie in ordinary memory. */
  readonly select?: InferenceSession;
}

export class OnnxDecoding implements Decoding {
  readonly steps: Decoding["steps"];
  /** Rows being taken out of this batch: the planes are freed after that. */
  private readonly selections: Promise<unknown>[] = [];
  private hasStepped = false;

  constructor(
    private readonly sessions: DecoderSessions,
    readonly size: number,
    readonly firstVertexLogits: Float32Array,
    private planes: Planes | Promise<Planes>,
  ) {
    const { steps } = sessions;
    if (steps !== undefined) this.steps = (input) => this.runSteps(steps, input);
  }

  async step(input: StepInput): Promise<Float32Array> {
    const { logits } = await this.run(this.sessions.step, input);
    return floatsOf(logits!);
  }

  select(rows: readonly number[]): Decoding {
    const planes = this.takePlanes(rows);
    return new OnnxDecoding(this.sessions, rows.length, rowsOf(this.firstVertexLogits, CELL_COUNT, rows), planes);
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
    const drawn: StepDecoded[] = [];
    for (let at = 0; outputs[`logits_${at}`] !== undefined; at++) {
      drawn.push({ chosen: integersOf(outputs[`chosen_${at}`]!), logits: floatsOf(outputs[`logits_${at}`]!) });
    }
    return drawn;
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
    this.planes = {
      hoisted,
      h1: outputs["next_h1"]!,
      c1: outputs["next_c1"]!,
      h2: outputs["next_h2"]!,
      c2: outputs["next_c2"]!,
    };
    free(Object.values(state));
    return outputs;
  }

  private takePlanes(rows: readonly number[]): Planes | Promise<Planes> {
    const { select } = this.sessions;
    const { planes } = this;
    if (select === undefined) return this.takeFromMemory(planes as Planes, rows);
    const taking = (async () => {
      const taken = await select.run({
        rows: new Tensor("int32", Int32Array.from(rows), [rows.length]),
        ...(await planes),
      });
      return planesOf((name) => taken[`taken_${name}`]!);
    })();
    taking.catch(() => undefined); // met where the selection is stepped or freed
    this.selections.push(taking);
    return taking;
  }

  /**
   * No plane is ever written again, so that all rows, and zeros, need no copy: they are most of what a run would copy.
   */
  private takeFromMemory(planes: Planes, rows: readonly number[]): Planes {
    if (rows.length === this.size && rows.every((row, at) => row === at)) return planes;
    const isZero = (name: keyof Planes): boolean => name !== "hoisted" && !this.hasStepped;
    return planesOf((name) =>
      isZero(name) && rows.length <= this.size ? firstRows(planes[name], rows.length) : takeRows(planes[name], rows),
    );
  }
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
