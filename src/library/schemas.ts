/**
 * JSON schemas of the files that other programs read, published as `polyrnn/schemas/NAME.json`
 * (scripts/write-schemas.mjs). Here they refuse fields they do not know, so that the tests notice a field that is
 * written and not described. What is published lets them pass: adding a field is free, changing one is a new version.
 * The meaning of each field stands at its type: annotate/summary.ts, runs/run-file.ts, runs/identity.ts, types.ts,
 * review/decision.ts and report/types.ts.
 */
import { BOX_UNITS } from "../dataset/relative-boxes.js";
import { REPORT_SCHEMA, object } from "../report/schema.js";
import { CLICK_KINDS, REJECT_REASONS } from "../review/api.js";
import { IDENTITY_FIELDS } from "../runs/identity.js";
import { OUTPUT_FORMATS } from "../write/writer.js";

const text = { type: "string" };
const flag = { type: "boolean" };
const number = { type: "number" };
const positive = { type: "number", minimum: 0 };
const count = { type: "integer", minimum: 0 };
const ratio = { type: "number", minimum: 0, maximum: 1 };
const ratioOrNull = { type: ["number", "null"], minimum: 0, maximum: 1 };
const id = { type: ["number", "string"] };
const idOrNull = { type: ["number", "string", "null"] };
const sha256 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const list = (items: object): object => ({ type: "array", items });
const counts = { type: "object", additionalProperties: count };
const shardName = { type: "string", pattern: "^[0-9]+/[0-9]+$" };
const point = object({ x: number, y: number });

const ENGINES = { enum: ["onnxruntime", "tfjs", "wgsl", "queue", "several"] };
const DEVICES = { enum: ["cpu", "webgpu", "cuda", "queue", "several"] };
const engine = { name: ENGINES, device: DEVICES, version: text };
const passedOver = object({
  candidate: object({ engine: ENGINES, device: DEVICES }),
  reason: text,
  fix: text,
});

const RUN = object(
  {
    version: { const: 1 },
    type: { const: "run" },
    program: text,
    node: text,
    startedAt: text,
    inputs: object(
      {
        images: text,
        boxes: text,
        format: text,
        sha256,
        dataset: text,
        imageCount: count,
        annotationCount: count,
      },
      ["dataset"],
    ),
    model: object({
      name: text,
      version: text,
      folder: text,
      hash: sha256,
      files: { type: "object", additionalProperties: object({ sha256, bytes: count }) },
    }),
    engine: object({ ...engine, passedOver: list(passedOver) }),
    // Whatever the command was asked; these are always there.
    options: {
      type: "object",
      required: ["formats", "overlays", "batchSize", "context", "maxSteps", "candidates", "categories"],
      properties: {
        formats: list({ enum: OUTPUT_FORMATS }),
        overlays: { enum: ["auto", "all", "none"] },
        batchSize: count,
        context: ratio,
        maxSteps: count,
        candidates: count,
        sure: ratio,
        categories: list(text),
        limit: count,
        onlyNew: text,
        boxesAre: { enum: BOX_UNITS },
      },
    },
    merged: list(
      object({
        program: text,
        startedAt: text,
        engine: object({ ...engine, passedOver: list(passedOver) }, ["passedOver"]),
        shard: shardName,
        folder: text,
      }),
    ),
  },
  ["merged"],
);

