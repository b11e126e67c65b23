/**
 * What predict/ asks of an engine, whatever the architecture and whoever computes it.
 *
 *     encode(crops)          -> a batch before its first step: first-vertex logits, zero state, hoisted gates
 *     decoding.step(y)       -> logits [B, 785]; the state moves on
 *     decoding.steps?(y)     -> several steps, each with the best class of the one before
 *     decoding.decode?(y(1)) -> all steps of every row, each with the best class of the one before
 *     decoding.select(rows)  -> the Decoding of some of its rows
 *     batch.flipped?(rows)   -> the batch of some of its crops, left and right exchanged
 */

export type EngineName = "onnxruntime" | "tfjs" | "wgsl";
export type DeviceName = "cpu" | "webgpu" | "cuda";
/** Of weights and of what lies between layers. Sums are float32 in any case. */
export type Precision = "float32" | "float16";

/** The vertices a step sees, one entry per row, each 0..784; 784 means no vertex (an all-zero grid). */
export interface StepInput {
  /** y(1), the first vertex. */
  readonly first: Int32Array;
  /** y(t-1). */
  readonly previous: Int32Array;
  /** y(t-2). */
  readonly beforePrevious: Int32Array;
}

/** One of several steps taken in one call. */
export interface StepDecoded {
  /** Class with the highest logit of each row, 0..784, the first of equals; the next step saw it as y(t-1). */
  readonly chosen: Int32Array;
  /** [size, 785], row-major. */
  readonly logits: Float32Array;
}

/** A row that was decoded to its end. */
export interface DecodedRow {
  /** Class of each step, 0..784; the last is 784 unless the step limit came before. */
  readonly chosen: readonly number[];
  /** Sum over the steps, as in predict/choose-vertex.ts; at most 0. */
  readonly logProbability: number;
}

/** A batch in the middle of decoding. Whoever holds it disposes it; one call at a time. */
export interface Decoding {
  /** Rows: instances in this batch. */
  readonly size: number;
  /** First-vertex logits [size, 784], row-major. */
  readonly firstVertexLogits: Float32Array;
  /** One decoder step for every row. @returns logits [size, 785], row-major; a fresh array the caller may keep. */
  step(input: StepInput): Promise<Float32Array>;
  /**
   * As many steps as the engine takes at once, each seeing what the one before chose, so that the state never leaves
   * the device. Absent where a call costs no more than its arithmetic.
   */
  readonly steps?: ((input: StepInput) => Promise<readonly StepDecoded[]>) | undefined;
  /**
   * Every row from its first vertex to its end, of a batch before its first step. Rows of several batches may share the
   * device. Absent where the host chooses at every step.
   * @param firsts   first vertex of each row, 0..783
   * @param maxSteps decoder steps at most, at least 1
   */
  readonly decode?: ((firsts: readonly number[], maxSteps: number) => Promise<readonly DecodedRow[]>) | undefined;
  /**
   * A new Decoding made of the given rows of this one, features and state as they are now. Rows may repeat (a beam,
   * several thresholds of one instance). This one stays valid and is still to be disposed.
   */
  select(rows: readonly number[]): Decoding;
  dispose(): void;
}

/** A batch before its first step. */
export interface EncodedBatch extends Decoding {
  /** Logits of the object's mask [size, 784], row-major; a network without such a map has none. */
  readonly maskLogits?: Float32Array | undefined;
  /** Logits of the refined mask [size, 112 * 112], row-major; only networks with the option `refine` have one. */
  readonly fineMaskLogits?: Float32Array | undefined;
  /**
   * The same bits as `encode` gives for these crops flipped, without handing pixels over again. Absent where the crops
   * are not kept: predict/decode.ts flips pixels then. Disposed by whoever asked; this batch may be disposed before.
   * @param rows whose crops; they may repeat
   */
  readonly flipped?: ((rows: readonly number[]) => Promise<EncodedBatch>) | undefined;
}

export interface Engine {
  readonly name: EngineName;
  readonly device: DeviceName;
  /** Library and version for the run summary, for example "onnxruntime-node 1.30.0"; float16 is named there. */
  readonly version: string;
  /** float32 when absent. */
  readonly precision?: Precision;
  /** For people: the precision that was chosen, and why. */
  readonly remark?: string | undefined;
  /** @param pixels [count, 224, 224, 3] uint8 RGB */
  encode(pixels: Uint8Array, count: number): Promise<EncodedBatch>;
  dispose(): Promise<void>;
}
