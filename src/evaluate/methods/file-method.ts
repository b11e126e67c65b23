/** Predictions of a file as a method: matched to the instances image by image; what fits none is listed. */
import { asId } from "../../dataset/json/fields.js";
import { PolyrnnError } from "../../errors.js";
import type { Rasterizer } from "../../geometry/iou.js";
import { iouOfRles, rasterizeTruth } from "../../geometry/iou.js";
import { readSegmentation } from "../../geometry/segmentation.js";
import type { ComparedAs } from "../../report/types.js";
import type { ImageRecord, Instance, JsonObject, Rle } from "../../types.js";
import type { LeftOverReason } from "../reasons.js";
import type { LeftOver, MatchBy, Matches } from "./match-predictions.js";
import { matchByBox, matchById } from "./match-predictions.js";
import type { MaskResult, Method, OnExcluded, SubjectImage } from "./method.js";
import type { PredictionFile, PredictionRecord } from "./prediction-file.js";
import { matchRemarks, readPrediction } from "./read-prediction.js";

/** From this IoU against a crowd on, a prediction counts as one of the crowd; IoU as COCO defines it for crowds. */
const SMALLEST_CROWD_IOU = 0.5;

export interface FileMethodOptions {
  readonly name: string;
  readonly words: string;
  readonly matchBy: MatchBy;
  readonly rasterizer: Rasterizer;
  readonly onExcluded: OnExcluded;
}

export class FileMethod implements Method {
  readonly name: string;
  readonly words: string;
  readonly file: string;
  /** Predictions that found their instance. */
  matched = 0;
  private readonly usable = { polygons: 0, masks: 0 };

  constructor(
    private readonly predictions: PredictionFile,
    private readonly options: FileMethodOptions,
  ) {
    this.name = options.name;
    this.words = options.words;
    this.file = predictions.path;
  }

  get comparedAs(): ComparedAs | undefined {
    const { polygons, masks } = this.usable;
    if (polygons > 0 && masks > 0) return "polygons and masks";
    return polygons > 0 ? "polygon" : masks > 0 ? "mask" : undefined;
  }

  async masksOf(image: SubjectImage): Promise<MaskResult[]> {
    const records = await this.predictions.forImage(image.image.id);
    const matches = this.match(image, records);
    this.matched += matches.byInstance.size;
    for (const leftOver of matches.leftOver) await this.list(leftOver, image);
    const results = image.instances.map((instance) =>
      this.maskOf(instance, matches.byInstance.get(instance.ordinal), image),
    );
    for (const result of results) {
      if (result.kind === "mask") this.usable[result.polygon === undefined ? "masks" : "polygons"]++;
    }
    return results;
  }

  /** The same masks for an image that was seen before; lists and counts nothing. */
  async masksAgain(image: SubjectImage): Promise<MaskResult[]> {
    const matches = this.match(image, await this.predictions.forImage(image.image.id));
    return image.instances.map((instance) => this.maskOf(instance, matches.byInstance.get(instance.ordinal), image));
  }

  async finish(): Promise<void> {
    for await (const record of this.predictions.forOtherImages())
      await this.exclude(record, "prediction-image-unknown");
  }

  close(): Promise<void> {
    return this.predictions.close();
  }

  private match(
    { image, instances, excludedIds, width, height }: SubjectImage,
    records: readonly PredictionRecord[],
  ): Matches {
    return this.options.matchBy === "id"
      ? matchById(instances, excludedIds, records)
      : matchByBox(instances, records, { ...image, width, height });
  }

  private maskOf(
    instance: Instance,
    record: PredictionRecord | undefined,
    { image, width, height }: SubjectImage,
  ): MaskResult {
    if (record === undefined) return { kind: "failed", reason: "prediction-missing" };
    const place = { where: this.whereIs(record), size: { width, height } };
    const result = readPrediction(record, place, this.options.rasterizer);
    if (result.kind === "failed" || this.options.matchBy === "box") return result;
    return { ...result, remarks: [...(result.remarks ?? []), ...matchRemarks(record, instance, image)] };
  }

  private async list({ record, reason }: LeftOver, subject: SubjectImage): Promise<void> {
    const isCrowd = reason === "prediction-unknown" && subject.crowds.length > 0 && this.liesInCrowd(record, subject);
    await this.exclude(record, isCrowd ? "prediction-crowd" : reason);
  }

  private liesInCrowd(record: PredictionRecord, { image, width, height, crowds }: SubjectImage): boolean {
    const result = readPrediction(record, { where: "", size: { width, height } }, this.options.rasterizer);
    if (result.kind === "failed") return false;
    return crowds.some((crowd) => {
      const mask = crowdMask(crowd, image, width, height);
      return mask !== undefined && iouOfRles(result.mask, mask, true) >= SMALLEST_CROWD_IOU;
    });
  }

  private async exclude(record: PredictionRecord, reason: LeftOverReason): Promise<void> {
    const imageId = asId(record.raw["image_id"]);
    await this.options.onExcluded(
      { reason, id: record.id ?? null, place: this.placeOf(record), ...(imageId !== undefined && { imageId }) },
      this.name,
    );
  }

  private whereIs(record: PredictionRecord): string {
    return `${this.file}: ${this.placeOf(record)}`;
  }

  private placeOf({ ordinal }: PredictionRecord): string {
    return `${this.predictions.kind === "annotations" ? "annotations" : "element "}[${ordinal}]`;
  }
}

/** Undefined where the crowd's segmentation cannot be read: no prediction lies in it then. */
function crowdMask(raw: JsonObject, image: ImageRecord, width: number, height: number): Rle | undefined {
  const { truth } = readSegmentation(raw["segmentation"], "", { ...image, width, height });
  if (truth === undefined) return undefined;
  try {
    return rasterizeTruth(truth, height, width);
  } catch (error) {
    if (error instanceof PolyrnnError) return undefined;
    throw error;
  }
}
