/**
 * What every function of the library shares: how it is stopped, and how its options are checked. Callers may be plain
 * JavaScript and pass on what their own users typed, so types alone promise nothing. Ranges are those of the command
 * line; test/library holds both, and the defaults, against its option tables.
 */
import type { ReportedFailure } from "../annotate/options.js";
import type { BoxUnit } from "../dataset/relative-boxes.js";
import { BOX_UNITS } from "../dataset/relative-boxes.js";
import type { Rasterizer } from "../geometry/iou.js";
import { receivedOf, usageError } from "../errors.js";
import { nearestName } from "../nearest.js";
import { DEFAULT_CANDIDATES, MAX_CANDIDATES, MAX_STEPS, MAX_STEPS_RANGE } from "../predict/options.js";
import { compileSchema, describeViolation, lazily } from "../validate.js";

/** Options of every function that takes a while. */
export interface CallOptions {
  /** Stops the work; each function says what it does then. */
  readonly signal?: AbortSignal;
}

/** Options that name a data set. */
export interface BoxOptions {
  /**
   * What the numbers of the boxes count: image pixels from 0, from 1 (some Pascal VOC files), or shares of width and
   * height, 0 to 1. Absent: pixels, or what the files tell.
   */
  readonly boxesAre?: BoxUnit;
}

/** Options that say how polygons are predicted. */
export interface PredictingOptions {
  /** Added to the long side of the box, as a ratio, 0 to 1. Absent: what the model was trained with. */
  readonly context?: number;
  /** Vertices of a polygon at most, 3 to 500. Default: 71. */
  readonly maxSteps?: number;
  /** Polygons predicted per box at most, of which the best is taken, 1 to 10. Default: 4. */
  readonly candidates?: number;
  /** Fit with mask and box, 0 to 1, from which a polygon is not predicted again. Absent: chosen by the model. */
  readonly sure?: number;
  /** Boxes per call of the network, 1 to 256; does not change a polygon. Absent: chosen from the device. */
  readonly batchSize?: number;
}

/** Options that say how results are measured. */
export interface MeasureOptions {
  /** Rule by which outlines become masks: COCO's or Pillow's. Default: "coco". */
  readonly rasterizer?: Rasterizer;
  /** "none", "prefix" (of file names, up to the first _), or the name of a field of the images. Default: "none". */
  readonly groupBy?: string;
  /** Seed of the bootstrap, 0 to 2^32 - 1. Default: 1. */
  readonly seed?: number;
  /** Resamples of the bootstrap, 0 to 100000; 0: no intervals. Default: 1000. */
  readonly resamples?: number;
}

/** Options that say what computes. */
export interface DeviceOptions {
  /** Default: "auto", the first of CUDA, WebGPU and CPU that works here. */
  readonly device?: "auto" | "cpu" | "webgpu" | "cuda";
  /** Of kernels on a GPU through WebGPU. Default: "auto", which is float32. */
  readonly precision?: "auto" | "float32" | "float16";
  /** CPU cores to compute on, 1 to 256. Absent: all. Does not change a polygon. */
  readonly threads?: number;
}

/** Options of the functions that predict a whole data set, and what they call on the way. */
export interface DataSetOptions<Progress> extends CallOptions, BoxOptions, PredictingOptions, DeviceOptions {
  /** Folder that is searched for images, at any depth. */
  readonly images: string;
  /** Name of a bundled model, or path of a model folder. Default: "mobile". */
  readonly model?: string;
  /** Names or ids of categories; only these are predicted. Default: all. */
  readonly categories?: readonly string[];
  /** Predict at most this many instances, in input order, 1 or more. */
  readonly limit?: number;
  /** Called after every batch. */
  readonly onProgress?: (progress: Progress) => void;
  /** Called for every instance without a polygon; failures do not end a run. */
  readonly onFailure?: (failure: ReportedFailure) => void;
  /** One line for people: a stage begins, or a warning. */
  readonly onNote?: (line: string) => void;
}

export const PREDICTING_DEFAULTS = { maxSteps: MAX_STEPS, candidates: DEFAULT_CANDIDATES } as const;
export const MEASURE_DEFAULTS = { rasterizer: "coco", groupBy: "none", seed: 1, resamples: 1000 } as const;
export const DEVICE_DEFAULT = "auto";
export const MODEL_DEFAULT = "mobile";
export const DATA_SET_DEFAULTS = {
  ...PREDICTING_DEFAULTS,
  model: MODEL_DEFAULT,
  device: DEVICE_DEFAULT,
  precision: "auto",
  categories: [],
} as const;

