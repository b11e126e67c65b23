/**
 * Between the plan of a run and the queue: batches become jobs, and what workers return becomes outcomes.
 *
 * A job is one batch, so that a fleet computes exactly the batches one machine would. Its id is made of the run and the
 * number of the batch: a coordinator that starts again finds its own jobs instead of adding them twice. A result is
 * checked by schema and against its job, because anyone who reaches the Redis server can write there.
 */
import { createHash } from "node:crypto";
import { relative, sep } from "node:path";
import type { PredictedInstance } from "../annotate/predict-batch.js";
import type { PredictRequest } from "../annotate/predictor.js";
import type { CropSource } from "../crop/read-crops.js";
import { receivedOf } from "../errors.js";
import type { Secret } from "../secret.js";
import type { Failure, Instance, Outcome } from "../types.js";
import { describeViolation } from "../validate.js";
import type { ImageSource, Job, JobImage, JobOutcome, JobResult } from "./job.js";
import { checkJob, checkJobResult, JOB_VERSION, LONGEST_SOURCE } from "./job.js";

export interface JobNaming {
  /** Image folder of the coordinator; paths in jobs are relative to it. */
  readonly images: string;
  /** Where workers fetch the images instead of opening them: http(s), a folder's address. */
  readonly imageAddress?: Secret;
  /** How many workers may fail at a job. */
  readonly attempts: number;
}

export interface PlannedJob {
  readonly id: string;
  /** Absent when no image of the batch can be opened: nothing is left to predict. */
  readonly job?: Job;
  /** What the job predicts, by ordinal. */
  readonly instances: ReadonlyMap<number, Instance>;
  /** Instances whose image cannot be opened, as failures. */
  readonly settled: readonly PredictedInstance[];
}

/** Names a run on a queue by its input, model, options and batches. 16 hex digits. */
export function runIdOf(
  { identity, batchSize }: Pick<PredictRequest, "identity" | "batchSize">,
  naming: JobNaming,
): string {
  return createHash("sha256")
    .update(JSON.stringify([identity, batchSize, naming.imageAddress?.open() ?? null]))
    .digest("hex")
    .slice(0, 16);
}

export async function* planJobs(
  request: PredictRequest,
  run: string,
  naming: JobNaming,
): AsyncGenerator<PlannedJob, void, undefined> {
  const frame = frameOf(request, run, naming);
  const toJob = (batch: number, images: readonly CropSource[]): PlannedJob =>
    toPlannedJob(`${run}-${batch}`, images, frame, naming);
  let number: number | undefined;
  let parts: CropSource[] = [];
  for await (const source of request.sources) {
    for (const [batch, instances] of byBatch(source.instances, request)) {
      if (number !== undefined && batch !== number) {
        yield toJob(number, parts);
        parts = [];
      }
      number = batch;
      parts.push({ ...source, instances });
    }
  }
  if (number !== undefined) yield toJob(number, parts);
}

/** An image's instances may belong to several batches; their numbers grow. */
function byBatch(instances: readonly Instance[], { plan }: PredictRequest): Map<number, Instance[]> {
  const groups = new Map<number, Instance[]>();
  for (const instance of instances) {
    const number = plan.batchOf[instance.ordinal]!;
    const group = groups.get(number);
    if (group === undefined) groups.set(number, [instance]);
    else group.push(instance);
  }
  return groups;
}

/** What all jobs of a run have in common. */
type JobFrame = Omit<Job, "images">;

function frameOf({ identity }: PredictRequest, run: string, { attempts }: JobNaming): JobFrame {
  const { context, maxSteps, candidates, sure, minScore, simplify, model } = identity;
  const options = { context, maxSteps, candidates, ...(sure !== undefined && { sure }), minScore, simplify };
  return { type: "polyrnn-job", version: JOB_VERSION, run, model, options, attempts };
}