const SUMMARY = object(
  {
    version: { const: 1 },
    type: { const: "summary" },
    stopped: flag,
    images: count,
    imagesAsked: count,
    annotations: count,
    shard: { type: "object", required: ["index", "count"], properties: { index: count, count } },
    remaining: count,
    done: count,
    failed: count,
    skipped: count,
    clipped: count,
    unended: count,
    invalid: count,
    doubtful: count,
    failedByReason: counts,
    skippedByReason: counts,
    failures: list(object({ annotationId: idOrNull, imageId: idOrNull, reason: text, message: text })),
    meanScore: ratioOrNull,
    lowestScores: list(object({ annotationId: id, imageId: id, score: ratio })),
    engine: ENGINES,
    device: DEVICES,
    engineVersion: text,
    model: text,
    modelHash: sha256,
    batchSize: count,
    finishedNow: count,
    seconds: positive,
    secondsPerStage: object({ decode: positive, crop: positive, encode: positive, steps: positive, write: positive }),
    instancesPerSecond: positive,
    peakMemoryMiB: positive,
    out: text,
    written: list(text),
    merged: object({
      count,
      parts: list(
        object({ shard: count, folder: text, remaining: count, firstRemaining: id, device: DEVICES }, [
          "firstRemaining",
        ]),
      ),
      missing: list(object({ shard: count, remaining: count })),
    }),
  },
  ["shard", "merged"],
);

/** CRC-32 of the line as it would be without it; see runs/journal.ts. */
const check = { type: "string", pattern: "^[0-9a-f]{8}$" };
const outcome = { type: { const: "outcome" }, ordinal: count, check };

const JOURNAL_LINE = {
  type: "object",
  oneOf: [
    object({ ...IDENTITY_FIELDS, check }, ["sure", "precision"]),
    object({
      ...outcome,
      annotationId: id,
      imageId: id,
      status: { const: "done" },
      ring: { ...list(point), minItems: 3 },
      score: ratio,
      ended: flag,
      clipped: flag,
      imageWidth: count,
      imageHeight: count,
    }),
    object({ ...outcome, annotationId: id, imageId: id, status: { const: "skipped" }, reason: text }),
    object({
      ...outcome,
      annotationId: idOrNull,
      imageId: idOrNull,
      status: { const: "failed" },
      reason: text,
      message: text,
    }),
  ],
};

const REVIEW_LINE = {
  type: "object",
  oneOf: [
    object({
      type: { const: "review" },
      version: { const: 1 },
      run: sha256,
      model: object({ name: text, sha256 }),
      order: text,
      startedAt: text,
      check,
    }),
    object({
      type: { const: "session" },
      id: count,
      reviewer: { type: ["string", "null"] },
      arm: { enum: ["assist", "manual"] },
      at: text,
      check,
    }),
    object({
      type: { const: "decision" },
      ordinal: count,
      revision: count,
      session: count,
      arm: { enum: ["assist", "manual"] },
      status: { enum: ["accepted", "edited", "rejected", "skipped", "draft"] },
      rings: list(list(point)),
      pins: list(list(count)),
      box: { ...list(number), minItems: 4, maxItems: 4 },
      categoryId: id,
      reason: { enum: [...REJECT_REASONS, null] },
      score: ratioOrNull,
      before: object({ score: ratioOrNull, iou: ratioOrNull }),
      isChanged: flag,
      counts: object(Object.fromEntries(CLICK_KINDS.map((kind) => [kind, count]))),
      activeMs: positive,
      openMs: positive,
      networkMs: positive,
      imageWidth: count,
      imageHeight: count,
      at: text,
      check,
    }),
    object({ type: { const: "undo" }, ordinal: count, revision: count, session: count, at: text, check }),
  ],
};

/** By the name of the published file; "line" is one line of a file with JSON lines. */
export const SCHEMAS = {
  run: RUN,
  summary: SUMMARY,
  "journal-line": JOURNAL_LINE,
  report: REPORT_SCHEMA,
  "review-line": REVIEW_LINE,
} as const;

/** @returns the text of a published schema, in JSON Schema draft 7 */
export function publishedSchema(name: keyof typeof SCHEMAS): string {
  const schema = { $schema: "http://json-schema.org/draft-07/schema#", title: `polyrnn ${name}`, ...SCHEMAS[name] };
  // Fields of a later version pass; `discriminator` belongs to another standard.
  const isOwn = (key: string, value: unknown): boolean =>
    (key === "additionalProperties" && value === false) || key === "discriminator";
  return `${JSON.stringify(schema, (key, value: unknown) => (isOwn(key, value) ? undefined : value), 2)}\n`;
}
