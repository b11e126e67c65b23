/**
 * What travels through the queue: a job (images with their boxes), its result, and what a worker says of itself. Both
 * ends check what they receive, because anyone who reaches the Redis server can write there. Every list and text has an
 * upper limit, so that what passes is small; unknown fields are refused, so that what passes is ours.
 */
import { MAX_CANDIDATES, MAX_STEPS_RANGE } from "../predict/options.js";
import type { DoneOutcome, FailedOutcome, FailReason, Id, SkippedOutcome } from "../types.js";
import { compileSchema, lazily } from "../validate.js";

/** The version of jobs and results this program reads and writes. */
export const JOB_VERSION = 1;

/** Instances of one job at most: the largest batch a run may ask for. */
export const MOST_INSTANCES = 256;

/** Characters of an image's path or address. */
export const LONGEST_SOURCE = 4096;

/** Workers that may fail at a job, at most. */
export const MOST_ATTEMPTS = 10;

export interface JobInstance {
  readonly ordinal: number;
  readonly annotationId: Id;
  readonly imageId: Id;
  /** Left, top, width, height in image pixels. */
  readonly box: readonly [number, number, number, number];
}

/** Exactly one of the two. A path is relative to the image folder of whoever reads it, "/" between parts. */
export type ImageSource = { readonly path: string } | { readonly address: string };

export type JobImage = ImageSource & {
  /** What the annotation file claims, pixels. */
  readonly width?: number;
  readonly height?: number;
  readonly instances: readonly JobInstance[];
};

/**
 * One batch of a run; the images are in input order, and an image may come again in the next job with its other boxes.
 */
export interface Job {
  readonly type: "polyrnn-job";
  readonly version: typeof JOB_VERSION;
  /** Which run: a hash of its identity. */
  readonly run: string;
  /** sha256 of the model. */
  readonly model: string;
  readonly options: {
    readonly context: number;
    readonly maxSteps: number;
    readonly candidates: number;
    readonly sure?: number;
    readonly minScore: number;
    readonly simplify: number;
  };
  /** Workers that may fail at it before it is parked. */
  readonly attempts: number;
  readonly images: readonly JobImage[];
}

type Bare<O> = Omit<O, "annotationId" | "imageId">;
/** An outcome without the ids, which the coordinator knows: results are keyed by ordinal. */
export type JobOutcome = Bare<DoneOutcome> | Bare<SkippedOutcome> | Bare<FailedOutcome>;

export interface JobResult {
  readonly type: "polyrnn-result";
  readonly version: typeof JOB_VERSION;
  readonly model: string;
  readonly engine: string;
  readonly device: string;
  readonly engineVersion: string;
  /** Time per stage, for the summary. */
  readonly milliseconds: Readonly<Record<"decode" | "crop" | "encode" | "steps", number>>;
  readonly outcomes: readonly JobOutcome[];
}

/** Kept in Redis while the worker lives; see queue/presence.ts. */
export interface WorkerCard {
  readonly type: "polyrnn-worker";
  readonly version: typeof JOB_VERSION;
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly modelName: string;
  readonly model: string;
  readonly engine: string;
  readonly device: string;
  readonly engineVersion: string;
  readonly instances: number;
  readonly failed: number;
}

