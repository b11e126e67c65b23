/**
 * Rows that are decoded to their end, in slots: some hundred rows of state stay on the device, and a slot whose polygon
 * has ended is filled with the next row that waits, of whatever batch. So a batch's last, longest polygons do not leave
 * the device idle. Per row and step eight bytes come back. What else is in the slots does not change a row.
 */
import { EOS } from "../../geometry/grid.js";
import { unavailable } from "../../errors.js";
import type { DecodedRow } from "../engine.js";
import type { ChoiceBindings } from "./choose.js";
import { CHOICE_BYTES, readChoices } from "./choose.js";
import type { Gpu } from "./device.js";
import { ENDED } from "./plan.js";
import type { Program, Recorded } from "./program.js";

export interface SlotOptions {
  /** Slots, at least 1. */
  readonly rows: number;
  /** Steps in one submission, an even number. A slot waits half of them on average until it is filled again. */
  readonly stepsAtOnce: number;
}

/** Submissions under way: the device computes one while the host reads the one before. */
const SUBMISSIONS = 2;

const STATE = ["h1", "c1", "h2", "c2"] as const;
type StateName = (typeof STATE)[number];
/** Bytes of one row. */
export type RowBytes = Readonly<Record<StateName | "hoisted", number>>;

interface Task {
  readonly hoisted: GPUBuffer;
  readonly row: number;
  readonly first: number;
  readonly maxSteps: number;
  readonly chosen: number[];
  logProbability: number;
  isOver: boolean;
  /** Called when it is over. */
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** What is compiled once per engine. */
export interface StepKernels {
  /** Passes over rows that have ENDED. */
  readonly step: Program;
  readonly choose: (rows: number, bindings: ChoiceBindings) => Recorded;
}

export class Slots {
  private readonly tasks: (Task | undefined)[];
  private readonly waiting: Task[] = [];
  private isRunning = false;
  private readonly hoisted: GPUBuffer;
  /** Steps read one and write the other, in turn. */
  private readonly states: readonly [Record<StateName, GPUBuffer>, Record<StateName, GPUBuffer>];
  private readonly vertices: Readonly<Record<"first" | "previous" | "beforePrevious", GPUBuffer>>;
  private readonly choices: GPUBuffer;
  /** Bytes from one step's choices to the next one's; bindings start at multiples of 256. */
  private readonly stride: number;
  private readonly steps: readonly Recorded[];
  private readonly buffers: readonly GPUBuffer[];

  constructor(
    private readonly gpu: Gpu,
    { step, choose }: StepKernels,
    private readonly rowBytes: RowBytes,
    private readonly options: SlotOptions,
  ) {
    const { rows, stepsAtOnce } = options;
    const state = (): Record<StateName, GPUBuffer> => {
      const plane = (name: StateName): GPUBuffer => gpu.buffer(rows * rowBytes[name]);
      return { h1: plane("h1"), c1: plane("c1"), h2: plane("h2"), c2: plane("c2") };
    };
    const indices = (): GPUBuffer => gpu.upload(new Int32Array(rows).fill(ENDED));
    this.tasks = Array<Task | undefined>(rows).fill(undefined);
    this.hoisted = gpu.buffer(rows * rowBytes.hoisted);
    this.states = [state(), state()];
    this.vertices = { first: indices(), previous: indices(), beforePrevious: indices() };
    this.stride = Math.ceil((rows * CHOICE_BYTES) / 256) * 256;
    this.choices = gpu.buffer(stepsAtOnce * this.stride);
    const logits = gpu.buffer(4 * rows * (EOS + 1));
    const workspace = step.allocate(rows);
    const bindStep = (from: number): Recorded => {
      const [before, after] = [this.states[from]!, this.states[1 - from]!];
      const bindings: Record<string, GPUBufferBinding> = {
        hoisted: { buffer: this.hoisted },
        logits: { buffer: logits },
      };
      for (const [name, buffer] of Object.entries(this.vertices)) bindings[name] = { buffer };
      for (const name of STATE) bindings[name] = { buffer: before[name] };
      for (const name of STATE) bindings[`next_${name}`] = { buffer: after[name] };
      return step.bind(rows, bindings, workspace);
    };
    this.buffers = [this.hoisted, this.choices, logits, ...workspace].concat(
      [this.vertices, ...this.states].flatMap((named): GPUBuffer[] => Object.values(named)),
    );
    const turns = [bindStep(0), bindStep(1)];
    this.steps = Array.from({ length: stepsAtOnce }, (_, at): readonly Recorded[] => [
      turns[at % 2]!,
      choose(rows, {
        logits: { buffer: logits },
        choices: { buffer: this.choices, offset: at * this.stride, size: rows * CHOICE_BYTES },
        previous: { buffer: this.vertices.previous },
        before: { buffer: this.vertices.beforePrevious },
      }),
    ]).flat();
  }

