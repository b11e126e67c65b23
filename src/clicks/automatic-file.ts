/**
 * The polygons a simulation begins with, as a COCO file: what `annotate` predicts, for evaluation beside the clicks.
 * Written while the simulation goes on; memory does not grow with it.
 */
import type { Dataset } from "../dataset/dataset.js";
import { AtomicFile } from "../files/atomic-file.js";
import { toJsonText } from "../json-text.js";
import type { DoneOutcome, JsonObject } from "../types.js";
import { predictedAnnotation } from "../write/coco-annotation.js";
import type { SimulatedInstance } from "./simulation.js";

export class AutomaticFile {
  private isFirst = true;

  private constructor(private readonly file: AtomicFile) {}

  /** @throws E_WRITE */
  static async open(path: string): Promise<AutomaticFile> {
    const file = await AtomicFile.open(path);
    await file.write('{"annotations":[');
    return new AutomaticFile(file);
  }

  /**
   * Leaves out polygons of fewer than three distinct vertices: an evaluation counts their instances as failed.
   * @throws E_WRITE
   */
  async add({ crop, automatic, automaticScore }: SimulatedInstance): Promise<void> {
    const { ring, sequence } = automatic;
    if (ring.length === 0) return;
    const { ordinal, annotationId, imageId } = crop.instance;
    const outcome: DoneOutcome = {
      status: "done",
      ordinal,
      annotationId,
      imageId,
      ring,
      ended: sequence.ended,
      score: automaticScore,
      clipped: crop.clipped,
      imageWidth: crop.imageWidth,
      imageHeight: crop.imageHeight,
    };
    await this.element(predictedAnnotation(crop.instance, outcome));
  }

  /** Adds images and categories of the data set, and puts the file in place. @throws E_WRITE */
  async finish(dataset: Dataset): Promise<void> {
    await this.file.write('\n],"images":[');
    this.isFirst = true;
    for await (const { image, entries } of dataset.groups()) if (entries.length > 0) await this.element(image.raw);
    await this.file.write(`\n],"categories":${toJsonText(dataset.categories.map(({ raw }) => raw))}}\n`);
    await this.file.commit();
  }

  /** Removes what was written; nothing after `finish`. */
  abort(): Promise<void> {
    return this.file.abort();
  }

  private async element(value: JsonObject): Promise<void> {
    await this.file.write(`${this.isFirst ? "" : ","}\n${toJsonText(value)}`);
    this.isFirst = false;
  }
}
