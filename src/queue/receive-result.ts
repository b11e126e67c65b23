/** A result as Redis gives it back, made into outcomes: checked by schema and against the job, because anyone on that server can write there. */
import type { Drawn } from "../annotate/draw-batch.js";
import { type JobResult, checkJobResult } from "../schema/queue-job.js";
import { describeViolation } from "../schema/validate.js";
import type { Outcome } from "../types.js";
import type { PlannedJob } from "./plan-jobs.js";

export type Received =
  | { readonly kind: "drawn"; readonly drawn: readonly Drawn[]; readonly result: JobResult }
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
  const drawn: Drawn[] = [];
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
