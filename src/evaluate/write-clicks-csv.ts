/** clicks.csv: one line per simulated instance and threshold; written while the simulation runs. */
import { AtomicFile } from "../write/atomic-file.js";
import { csvLine } from "./csv.js";
import type { ClickRow } from "./simulate-options.js";

export const CLICKS_FILE = "clicks.csv";

/** Digits behind the point of an IoU. */
const DIGITS = 6;

export class ClicksCsv {
  private constructor(private readonly file: AtomicFile) {}

  /** @throws E_WRITE */
  static async open(path: string): Promise<ClicksCsv> {
    const file = await AtomicFile.open(path);
    await file.write(
      csvLine([
        "annotation_id",
        "image_id",
        "file_name",
        "category",
        "source",
        "truth_vertices",
        "automatic_iou",
        "threshold",
        "clicks",
        "iou",
        "vertices",
        "ended",
      ]),
    );
    return new ClicksCsv(file);
  }

  async row(row: ClickRow): Promise<void> {
    const { annotationId, imageId, fileName, category, source, truthVertices, automaticIou, perThreshold } = row;
    for (const { threshold, clicks, iou, vertices, ended } of perThreshold) {
      await this.file.write(
        csvLine([
          annotationId,
          imageId,
          fileName,
          category,
          source,
          truthVertices,
          rounded(automaticIou),
          threshold,
          clicks,
          rounded(iou),
          vertices,
          ended ? "yes" : "no",
        ]),
      );
    }
  }

  commit(): Promise<void> {
    return this.file.commit();
  }

  abort(): Promise<void> {
    return this.file.abort();
  }
}

function rounded(value: number): number {
  return Math.round(value * 10 ** DIGITS) / 10 ** DIGITS;
}
