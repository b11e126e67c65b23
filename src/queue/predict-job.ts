/**
 * One job to its result: cut the crops, wait for the decoder, draw. Cutting the next job while this one is drawn is the
 * worker's business.
 */
import type { PredictedInstance } from "../annotate/predict-batch.js";
import { predictInstances } from "../annotate/predict-batch.js";
import { StageClock } from "../annotate/summary.js";
import type { CropResult } from "../crop/crop.js";
import { readCrops } from "../crop/read-crops.js";
import type { BatchDecoder } from "../predict/candidates.js";
import type { ImageAccess } from "./image-files.js";
import { FetchedFiles, openJobImages } from "./image-files.js";
import type { Job, JobOutcome, JobResult } from "./job.js";
import { JOB_VERSION, MOST_INSTANCES } from "./job.js";

export interface CutJob {
  readonly job: Job;
  readonly crops: readonly CropResult[];
  readonly clock: StageClock;
}

/**
 * Opens or fetches the images and cuts every crop. @throws Error when an image could not be fetched now and may be
 * later
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
  const drawn = await predictInstances(decoder.decode, crops, job.options, clock);
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
    outcomes: drawn.map(toJobOutcome),
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
