/**
 * Joins the runs of shards into one run folder, as if one machine had drawn the whole:
 *
 *     run.json and journal of each part -> one journal, in the order of an undisturbed run -> files
 *
 * The files come out of the same code as those of `annotate`, so that they are the same bytes, the journal included,
 * where all parts are finished and were drawn on the device that an unsharded run would have had. Parts that are
 * missing or unfinished are named and left out; the merged folder is a run that `annotate --resume` draws to its end.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openInput } from "../annotate/input.js";
import type { AnnotateHost, AnnotateOptions, AnnotateSummary, MergedShards } from "../annotate/options.js";
import { finishRun } from "../annotate/outputs.js";
import type { Tally } from "../annotate/summary.js";
import { StageClock } from "../annotate/summary.js";
import type { Dataset } from "../dataset/dataset.js";
import { invalidData } from "../errors.js";
import { JOURNAL_FILE, RUN_FILE } from "../files/run-layout.js";
import { prepareRunFolder, SUMMARY_FILE } from "../runs/folder.js";
import type { RunIdentity } from "../runs/identity.js";
import { writeMergedRunFile, writeSummaryFile } from "../runs/run-file.js";
import type { OutputFormat } from "../write/writer.js";
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
  readonly overlays?: AnnotateOptions["overlays"];
  /** Replace a run that is already in the output folder. */
  readonly force: boolean;
}

/** The options with what the parts say where the user does not. */
export interface ResolvedMerge extends Omit<MergeOptions, "boxes" | "formats" | "overlays"> {
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
  const input = await openInput({
    ...(identity.onlyNew === null ? without : resolved),
    categories: identity.categories,
    existing: identity.existing,
  });
  try {
    const { dataset, selection } = input;
    checkInput("--boxes", resolved.boxes, dataset.sha256, identity.input);
    checkInput("--only-new", onlyNew ?? "nothing", input.earlierHash, identity.onlyNew);
    const { lock } = await prepareRunFolder({ ...resolved, resume: false }, (line) => {
      host.note(line);
    });
    try {
      await writeMergedRunFile(parts, resolved);
      const gathered = await gatherOutcomes({ out: resolved.out, parts, dataset, selection, whole }, host);
      const generator = `${first.run.program}, model ${first.run.model.name} ${identity.model.slice(0, 12)}`;
      const finished = await finishRun(
        { options: resolved, host, dataset, generator, selection, clock },
        join(resolved.out, JOURNAL_FILE),
        { stopped: false, ...gathered },
      );
      const summary = summarize(dataset, parts, { ...gathered, ...finished }, resolved, clock);
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
  const firstThatIs = async (paths: readonly (string | undefined)[]): Promise<string | undefined> => {
    for (const path of paths)
      if (
        path !== undefined &&
        (await stat(path).then(
          () => true,
          () => false,
        ))
      )
        return path;
    return undefined;
  };
  const boxes = options.boxes ?? (await firstThatIs(parts.map((part) => part.run.inputs.boxes))) ?? run.inputs.boxes;
  const images = options.images ?? (await firstThatIs(parts.map((part) => part.run.inputs.images)));
  const dataset =
    options.dataset ?? (await firstThatIs(parts.map((part) => part.run.inputs.dataset))) ?? run.inputs.dataset;
  const onlyNew =
    options.onlyNew ?? (await firstThatIs(parts.map((part) => part.run.options.onlyNew))) ?? run.options.onlyNew;
  if (images === undefined)
    host.note(
      `${run.inputs.images}: the images are not here; without --images there are no overlays, and files point at images by their names`,
    );
  return {
    ...options,
    boxes,
    ...(images !== undefined && { images }),
    ...(dataset !== undefined && { dataset }),
    ...(onlyNew !== undefined && { onlyNew }),
    formats: options.formats ?? run.options.formats,
    overlays: images === undefined ? "none" : (options.overlays ?? run.options.overlays),
  };
}

function checkInput(option: string, path: string, found: string | undefined, expected: string | null): void {
  if (found === undefined ? expected === null : found === expected) return;
  throw invalidData(
    `${path}: expected the ${option} that the shards were drawn with (sha256 ${(expected ?? "none").slice(0, 12)}), received another (${(found ?? "none").slice(0, 12)})`,
    `Name it with ${option}.`,
  );
}

interface Merged {
  readonly tally: Tally;
  readonly written: readonly string[];
  readonly remaining: number;
  readonly shards: MergedShards;
}

function summarize(
  dataset: Dataset,
  parts: readonly Part[],
  { tally, written, remaining, shards }: Merged,
  options: ResolvedMerge,
  clock: StageClock,
): AnnotateSummary {
  const { run, identity } = parts[0]!;
  const one = <T>(values: readonly T[]): T | "several" => (new Set(values).size === 1 ? values[0]! : "several");
  return {
    version: 1,
    type: "summary",
    stopped: false,
    images: dataset.imageCount,
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
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    out: options.out,
    written: [RUN_FILE, ...written.filter((name) => name !== RUN_FILE), SUMMARY_FILE],
    merged: shards,
  };
}