  /**
   * @param hoisted rows of a batch; not freed before this is done
   * @param rows    which of them, one for each first vertex
   */
  async decode(
    hoisted: GPUBuffer,
    rows: readonly number[],
    firsts: readonly number[],
    maxSteps: number,
  ): Promise<readonly DecodedRow[]> {
    const tasks: Task[] = [];
    await Promise.all(
      rows.map(
        (row, at) =>
          new Promise<void>((done, fail) => {
            const start = { hoisted, row, first: firsts[at]!, maxSteps };
            tasks.push({ ...start, chosen: [], logProbability: 0, isOver: false, done, fail });
            this.waiting.push(tasks[at]!);
            if (!this.isRunning) void this.run();
          }),
      ),
    );
    return tasks.map(({ chosen, logProbability }) => ({ chosen, logProbability }));
  }

  /** Never rejects: an error goes to everybody who waits. */
  private async run(): Promise<void> {
    this.isRunning = true;
    await Promise.resolve(); // until the whole batch waits
    const underWay: Promise<void>[] = [];
    try {
      for (;;) {
        this.fill();
        const isBusy = this.tasks.some((task) => task !== undefined);
        if (isBusy) underWay.push(this.takeSteps());
        if (underWay.length === 0) break;
        if (!isBusy || underWay.length >= SUBMISSIONS) await underWay.shift();
      }
    } catch (error) {
      await Promise.allSettled(underWay);
      for (const task of [...this.tasks, ...this.waiting]) task?.fail(error);
      this.tasks.fill(undefined);
      this.waiting.length = 0;
    } finally {
      this.isRunning = false;
    }
  }

  /** Puts rows that wait into free slots, the first ones: a step computes no slot behind the last that is taken. */
  private fill(): void {
    const { gpu, rowBytes } = this;
    if (this.waiting.length === 0) return;
    const encoder = gpu.device.createCommandEncoder();
    for (const [slot, taken] of this.tasks.entries()) {
      if (taken !== undefined) continue;
      const task = this.waiting.shift();
      if (task === undefined) break;
      this.tasks[slot] = task;
      const bytes = rowBytes.hoisted;
      encoder.copyBufferToBuffer(task.hoisted, task.row * bytes, this.hoisted, slot * bytes, bytes);
      for (const name of STATE) encoder.clearBuffer(this.states[0][name], slot * rowBytes[name], rowBytes[name]);
      this.write("first", slot, task.first);
      this.write("previous", slot, task.first);
      this.write("beforePrevious", slot, EOS);
    }
    gpu.device.queue.submit([encoder.finish()]);
  }

  private write(name: "first" | "previous" | "beforePrevious", slot: number, index: number): void {
    this.gpu.device.queue.writeBuffer(this.vertices[name], 4 * slot, Int32Array.of(index));
  }

  private async takeSteps(): Promise<void> {
    const { gpu, options } = this;
    gpu.check();
    const tasks = this.tasks.slice();
    const rows = tasks.findLastIndex((task) => task !== undefined) + 1;
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const step of this.steps) step.record(pass, rows);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    const parts = Array.from({ length: options.stepsAtOnce }, (_, at) => ({
      buffer: this.choices,
      offset: at * this.stride,
      bytes: rows * CHOICE_BYTES,
    }));
    for (const bytes of await gpu.readAll(parts)) {
      const { chosen, logProbabilities } = readChoices(bytes);
      for (const [slot, task] of tasks.entries()) {
        if (task !== undefined && !task.isOver) this.grow(task, slot, chosen[slot]!, logProbabilities[slot]!);
      }
    }
  }

  private grow(task: Task, slot: number, index: number, logProbability: number): void {
    if (index > EOS || !(logProbability <= 0)) {
      throw unavailable(
        `WebGPU on ${this.gpu.adapter.name}: a step gave class ${index} with log-probability ${logProbability}`,
        "Use --device cpu, and check that the model's weights are those that were trained.",
      );
    }
    task.chosen.push(index);
    task.logProbability += logProbability;
    if (index !== EOS && task.chosen.length < task.maxSteps) return;
    task.isOver = true;
    this.tasks[slot] = undefined;
    if (index !== EOS) this.write("previous", slot, ENDED);
    task.done();
  }

  /** Nothing is under way. */
  dispose(): void {
    this.gpu.free(this.buffers);
  }

  /** Bytes that this keeps on the device. */
  static bytesOf({ hoisted, ...state }: RowBytes, { rows }: SlotOptions): number {
    return rows * (hoisted + 2 * Object.values(state).reduce((sum, bytes) => sum + bytes, 0));
  }
}
