/**
 * A file of predictions, indexed once and then read image by image in any order: the truth decides the order of the
 * walk. Memory: a few numbers per prediction.
 *
 * Two kinds: a COCO file with `annotations` (what `polyrnn annotate` writes), whose ids are the ids of the boxes; and a
 * COCO results list, [{ image_id, category_id, segmentation, score }, ...], which has no ids.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { GroupedAnnotations } from "../../dataset/coco/columns.js";
import type { CocoIndex } from "../../dataset/coco/file-index.js";
import { indexCoco } from "../../dataset/coco/file-index.js";
import type { ByteFile } from "../../dataset/json/byte-file.js";
import { describeNoImageIds } from "../../dataset/coco/read-results.js";
import { openByteFile, readRanges } from "../../dataset/json/byte-file.js";
import { asId } from "../../dataset/json/fields.js";
import { describeProblem, parseJsonBytes } from "../../dataset/json/value.js";
import { invalidData, missingInput } from "../../errors.js";
import { pathExists } from "../../files/folders.js";
import { RUN_FILE } from "../../files/run-layout.js";
import { isJsonObject } from "../../foreign.js";
import type { Id, JsonObject } from "../../types.js";

/** One prediction as read; nothing in it is checked yet. */
export interface PredictionRecord {
  /** Position in the file, from 0. */
  readonly ordinal: number;
  /** Id from the file; absent in a results list, or where it is no id. */
  readonly id?: Id;
  /** Empty when the bytes are no JSON object. */
  readonly raw: JsonObject;
  /** Why there is nothing in `raw`. */
  readonly problem?: string;
  /** Ordinal of an earlier prediction with the same id. */
  readonly firstWithSameId?: number;
}

export interface PredictionFile {
  readonly path: string;
  readonly kind: "annotations" | "results";
  readonly count: number;
  /** Predictions of an image, in file order. */
  forImage(imageId: Id): Promise<PredictionRecord[]>;
  /** Predictions of images that `forImage` was never asked for; those without a usable image id come last. */
  forOtherImages(): AsyncGenerator<PredictionRecord>;
  close(): Promise<void>;
}

/** Not before every read: asking the disk whether the file changed costs as much as reading an image's predictions. */
const READS_BETWEEN_CHECKS = 64;

const HINT = "Pass a run folder, its annotations.json, or a COCO results list with segmentations.";

/** What a run writes with --format coco, which is the default (write/coco.ts). */
const ANNOTATIONS_FILE = "annotations.json";

/**
 * A run folder stands for the annotations in it.
 * @returns the file; whether it can be read is found out when it is opened
 * @throws E_MISSING for a folder without them
 */
export async function predictionsAt(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) return path;
  const inside = join(path, ANNOTATIONS_FILE);
  if (await pathExists(inside)) return inside;
  const isRun = await pathExists(join(path, RUN_FILE));
  throw missingInput(
    `${path}: expected a run folder with ${ANNOTATIONS_FILE}, received ${isRun ? "a run" : "a folder"} without it`,
    isRun
      ? "Finish the run with --resume; its --format has to name coco."
      : "Pass the output folder of annotate, or the file itself.",
  );
}

/** @throws E_MISSING when the file is not there; E_DATA when it holds no predictions or is damaged as a whole */
export async function openPredictions(path: string): Promise<PredictionFile> {
  const file = await openByteFile(path, "file of predictions");
  try {
    const index = await indexCoco(file);
    const kind = kindOf(index);
    if (index.annotations.count === 0)
      throw invalidData(`${path}: expected predictions, received an empty list`, "Check the run that wrote the file.");
    // Each image is a group under its own number; the last group has no image id.
    const groups = Int32Array.from({ length: index.imageIds.count }, (_, number) => number);
    return new IndexedPredictions(file, kind, index, index.annotations.finish(groups, groups.length + 1));
  } catch (error) {
    await file.close();
    throw error;
  }
}

function kindOf({ file, outline, imageIds, annotations }: CocoIndex): PredictionFile["kind"] {
  if (outline.root === "list") {
    if (annotations.count > 0 && imageIds.count === 0) {
      throw invalidData(`${file.path}: expected a COCO results list, ${describeNoImageIds(annotations)}`, HINT);
    }
    return "results";
  }
  if (outline.counts.has("annotations")) return "annotations";
  throw invalidData(
    `${file.path}: expected a COCO file with a list of annotations, or a COCO results list, received an object without`,
    HINT,
  );
}

class IndexedPredictions implements PredictionFile {
  readonly path: string;
  readonly count: number;
  /** By group: 1 once handed out. */
  private readonly seen: Uint8Array;
  private reads = 0;

  constructor(
    private readonly file: ByteFile,
    readonly kind: PredictionFile["kind"],
    private readonly index: CocoIndex,
    private readonly annotations: GroupedAnnotations,
  ) {
    this.path = file.path;
    this.count = annotations.count;
    this.seen = new Uint8Array(index.imageIds.count + 1);
  }

  async forImage(imageId: Id): Promise<PredictionRecord[]> {
    const group = this.index.imageIds.find(imageId);
    if (group === undefined) return [];
    this.seen[group] = 1;
    return this.read(group);
  }

  async *forOtherImages(): AsyncGenerator<PredictionRecord> {
    for (let group = 0; group < this.seen.length; group++) {
      if (this.seen[group] === 0) yield* await this.read(group);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private async read(group: number): Promise<PredictionRecord[]> {
    const { annotations } = this;
    const ordinals = annotations.group(group);
    if (ordinals.length === 0) return [];
    if (this.reads++ % READS_BETWEEN_CHECKS === 0) await this.file.checkUnchanged();
    const ranges = Array.from(ordinals, (ordinal) => ({
      offset: annotations.offsets[ordinal]!,
      length: annotations.lengths[ordinal]!,
    }));
    const parts = await readRanges(this.file, ranges);
    return parts.map((bytes, i) => this.toRecord(bytes, ranges[i]!.offset, ordinals[i]!));
  }

  private toRecord(bytes: Buffer, offset: number, ordinal: number): PredictionRecord {
    const parsed = parseJsonBytes(bytes, offset);
    if (parsed.kind === "problem") return { ordinal, raw: {}, problem: describeProblem(parsed) };
    const { value } = parsed;
    if (!isJsonObject(value)) return { ordinal, raw: {}, problem: "expected an object" };
    const id = this.kind === "annotations" && Object.hasOwn(value, "id") ? asId(value["id"]) : undefined;
    const firstWithSameId = this.kind === "annotations" ? this.annotations.firstWithSameId(ordinal) : undefined;
    return {
      ordinal,
      raw: value,
      ...(id !== undefined && { id }),
      ...(firstWithSameId !== undefined && { firstWithSameId }),
    };
  }
}
