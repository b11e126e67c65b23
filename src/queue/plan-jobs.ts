/**
 * From the plan of a run to jobs: one job per batch, so that a fleet computes exactly the batches one machine would.
 * Job ids are made of the run and the number of the batch: a coordinator that starts again finds its own jobs instead
 * of adding them twice.
 */
import { createHash } from "node:crypto";
import { relative, sep } from "node:path";
import type { PredictedInstance } from "../annotate/predict-batch.js";
import type { PredictRequest } from "../annotate/predictor.js";
import type { CropSource } from "../crop/read-crops.js";
import type { Failure, Instance, Outcome } from "../types.js";
import { describeViolation } from "../validate.js";
import type { ImageSource, Job, JobImage, JobResult } from "./job.js";
import { checkJob, checkJobResult, JOB_VERSION } from "./job.js";

export interface JobNaming {
  /** Image folder of the coordinator; paths in jobs are relative to it. */
  readonly images: string;
  /** Where workers fetch the images instead of opening them: http(s), a folder's address. */
  readonly imageAddress?: string;
  /** How many workers may fail at a job. */
  readonly attempts: number;
}

export interface PlannedJob {
  readonly id: string;
  /** Absent when no image of the batch can be opened: nothing is left to draw. */
  readonly job?: Job;
  /** What the job draws, by ordinal. */
  readonly instances: ReadonlyMap<number, Instance>;
  /** Instances whose image cannot be opened, as failures. */
  readonly settled: readonly PredictedInstance[];
}

/** Names a run on a queue: what it draws, with what, in which batches. 16 hex digits. */
export function runIdOf(
  { identity, batchSize }: Pick<PredictRequest, "identity" | "batchSize">,
  naming: JobNaming,
): string {
  return createHash("sha256")
    .update(JSON.stringify([identity, batchSize, naming.imageAddress ?? null]))
    .digest("hex")
    .slice(0, 16);
}

export async function* planJobs(
  request: PredictRequest,
  run: string,
  naming: JobNaming,
): AsyncGenerator<PlannedJob, void, undefined> {
  let number: number | undefined;
  let parts: CropSource[] = [];
  for await (const source of request.sources) {
    for (const [batch, instances] of byBatch(source.instances, request)) {
      if (number !== undefined && batch !== number) {
        yield toPlannedJob(number, parts, request, run, naming);
        parts = [];
      }
      number = batch;
      parts.push({ ...source, instances });
    }
  }
  if (number !== undefined) yield toPlannedJob(number, parts, request, run, naming);
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

function toPlannedJob(
  batch: number,
  parts: readonly CropSource[],
  request: PredictRequest,
  run: string,
  naming: JobNaming,
): PlannedJob {
  const settled: PredictedInstance[] = [];
  const images: JobImage[] = [];
  const instances = new Map<number, Instance>();
  for (const { image, location, instances: ofImage } of parts) {
    if (location.kind === "failed") {
      for (const instance of ofImage) settled.push(failedBy(instance, location.failure));
      continue;
    }
    for (const instance of ofImage) instances.set(instance.ordinal, instance);
    images.push({
      ...sourceOf(location.path, naming),
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
  const id = `${run}-${batch}`;
  if (images.length === 0) return { id, instances, settled };
  const { context, maxSteps, candidates, minScore, simplify, model } = request.identity;
  const options = { context, maxSteps, candidates, minScore, simplify };
  const job: Job = {
    type: "polyrnn-job",
    version: JOB_VERSION,
    run,
    model,
    options,
    attempts: naming.attempts,
    images,
  };
  const violation = checkJob(job);
  if (violation !== undefined) throw new Error(`job ${id}: ${describeViolation(violation)}`);
  return { id, job, instances, settled };
}

/** The job, image by image: how an image that kills workers is told from those that only shared a batch with it. */
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

function sourceOf(path: string, { images, imageAddress }: JobNaming): ImageSource {
  const parts = relative(images, path).split(sep);
  if (imageAddress === undefined) return { path: parts.join("/") };
  return { address: `${imageAddress.replace(/\/+$/, "")}/${parts.map(encodeURIComponent).join("/")}` };
}

/*
 * A result as Redis gives it back, made into outcomes: checked by schema and against the job, because anyone on that
 * server can write there.
 */

export type Received =
  | { readonly kind: "drawn"; readonly drawn: readonly PredictedInstance[]; readonly result: JobResult }
  | { readonly kind: "refused"; readonly why: string };

/** @param value the worker's return value, parsed */
export function receiveResult({ job, instances, settled }: PlannedJob, value: unknown): Received {
  const violation = checkJobResult(value);
  if (violation !== undefined) return { kind: "refused", why: describeViolation(violation) };
  const result = value as JobResult;
  if (result.model !== job?.model)
    return {
      kind: "refused",
      why: `expected a result of model ${job?.model.slice(0, 12) ?? "none"} but received one of ${result.model.slice(0, 12)}`,
    };
  const drawn: PredictedInstance[] = [];
  const seen = new Set<number>();
  for (const outcome of result.outcomes) {
    const instance = instances.get(outcome.ordinal);
    if (instance === undefined || seen.has(outcome.ordinal))
      return { kind: "refused", why: `expected each instance of the job once but received ordinal ${outcome.ordinal}` };
    seen.add(outcome.ordinal);
    const { annotationId, imageId } = instance;
    drawn.push({ instance, outcome: ordered({ ...outcome, annotationId, imageId }) });
  }
  if (seen.size !== instances.size)
    return { kind: "refused", why: `expected ${instances.size} outcomes but received ${seen.size}` };
  return { kind: "drawn", drawn: [...settled, ...drawn].sort((a, b) => a.outcome.ordinal - b.outcome.ordinal), result };
}

/** Fields in the order in which the journal has them when one machine draws. */
function ordered({ ordinal, annotationId, imageId, ...rest }: Outcome): Outcome {
  return { ordinal, annotationId, imageId, ...rest };
}
