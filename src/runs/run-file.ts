/** run.json and summary.json: what a run was asked and what came of it. */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { AnnotateOptions, AnnotateSummary } from "../annotate/options.js";
import type { Predictor } from "../annotate/predictor.js";
import { shardName } from "../annotate/shard.js";
import type { Dataset } from "../dataset/dataset.js";
import { writeAtomic } from "../files/atomic-file.js";
import { RUN_FILE } from "../files/run-layout.js";
import type { ResolvedMerge } from "../merge/merge.js";
import type { Part } from "../merge/parts.js";
import type { Model } from "../model/model.js";
import { compileSchema, lazily } from "../validate.js";
import { SUMMARY_FILE } from "./folder.js";
import type { RunIdentity } from "./identity.js";

interface StartedRun {
  readonly options: AnnotateOptions;
  readonly dataset: Dataset;
  readonly model: Model;
  readonly predictor: Predictor;
  readonly identity: RunIdentity;
  readonly batchSize: number;
}

/**
 * Enough to repeat, resume or evaluate the run. Paths are absolute, so that later commands find the inputs from
 * anywhere.
 */
export async function writeRunFile({
  options,
  dataset,
  model,
  predictor,
  identity,
  batchSize,
}: StartedRun): Promise<void> {
  const run = {
    version: 1,
    type: "run",
    program: `polyrnn ${programVersion()}`,
    node: process.version,
    startedAt: new Date().toISOString(),
    inputs: {
      images: resolve(options.images),
      boxes: resolve(options.boxes),
      format: dataset.format,
      sha256: dataset.sha256,
      ...(options.dataset === undefined ? {} : { dataset: resolve(options.dataset) }),
      imageCount: dataset.imageCount,
      annotationCount: dataset.annotationCount,
    },
    model: {
      name: model.card.name,
      version: model.card.version,
      folder: resolve(model.folder),
      hash: model.hash,
      files: model.card.files,
    },
    engine: { ...predictor.engine(), passedOver: predictor.passedOver },
    options: { ...options, batchSize, context: identity.context },
  };
  await writeAtomic(join(options.out, RUN_FILE), `${JSON.stringify(run, null, 2)}\n`);
}

/** run.json of a merged run: that of an unsharded one, and what it was merged from. */
export async function writeMergedRunFile(
  parts: readonly Part[],
  { images, boxes, dataset, onlyNew, formats, overlays, out, force }: ResolvedMerge,
): Promise<void> {
  const first = parts[0]!.run;
  const options = Object.fromEntries(Object.entries(first.options).filter(([name]) => name !== "shard"));
  const run = {
    ...first,
    inputs: {
      ...first.inputs,
      boxes: resolve(boxes),
      ...(images !== undefined && { images: resolve(images) }),
      ...(dataset !== undefined && { dataset: resolve(dataset) }),
    },
    options: {
      ...options,
      out,
      formats,
      overlays,
      resume: false,
      force,
      ...(onlyNew !== undefined && { onlyNew: resolve(onlyNew) }),
    },
    merged: parts.map(({ shard, folder, run: { program, startedAt, engine } }) => ({
      shard: shardName(shard),
      folder: resolve(folder),
      program,
      startedAt,
      engine,
    })),
  };
  await writeAtomic(join(out, RUN_FILE), `${JSON.stringify(run, null, 2)}\n`);
}

export async function writeSummaryFile(out: string, summary: AnnotateSummary): Promise<void> {
  await writeAtomic(join(out, SUMMARY_FILE), `${JSON.stringify(summary, null, 2)}\n`);
}

/** "polyrnn 0.1.0, model mobile 0123456789ab": for the formats that have room for it. */
export function generatorOf(model: Model): string {
  return `polyrnn ${programVersion()}, model ${model.card.name} ${model.hash.slice(0, 12)}`;
}

function programVersion(): string {
  return (createRequire(import.meta.url)("../../package.json") as { version: string }).version;
}

/* What `merge` relies on in a part's run folder: run.json and line 1 of its journal. Unknown fields pass. */

const text = { type: "string", minLength: 1, maxLength: 4096 };
const sha256 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const ratio = { type: "number", minimum: 0, maximum: 1 };

/** run.json of a part, as runs/run-file.ts writes it. */
export const checkRunFile = lazily(() =>
  compileSchema({
    type: "object",
    required: ["version", "type", "program", "startedAt", "inputs", "model", "engine", "options"],
    properties: {
      version: { const: 1 },
      type: { const: "run" },
      program: text,
      startedAt: text,
      inputs: {
        type: "object",
        required: ["images", "boxes"],
        properties: { images: text, boxes: text, dataset: text },
      },
      model: { type: "object", required: ["name"], properties: { name: text } },
      engine: {
        type: "object",
        required: ["name", "device", "version"],
        properties: {
          name: { enum: ["onnxruntime", "tfjs", "queue", "several"] },
          device: { enum: ["cpu", "webgpu", "cuda", "queue", "several"] },
          version: text,
        },
      },
      options: {
        type: "object",
        required: ["formats", "overlays", "batchSize"],
        properties: {
          formats: {
            type: "array",
            maxItems: 20,
            items: { enum: ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio"] },
          },
          overlays: { enum: ["auto", "all", "none"] },
          batchSize: { type: "integer", minimum: 1 },
          onlyNew: text,
        },
      },
    },
  }),
);

/** Line 1 of a part's journal, as runs/identity.ts makes it. */
export const checkRunHeader = lazily(() =>
  compileSchema({
    type: "object",
    required: [
      "type",
      "version",
      "input",
      "model",
      "context",
      "maxSteps",
      "candidates",
      "minScore",
      "simplify",
      "categories",
      "existing",
      "limit",
      "shard",
      "onlyNew",
    ],
    properties: {
      type: { const: "run" },
      version: { const: 1 },
      input: sha256,
      model: sha256,
      context: ratio,
      maxSteps: { type: "integer", minimum: 1 },
      candidates: { type: "integer", minimum: 1 },
      minScore: ratio,
      simplify: { type: "number", minimum: 0 },
      categories: { type: "array", items: { type: "string" } },
      existing: { enum: ["predict", "keep"] },
      limit: { type: ["integer", "null"] },
      shard: { type: ["string", "null"] },
      onlyNew: { ...sha256, type: ["string", "null"] },
    },
  }),
);
