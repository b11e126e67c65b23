/**
 * One job to its result, as a worker does it: open or fetch the images, cut the crops, predict, return the outcomes.
 * Cutting the next job while this one waits for the decoder is the worker's business (queue/worker.ts).
 *
 * Names in jobs are data from outside. An image lies inside the worker's image folder, or is fetched into a temporary
 * one; nothing beyond the image folder is opened, whatever links lie in it.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { PredictedInstance } from "../annotate/predict-batch.js";
import { predictInstances } from "../annotate/predict-batch.js";
import { StageClock } from "../annotate/summary.js";
import type { CropResult } from "../crop/crop.js";
import type { CropMaker, CropSource } from "../crop/read-crops.js";
import { readCrops } from "../crop/read-crops.js";
import type { BatchDecoder } from "../predict/outline.js";
import type { Instance } from "../types.js";
import type { FetchLimits } from "./fetch-image.js";
import { makeFetchFolder } from "./fetch-folders.js";
import { fetchImage } from "./fetch-image.js";
import type { Job, JobImage, JobInstance, JobOutcome, JobResult } from "./job.js";
import { JOB_VERSION, MOST_INSTANCES } from "./job.js";
import type { WorkerImages } from "./worker-images.js";

export interface ImageAccess extends FetchLimits {
  /** Where paths in jobs lead. */
  readonly images: WorkerImages;
  /** True: a passing failure counts as one of the image, because nobody will try again. */
  readonly isLastAttempt: boolean;
  /** Who decodes and cuts, as in `ReadCropsOptions`. */
  readonly maker?: CropMaker;
}

export interface CutJob {
  readonly job: Job;
  readonly crops: readonly CropResult[];
  readonly clock: StageClock;
}

/**
 * Opens or fetches the images and cuts every crop.
 * @throws Error when an image could not be fetched now and may be later, or a thread that cuts has ended
 */
export async function cutJob(job: Job, access: ImageAccess): Promise<CutJob> {
  const clock = new StageClock();
  const crops: CropResult[] = [];
  const files = new FetchedFiles();
  const results = readCrops(openJobImages(job, access, files), {
    context: job.options.context,
    maxCropsAhead: MOST_INSTANCES,
    onTime: (stage, milliseconds) => {
      clock.add(stage, milliseconds);
    },
    ...(access.maker && { maker: access.maker }),
  });
  try {
    for await (const crop of results) crops.push(crop);
  } finally {
    await files.remove();
  }
  return { job, crops, clock };
}

/** @returns a result with one outcome per instance of the job */
export async function predictJob(decoder: BatchDecoder, { job, crops, clock }: CutJob): Promise<JobResult> {
  const predicted = await predictInstances(decoder.decode, crops, job.options, clock);
  const seconds = clock.seconds();
  return {
    type: "polyrnn-result",
    version: JOB_VERSION,
    model: job.model,
    engine: decoder.name,
    device: decoder.device,
    engineVersion: decoder.version,
    milliseconds: {
      decode: 1000 * seconds.decode,
      crop: 1000 * seconds.crop,
      encode: 1000 * seconds.encode,
      steps: 1000 * seconds.steps,
    },
    outcomes: predicted.map(toJobOutcome),
  };
}

function toJobOutcome({ outcome }: PredictedInstance): JobOutcome {
  switch (outcome.status) {
    case "done": {
      const { ordinal, status, ring, score, ended, clipped, imageWidth, imageHeight } = outcome;
      return { ordinal, status, ring, score, ended, clipped, imageWidth, imageHeight };
    }
    case "skipped":
      return { ordinal: outcome.ordinal, status: outcome.status, reason: outcome.reason };
    case "failed":
      return { ordinal: outcome.ordinal, status: outcome.status, reason: outcome.reason, message: outcome.message };
  }
}

type Location = CropSource["location"];

/** A folder for what was fetched; made when it is first needed. */
class FetchedFiles {
  private folder: Promise<string> | undefined;
  private count = 0;

  /** @returns a path that is free */
  async next(): Promise<string> {
    this.folder ??= makeFetchFolder();
    return join(await this.folder, String(this.count++));
  }

  /** A folder that cannot be removed now is removed when a worker starts. */
  async remove(): Promise<void> {
    if (this.folder !== undefined) await rm(await this.folder, { recursive: true, force: true });
  }
}

/**
 * Walks the images of a job in order.
 * @param files fetched images go there; the caller removes it when the crops are cut, which is later than the end of
 *   this walk
 * @throws Error when a fetch failed and may succeed later
 */
async function* openJobImages(
  job: Job,
  access: ImageAccess,
  files: FetchedFiles,
): AsyncGenerator<CropSource, void, undefined> {
  for (const image of job.images) {
    const location =
      "path" in image
        ? await access.images.locate(image.path)
        : await fetchInto(await files.next(), image.address, access);
    yield { image: sizeOf(image), location, instances: image.instances.map(toInstance) };
  }
}

async function fetchInto(path: string, address: string, access: ImageAccess): Promise<Location> {
  const fetched = await fetchImage(address, path, access);
  if (fetched.kind === "fetched") return { kind: "file", path };
  // Given up for a stop: the job goes back, and the image is not judged.
  if (access.stop?.aborted === true || (fetched.isTransient && !access.isLastAttempt))
    throw new Error(fetched.failure.message);
  return { kind: "failed", failure: fetched.failure };
}

function sizeOf({ width, height }: JobImage): CropSource["image"] {
  return { ...(width !== undefined && { width }), ...(height !== undefined && { height }) };
}

/** Enough of an instance to predict it; what else the annotation holds stays with the coordinator. */
function toInstance({ ordinal, annotationId, imageId, box: [left, top, width, height] }: JobInstance): Instance {
  return { ordinal, annotationId, imageId, categoryId: 0, box: { left, top, width, height }, raw: {} };
}