const ordinal = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const coordinate = { type: "number", minimum: -1e9, maximum: 1e9 };
const id = {
  type: ["number", "string"],
  minimum: -Number.MAX_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
  maxLength: 10_000,
};
const side = { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
const sha256 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const label = { type: "string", minLength: 1, maxLength: 200 };
const message = { type: "string", maxLength: 100_000 };
const milliseconds = { type: "number", minimum: 0, maximum: 1e12 };

function closed(properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object {
  return {
    type: "object",
    additionalProperties: false,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    properties,
  };
}

const source = {
  path: { type: "string", minLength: 1, maxLength: LONGEST_SOURCE },
  address: { type: "string", minLength: 8, maxLength: LONGEST_SOURCE, pattern: "^https?://" },
};
const instance = closed({
  ordinal,
  annotationId: id,
  imageId: id,
  box: { type: "array", minItems: 4, maxItems: 4, items: { type: "number" } },
});
const instances = { type: "array", minItems: 1, maxItems: MOST_INSTANCES, items: instance };

const JOB = closed({
  type: { const: "polyrnn-job" },
  version: { const: JOB_VERSION },
  run: { type: "string", pattern: "^[0-9a-f]{16}$" },
  model: sha256,
  options: closed(
    {
      context: { type: "number", minimum: 0, maximum: 1 },
      maxSteps: { type: "integer", minimum: 1, maximum: MAX_STEPS_RANGE.high },
      candidates: { type: "integer", minimum: 1, maximum: MAX_CANDIDATES },
      sure: { type: "number", minimum: 0, maximum: 1 },
      minScore: { type: "number", minimum: 0, maximum: 1 },
      simplify: { type: "number", minimum: 0 },
    },
    ["sure"],
  ),
  attempts: { type: "integer", minimum: 1, maximum: MOST_ATTEMPTS },
  images: {
    type: "array",
    minItems: 1,
    maxItems: MOST_INSTANCES,
    items: {
      ...closed({ ...source, width: side, height: side, instances }, ["path", "address", "width", "height"]),
      oneOf: [{ required: ["path"] }, { required: ["address"] }],
    },
  },
});

/** Every reason there is; a missing one does not compile. */
const FAIL_REASONS = Object.keys({
  "annotation-invalid": 0,
  "box-invalid": 0,
  "box-empty": 0,
  "box-outside": 0,
  "segmentation-invalid": 0,
  "duplicate-id": 0,
  "category-unknown": 0,
  "image-unknown": 0,
  "image-missing": 0,
  "image-ambiguous": 0,
  "image-outside": 0,
  "image-unreadable": 0,
  "image-too-large": 0,
  "image-size": 0,
  "too-few-vertices": 0,
  "worker-failed": 0,
} satisfies Record<FailReason, 0>);

const outcomes = [
  {
    properties: {
      ordinal,
      status: { const: "done" },
      ring: { type: "array", minItems: 3, maxItems: 501, items: closed({ x: coordinate, y: coordinate }) },
      score: { type: "number", minimum: 0, maximum: 1 },
      ended: { type: "boolean" },
      clipped: { type: "boolean" },
      imageWidth: side,
      imageHeight: side,
    },
  },
  { properties: { ordinal, status: { const: "skipped" }, reason: { const: "score-below-minimum" } } },
  { properties: { ordinal, status: { const: "failed" }, reason: { enum: FAIL_REASONS }, message } },
].map(({ properties }) => ({ properties, required: Object.keys(properties), additionalProperties: false }));

const RESULT = closed({
  type: { const: "polyrnn-result" },
  version: { const: JOB_VERSION },
  model: sha256,
  engine: { enum: ["onnxruntime", "tfjs", "wgsl"] },
  device: { enum: ["cpu", "webgpu", "cuda"] },
  engineVersion: label,
  milliseconds: closed({ decode: milliseconds, crop: milliseconds, encode: milliseconds, steps: milliseconds }),
  outcomes: {
    type: "array",
    minItems: 1,
    maxItems: MOST_INSTANCES,
    items: { type: "object", discriminator: { propertyName: "status" }, required: ["status"], oneOf: outcomes },
  },
});

const WORKER = closed({
  type: { const: "polyrnn-worker" },
  version: { const: JOB_VERSION },
  id: label,
  host: label,
  pid: ordinal,
  modelName: label,
  model: sha256,
  engine: label,
  device: label,
  engineVersion: label,
  instances: ordinal,
  failed: ordinal,
});

/** @returns undefined for a valid job, else what is wrong with it. Whoever opens a path checks where it leads. */
export const checkJob = lazily(() => compileSchema(JOB));
/** A valid result may still belong to another job: the coordinator compares ordinals. */
export const checkJobResult = lazily(() => compileSchema(RESULT));
export const checkWorkerCard = lazily(() => compileSchema(WORKER));
