/**
 * The walk over the truth: image by image, every method's mask against the truth's. Holds one image's masks at a time.
 */
import type { Dataset, ImageGroup } from "../dataset/dataset.js";
import { innerBorder, iouOfRles } from "../geometry/iou.js";
import { rleArea } from "../geometry/rle.js";
import type { MethodScore } from "../report/csv.js";
import type { Id, Instance, Rle } from "../types.js";
import type { SourceNames } from "./groups.js";
import type { InstanceTable } from "./instance-table.js";
import { sizeOfArea } from "./instance-table.js";
import type { ExcludedPrediction, MaskResult, Method, SubjectImage } from "./methods/method.js";
import { OWN_METHOD } from "./methods/open-methods.js";
import type { EvaluateHost } from "./options.js";
import { ListedReasons } from "./reasons.js";
import type { TruthSettings } from "./truth.js";
import { prepareImage } from "./truth.js";

/** What the walk collects. */
export class Findings {
  readonly failures = new ListedReasons();
  readonly exclusions = new ListedReasons();
  readonly remarks = new ListedReasons();

  constructor(
    readonly table: InstanceTable,
    private readonly host: Pick<EvaluateHost, "row">,
  ) {}

  async excludePrediction({ reason, id, place, imageId }: ExcludedPrediction, method: string): Promise<void> {
    const other = method === OWN_METHOD ? {} : { method };
    this.exclusions.add(reason, id ?? place, undefined, other.method);
    await this.host.row({
      status: "excluded",
      reason,
      annotationId: id,
      ...(imageId !== undefined && { imageId }),
      ...other,
    });
  }
}

export interface WalkSettings extends TruthSettings {
  readonly sources: SourceNames;
  readonly isGrouped: boolean;
}

export interface TruthWalk {
  readonly dataset: Dataset;
  readonly methods: readonly Method[];
  /** Takes what the walk finds. */
  readonly findings: Findings;
  readonly settings: WalkSettings;
  readonly host: EvaluateHost;
}

/** @throws E_DATA and E_USAGE when the evaluation cannot go on; AbortError when the host's signal asks for a stop */
export async function walkTruth({ dataset, methods, findings, settings, host }: TruthWalk): Promise<void> {
  const categoryNumbers = new Map(dataset.categories.map(({ id }, number) => [id, number]));
  let seen = 0;
  for await (const group of dataset.groups()) {
    host.signal.throwIfAborted();
    await evaluateImage(group);
    seen += group.entries.length;
    host.progress(seen, dataset.annotationCount);
  }

  async function evaluateImage(group: ImageGroup): Promise<void> {
    const { subject, truths, excluded } = await prepareImage(group, settings);
    const { image } = subject;
    for (const { annotationId, reason, message } of excluded) {
      findings.exclusions.add(reason, annotationId, message);
      await host.row({ status: "excluded", reason, annotationId, imageId: image.id, fileName: image.fileName });
    }
    const results: (readonly MaskResult[])[] = [];
    for (const method of methods) results.push(await method.masksOf(subject));
    for (const [i, instance] of subject.instances.entries()) {
      await evaluateInstance(
        subject,
        instance,
        truths[i]!,
        results.map((ofMethod) => ofMethod[i]!),
      );
    }
  }

  async function evaluateInstance(
    subject: SubjectImage,
    instance: Instance,
    truth: Rle,
    results: readonly MaskResult[],
  ): Promise<void> {
    const { image } = subject;
    const scores = compareMasks(results, truth);
    const own = results[0]!;
    const area = rleArea(truth);
    const vertices = verticesOf(own);
    const score = own.kind === "mask" ? own.score : undefined;
    const category = categoryNumbers.get(instance.categoryId)!;
    noteOwn(findings, own, instance.annotationId);
    if (instance.truthLeftOut !== undefined)
      findings.remarks.add("truth-part-left-out", instance.annotationId, instance.truthLeftOut);
    findings.table.add({
      ordinal: instance.ordinal,
      category,
      source: settings.sources.numberOf(image),
      area,
      vertices,
      truthVertices: verticesOf(results.at(-1)!),
      scores,
      ...(score !== undefined && { score }),
    });
    await host.row({
      status: own.kind === "mask" ? "evaluated" : "failed",
      ...(own.kind === "failed" && { reason: own.reason }),
      annotationId: instance.annotationId,
      imageId: image.id,
      fileName: image.fileName,
      category: dataset.categories[category]!.name,
      ...(settings.isGrouped && { source: settings.sources.nameOf(image) }),
      area,
      size: sizeOfArea(area),
      vertices,
      scores,
      ...(score !== undefined && { score }),
    });
  }
}

/** Of a polygon; 0 of a mask and of a failure. */
function verticesOf(result: MaskResult): number {
  return result.kind === "mask" ? (result.polygon ?? []).reduce((sum, ring) => sum + ring.length, 0) : 0;
}

/** Computes the border of the truth once for all methods. */
function compareMasks(results: readonly MaskResult[], truth: Rle): MethodScore[] {
  const border = innerBorder(truth);
  return results.map((result) => {
    if (result.kind === "failed") return { iou: 0, boundaryIou: 0, failed: true };
    return {
      iou: iouOfRles(result.mask, truth),
      boundaryIou: iouOfRles(innerBorder(result.mask), border),
      failed: false,
    };
  });
}

function noteOwn(findings: Findings, own: MaskResult, annotationId: Id): void {
  if (own.kind === "failed") {
    findings.failures.add(own.reason, annotationId, own.message);
    return;
  }
  for (const { reason, message } of own.remarks ?? []) findings.remarks.add(reason, annotationId, message);
  if (own.score !== undefined && (own.score < 0 || own.score > 1))
    findings.remarks.add("score-out-of-range", annotationId, `received ${own.score}`);
}
