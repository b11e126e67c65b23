/** run.json and summary.json: what a run was asked and what came of it. */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Dataset } from "../dataset/dataset.js";
import { RUN_FILE } from "../dataset/run-outputs.js";
import type { Model } from "../runtime/model.js";
import { writeAtomic } from "../write/atomic-file.js";
import type { Drawer } from "./drawer.js";
import type { ResolvedMerge } from "./merge.js";
import type { AnnotateOptions, AnnotateSummary } from "./options.js";
import type { Part } from "./read-part.js";
import { SUMMARY_FILE } from "./run-folder.js";
import type { RunIdentity } from "./run-identity.js";
import { shardName } from "./shard.js";

interface StartedRun {
  readonly options: AnnotateOptions;
  readonly dataset: Dataset;
  readonly model: Model;
  readonly drawer: Drawer;
  readonly identity: RunIdentity;
  readonly batchSize: number;
}

/** Enough to repeat, resume or evaluate the run. Paths are absolute, so that later commands find the inputs from anywhere. */
export async function writeRunFile({
  options,
  dataset,
  model,
  drawer,
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
    engine: { ...drawer.engine(), passedOver: drawer.passedOver },
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