function toPlannedJob(id: string, parts: readonly CropSource[], frame: JobFrame, naming: JobNaming): PlannedJob {
  const settled: PredictedInstance[] = [];
  const images: JobImage[] = [];
  const instances = new Map<number, Instance>();
  for (const { image, location, instances: ofImage } of parts) {
    if (location.kind === "failed") {
      for (const instance of ofImage) settled.push(failedBy(instance, location.failure));
      continue;
    }
    const source = sourceOf(location.path, naming);
    if (lengthOf(source) > LONGEST_SOURCE) {
      for (const instance of ofImage) settled.push(failedBy(instance, tooLong(location.path)));
      continue;
    }
    for (const instance of ofImage) instances.set(instance.ordinal, instance);
    images.push({
      ...source,
      ...(image.width !== undefined && { width: image.width }),
      ...(image.height !== undefined && { height: image.height }),
      instances: ofImage.map(({ ordinal, annotationId, imageId, box }) => ({
        ordinal,
        annotationId,
        imageId,
        box: [box.left, box.top, box.width, box.height],
      })),
    });
  }
  if (images.length === 0) return { id, instances, settled };
  const job: Job = { ...frame, images };
  const violation = checkJob(job);
  if (violation !== undefined) throw new Error(`job ${id}: ${describeViolation(violation)}`);
  return { id, job, instances, settled };
}

/** One job per image: tells an image that kills workers from those that only shared a batch with it. */
export function splitByImage({ id, job, instances }: PlannedJob): readonly PlannedJob[] {
  return (job?.images ?? []).map((image, position) => ({
    id: `${id}-image${position}`,
    job: { ...job!, attempts: 1, images: [image] },
    instances: new Map(image.instances.map(({ ordinal }) => [ordinal, instances.get(ordinal)!])),
    settled: [],
  }));
}

export function failedBy(instance: Instance, { reason, message }: Failure): PredictedInstance {
  const { ordinal, annotationId, imageId } = instance;
  return { instance, outcome: { ordinal, annotationId, imageId, status: "failed", reason, message } };
}

function lengthOf(source: ImageSource): number {
  return "path" in source ? source.path.length : source.address.length;
}

function tooLong(path: string): Failure {
  return {
    reason: "image-missing",
    message:
      `image ${receivedOf(path)}: expected a path or address of at most ${LONGEST_SOURCE} characters for a job, ` +
      "received a longer one. Shorten the names of its folders.",
  };
}

function sourceOf(path: string, { images, imageAddress }: JobNaming): ImageSource {
  const parts = relative(images, path).split(sep);
  if (imageAddress === undefined) return { path: parts.join("/") };
  const url = new URL(imageAddress.open());
  const folder = url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
  url.pathname = folder + parts.map(encodeURIComponent).join("/");
  return { address: url.href };
}

/** A result that fits its job, or why it does not. */
export type Received =
  | { readonly kind: "accepted"; readonly predicted: readonly PredictedInstance[]; readonly result: JobResult }
  | { readonly kind: "refused"; readonly why: string };

/** @param value the worker's return value, parsed */
export function receiveResult({ job, instances, settled }: PlannedJob, value: unknown): Received {
  const violation = checkJobResult(value);
  if (violation !== undefined) return { kind: "refused", why: describeViolation(violation) };
  const result = value as JobResult;
  if (result.model !== job?.model)
    return {
      kind: "refused",
      why:
        `expected a result of model ${job?.model.slice(0, 12) ?? "none"} ` +
        `but received one of ${result.model.slice(0, 12)}`,
    };
  const predicted: PredictedInstance[] = [...settled];
  const seen = new Set<number>();
  for (const outcome of result.outcomes) {
    const instance = instances.get(outcome.ordinal);
    if (instance === undefined || seen.has(outcome.ordinal))
      return { kind: "refused", why: `expected each instance of the job once but received ordinal ${outcome.ordinal}` };
    seen.add(outcome.ordinal);
    predicted.push({ instance, outcome: ordered(outcome, instance) });
  }
  if (seen.size !== instances.size)
    return { kind: "refused", why: `expected ${instances.size} outcomes but received ${seen.size}` };
  predicted.sort((a, b) => a.outcome.ordinal - b.outcome.ordinal);
  return { kind: "accepted", predicted, result };
}

/** Fields in the order in which the journal has them when one machine does the work. */
function ordered({ ordinal, ...rest }: JobOutcome, { annotationId, imageId }: Instance): Outcome {
  return { ordinal, annotationId, imageId, ...rest };
}
