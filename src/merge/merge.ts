/**
 * Joins the runs of shards into one run folder, as if one machine had done the whole:
 *
 *     run.json and journal of each part -> one journal, in the order of an undisturbed run -> files
 *
 * The code of `annotate` writes the files. Where all parts are finished and were made on one device, they are byte for
 * byte those of an unsharded run, journal included. Parts that are missing or unfinished are named and left out; the
 * merged folder is a run that `annotate --resume` can finish.
 */
import { join, resolve } from "node:path";
import { openInput } from "../annotate/input.js";
import type { AnnotateHost, AnnotateOptions } from "../annotate/options.js";
import { finishRun } from "../annotate/outputs.js";
import type { AnnotateSummary, MergedShards, Tally } from "../annotate/summary.js";
import { peakMemoryMiB, StageClock, writeSummaryFile } from "../annotate/summary.js";
import type { Dataset } from "../dataset/dataset.js";
import { invalidData, missingInput } from "../errors.js";
import { pathExists } from "../files/folders.js";
import { JOURNAL_FILE, RUN_FILE, SUMMARY_FILE } from "../files/run-layout.js";
import { decisionsOf } from "../review/export.js";
import { gatherReviews } from "../review/gather.js";
import { prepareRunFolder } from "../runs/folder.js";
import type { RunIdentity } from "../runs/identity.js";
import { shardName } from "../runs/identity.js";
import type { RunRecord } from "../runs/run-file.js";
import { generatorOf, writeRunFile } from "../runs/run-file.js";
import { checkFormats, formatsThatNeedImages } from "../write/open-writers.js";
import type { FormatOptions, OutputFormat } from "../write/writer.js";
import { gatherOutcomes } from "./gather-outcomes.js";
import type { Part } from "./parts.js";
import { checkParts, readPart } from "./parts.js";

export interface MergeOptions {
  /** Run folders of shards, in any order. */
  readonly parts: readonly string[];
  readonly out: string;
  /** Where the input lies on this machine; what the parts say when absent. */
  readonly boxes?: string;
  readonly images?: string;
  readonly dataset?: string;
  readonly onlyNew?: string;
  /** Those of the parts when absent. */
  readonly formats?: readonly OutputFormat[];
  /** Over those of the first part. */
  readonly formatOptions?: FormatOptions;
  readonly overlays?: AnnotateOptions["overlays"];
  /** Replace a run that is already in the output folder. */
  readonly force: boolean;
}

/** The options, with what the parts say where the user does not. */
interface ResolvedMerge extends Omit<MergeOptions, "boxes" | "formats" | "overlays"> {
  readonly boxes: string;
  readonly formats: readonly OutputFormat[];
  readonly overlays: AnnotateOptions["overlays"];
}

/**
 * @returns the summary, also when instances failed or shards are missing (`remaining` says how much)
 * @throws PolyrnnError when the parts do not belong together or to the input, or the output cannot be written
 */
export async function mergeRuns(options: MergeOptions, host: Pick<AnnotateHost, "note">): Promise<AnnotateSummary> {
  const clock = new StageClock();
  const parts = (await Promise.all(options.parts.map(readPart))).sort((a, b) => a.shard.index - b.shard.index);
  await checkParts(parts);
  const first = parts[0]!;
  const resolved = await resolveFrom(parts, options, host);
  const { identity } = first;
  const whole: RunIdentity = { ...identity, shard: null };
  host.note(`reading ${resolved.boxes}`);
  const { onlyNew, ...without } = resolved;
  const { boxesAre } = first.run.options;
  const input = await openInput({
    ...(identity.onlyNew === null ? without : resolved),
    categories: identity.categories,
    existing: identity.existing,
    ...(boxesAre !== undefined && { boxesAre }),
  });
  try {
    const { dataset, selection } = input;
    checkInput("--boxes", resolved.boxes, dataset.sha256, identity.input);
    checkFormats(resolved.formats, dataset.categories, resolved.formatOptions);
    checkInput("--only-new", onlyNew ?? "nothing", input.earlierHash, identity.onlyNew);
    const { lock } = await prepareRunFolder({ ...resolved, resume: false }, (line) => {
      host.note(line);
    });
    try {
      await writeRunFile(resolved.out, mergedRecord(parts, resolved));
      const gathered = await gatherOutcomes({ out: resolved.out, parts, dataset, selection, whole }, host);
      const generator = generatorOf(first.run, identity.model);
      const review = await gatherReviews(parts, resolved.out, {
        model: { name: first.run.model.name, sha256: identity.model },
        note: (line) => {
          host.note(line);
        },
      });
      const reviewed = review === undefined ? undefined : decisionsOf(review, { keepRejected: false });
      const { tally, written } = await finishRun(
        { options: resolved, host, dataset, generator, selection, clock, ...(reviewed !== undefined && { reviewed }) },
        join(resolved.out, JOURNAL_FILE),
        { stopped: false, ...gathered },
      ).finally(() => review?.close());
      const { remaining, shards, imageCount } = gathered;
      const summary = summarize({
        dataset,
        parts,
        tally,
        written,
        remaining,
        shards,
        imageCount,
        clock,
        out: resolved.out,
      });
      await writeSummaryFile(resolved.out, summary);
      return summary;
    } finally {
      await lock.release();
    }
  } finally {
    await input.close();
  }
}