/** JSON schemas of options, for `optionChecker`. */
export const TEXT = { type: "string", minLength: 1 } as const;
export const FLAG = { type: "boolean" } as const;
export const RATIO = { type: "number", minimum: 0, maximum: 1 } as const;
export const NAMES = { type: "array", items: TEXT } as const;
export const from = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): object => ({
  type: "integer",
  minimum,
  maximum,
});
export const oneOf = (...words: readonly string[]): object => ({ enum: words });

export const BOX_ROWS = { boxesAre: oneOf(...BOX_UNITS) };
export const MEASURE_ROWS = {
  rasterizer: oneOf("coco", "pil"),
  groupBy: TEXT,
  seed: from(0, 2 ** 32 - 1),
  resamples: from(0, 100_000),
};
export const DEVICE_ROWS = {
  device: oneOf("auto", "cpu", "webgpu", "cuda"),
  precision: oneOf("auto", "float32", "float16"),
  threads: from(1, 256),
};
export const PREDICTING_ROWS = {
  context: RATIO,
  maxSteps: from(MAX_STEPS_RANGE.low, MAX_STEPS_RANGE.high),
  candidates: from(1, MAX_CANDIDATES),
  sure: RATIO,
  batchSize: from(1, 256),
};

export const DATA_SET_ROWS = {
  ...BOX_ROWS,
  ...PREDICTING_ROWS,
  ...DEVICE_ROWS,
  images: TEXT,
  model: TEXT,
  categories: NAMES,
  limit: from(1),
};

/** The callbacks of a call, with something in place of those that were not given. */
export function hostOf<Progress>({
  signal,
  onNote,
  onProgress,
  onFailure,
}: {
  readonly [K in "signal" | "onNote" | "onProgress" | "onFailure"]: DataSetOptions<Progress>[K] | undefined;
}): {
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
  readonly progress: (progress: Progress) => void;
  readonly failure: (failure: ReportedFailure) => void;
} {
  return {
    signal: signal ?? neverStops(),
    note: onNote ?? ignore,
    progress: onProgress ?? ignore,
    failure: onFailure ?? ignore,
  };
}

/**
 * @param call     name of the function, opens the message
 * @param rows     schema of each option but `signal` and those that begin with "on", which are functions
 * @param required names without which there is nothing to do
 * @returns a function that checks options and leaves out those that are undefined; it throws E_USAGE
 */
export function optionChecker<O extends CallOptions>(
  call: string,
  rows: Readonly<Record<string, object>>,
  required: readonly (string & keyof O)[],
): (options: O) => O {
  const problemOf = lazily(() =>
    compileSchema({ type: "object", required, properties: rows, additionalProperties: false }),
  );
  return (options) => {
    const given: unknown = options;
    if (typeof given !== "object" || given === null)
      throw wrong(call, `expected an object with options but received ${receivedOf(given)}`);
    const defined = Object.entries(given).filter(([, value]) => value !== undefined);
    const plain = defined.filter(([name, value]: [string, unknown]) => {
      if (name === "signal") {
        if (value instanceof AbortSignal) return false;
        throw wrong(call, `expected signal to be an AbortSignal but received ${receivedOf(value)}`);
      }
      if (!/^on[A-Z]/.test(name)) return true;
      if (typeof value === "function") return false;
      throw wrong(call, `expected ${name} to be a function but received ${receivedOf(value)}`);
    });
    const unknown = plain.find(([name]) => !Object.hasOwn(rows, name));
    if (unknown !== undefined) {
      const guess = nearestName(unknown[0], Object.keys(rows));
      throw wrong(
        call,
        `expected options of this function but received ${receivedOf(unknown[0])}`,
        guess === undefined ? undefined : `Did you mean ${guess}?`,
      );
    }
    const problem = problemOf(Object.fromEntries(plain));
    if (problem !== undefined) throw wrong(call, describeViolation(problem));
    return Object.fromEntries(defined) as O;
  };
}

function wrong(call: string, message: string, hint = "docs/library.md lists the options."): Error {
  return usageError(`${call}(): ${message}`, hint);
}

/** Stands for a callback that was not given. */
export function ignore(): void {
  return undefined;
}

/** For a caller who cannot stop the work. */
export function neverStops(): AbortSignal {
  return new AbortController().signal;
}