/** Paths are those of the part whose machine had the files where they are here; formats those all parts agree on. */
async function resolveFrom(
  parts: readonly Part[],
  options: MergeOptions,
  host: Pick<AnnotateHost, "note">,
): Promise<ResolvedMerge> {
  const { run } = parts[0]!;
  const firstHere = async (pathIn: (run: RunRecord) => string | undefined): Promise<string | undefined> => {
    for (const part of parts) {
      const path = pathIn(part.run);
      if (path !== undefined && (await pathExists(path))) return path;
    }
    return undefined;
  };
  const boxes = options.boxes ?? (await firstHere(({ inputs }) => inputs.boxes)) ?? run.inputs.boxes;
  const images = options.images ?? (await firstHere(({ inputs }) => inputs.images));
  const dataset = options.dataset ?? (await firstHere(({ inputs }) => inputs.dataset)) ?? run.inputs.dataset;
  const onlyNew = options.onlyNew ?? (await firstHere((part) => part.options.onlyNew)) ?? run.options.onlyNew;
  const formats = options.formats ?? run.options.formats;
  if (images === undefined) {
    refuseWithoutImages(formats, run.inputs.images);
    host.note(
      `${run.inputs.images}: the images are not here; ` +
        "without --images there are no overlays, and files point at images by their names",
    );
  }
  return {
    ...options,
    boxes,
    ...(images !== undefined && { images }),
    ...(dataset !== undefined && { dataset }),
    ...(onlyNew !== undefined && { onlyNew }),
    formats,
    formatOptions: { ...run.options.formatOptions, ...options.formatOptions },
    overlays: images === undefined ? "none" : (options.overlays ?? run.options.overlays),
  };
}

/** A photograph may be stored turned, and only the photograph says so (write/displayed-frame.ts). */
function refuseWithoutImages(formats: readonly OutputFormat[], images: string): void {
  const needing = formatsThatNeedImages(formats);
  if (needing.length === 0) return;
  throw missingInput(
    `${images}: expected the images, to know which way up ${needing.join(", ")} will show them; they are not here`,
    "Name their folder with --images, or choose formats that follow the box file: --format coco,cityscapes,masks.",
  );
}

function checkInput(option: string, path: string, found: string | undefined, expected: string | null): void {
  if (found === undefined ? expected === null : found === expected) return;
  const short = (hash: string | null | undefined): string => (hash ?? "none").slice(0, 12);
  throw invalidData(
    `${path}: expected the ${option} that the shards were drawn with (sha256 ${short(expected)}), ` +
      `received another (${short(found)})`,
    `Name it with ${option}.`,
  );
}

/** run.json of the merged run: that of an unsharded one, and what it was merged from. */
function mergedRecord(
  parts: readonly Part[],
  { images, boxes, dataset, onlyNew, formats, formatOptions = {}, overlays, out, force }: ResolvedMerge,
): RunRecord {
  const first = parts[0]!.run;
  const { shard, ...options }: RunRecord["options"] & { readonly shard?: unknown } = first.options;
  const ofMerge = {
    out,
    formats,
    overlays,
    resume: false,
    force,
    ...(Object.keys(formatOptions).length > 0 && { formatOptions }),
  };
  return {
    ...first,
    inputs: {
      ...first.inputs,
      boxes: resolve(boxes),
      ...(images !== undefined && { images: resolve(images) }),
      ...(dataset !== undefined && { dataset: resolve(dataset) }),
    },
    options: { ...options, ...ofMerge, ...(onlyNew !== undefined && { onlyNew: resolve(onlyNew) }) },
    merged: parts.map(({ shard, folder, run: { program, startedAt, engine } }) => ({
      shard: shardName(shard),
      folder: resolve(folder),
      program,
      startedAt,
      engine,
    })),
  };
}

interface Merged {
  readonly dataset: Dataset;
  readonly parts: readonly Part[];
  readonly tally: Tally;
  readonly remaining: number;
  readonly shards: MergedShards;
  readonly imageCount: number;
  readonly clock: StageClock;
  readonly out: string;
  readonly written: readonly string[];
}

function summarize(merged: Merged): AnnotateSummary {
  const { dataset, parts, tally, remaining, shards, imageCount, clock, out, written } = merged;
  const { run, identity } = parts[0]!;
  const one = <T>(values: readonly T[]): T | "several" => (new Set(values).size === 1 ? values[0]! : "several");
  return {
    version: 1,
    type: "summary",
    stopped: false,
    images: dataset.imageCount,
    imagesAsked: imageCount,
    annotations: dataset.annotationCount,
    ...tally.counts(),
    remaining,
    engine: one(parts.map((part) => part.run.engine.name)),
    device: one(parts.map((part) => part.run.engine.device)),
    engineVersion: [...new Set(parts.map((part) => part.run.engine.version))].join(" + "),
    model: run.model.name,
    modelHash: identity.model,
    batchSize: run.options.batchSize,
    finishedNow: 0,
    seconds: Math.round(clock.elapsed() * 1000) / 1000,
    secondsPerStage: clock.seconds(),
    instancesPerSecond: 0,
    peakMemoryMiB: peakMemoryMiB(),
    out,
    written: [RUN_FILE, ...written.filter((name) => name !== RUN_FILE), SUMMARY_FILE],
    merged: shards,
  };
}
