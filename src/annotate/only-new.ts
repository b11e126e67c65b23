/**
 * --only-new: boxes that have a polygon in an earlier annotations.json are passed over, and that polygon goes out
 * unchanged. What else the input says of the annotation today goes out as well (write/coco-annotation.ts).
 *
 * A box is done when the earlier file has a polygon with the same image, category and box. Ids do not count, because
 * exports and detectors number anew; file names are the same image where the image look-up says so. Boxes are equal when
 * all four numbers agree to two decimals, as annotations.json writes them. Of several such annotations the first one is
 * taken. Crowds, and annotations without a segmentation, do not count. Where the segmentation cannot be read the box
 * fails: it may be somebody's work, and is not drawn over. Which model made a polygon, whether a person corrected it since, and the
 * pixels make no difference.
 *
 * Memory: some hundred bytes per earlier annotation; the annotations themselves stay in the file.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readImageRecord } from "../dataset/coco/images.js";
import type { Dataset, Entry, ImageGroup } from "../dataset/dataset.js";
import type { ByteFile } from "../dataset/json/byte-file.js";
import { openByteFile } from "../dataset/json/byte-file.js";
import type { ListElement, ListHandler } from "../dataset/json/elements.js";
import { walkJson } from "../dataset/json/elements.js";
import { asId } from "../dataset/json/fields.js";
import { nameKey } from "../dataset/image-names.js";
import { parseJsonBytes } from "../dataset/json/value.js";
import { invalidData } from "../errors.js";
import { isJsonObject } from "../foreign.js";
import { readSegmentation } from "../geometry/segmentation.js";
import { parseJsonText } from "../json-text.js";
import type { Id, Instance, JsonObject, JsonValue } from "../types.js";
import { carriedAnnotation } from "../write/coco-annotation.js";
import type { Selection } from "./select.js";
import { decide } from "./select.js";

const ANNOTATIONS_FILE = "annotations.json";

/**
 * @param path     annotations.json of an earlier run, or its folder
 * @param imageKey the data set's judgement of which file names mean one image
 * @throws E_MISSING when there is no such file, E_DATA when it is no COCO file
 */
export async function openEarlier(path: string, imageKey: Dataset["imageKey"] = nameKey): Promise<EarlierPolygons> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const file = await openByteFile(
    isFolder ? join(path, ANNOTATIONS_FILE) : path,
    "file of an earlier run's annotations",
  );
  try {
    return await indexEarlier(file, imageKey);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The data set with what is done turned into annotations to pass over, reason `already-done`. */
export function passOverDone(dataset: Dataset, earlier: EarlierPolygons, selection: Selection): Dataset {
  const { format, source, categories, header, imageCount, annotationCount, sha256 } = dataset;
  return {
    format,
    source,
    categories,
    header,
    imageCount,
    annotationCount,
    sha256,
    async *groups() {
      for await (const group of dataset.groups()) yield await withoutDone(group, earlier, selection);
    },
    imageKey: (fileName) => dataset.imageKey(fileName),
    close: () => dataset.close(),
  };
}

async function withoutDone(group: ImageGroup, earlier: EarlierPolygons, selection: Selection): Promise<ImageGroup> {
  const { image, location } = group;
  const entries: Entry[] = [];
  let toPredict = 0;
  for (const entry of group.entries) {
    const decision = decide(entry, selection);
    const found = decision.kind === "predict" ? await earlier.find(image.fileName, decision.instance) : undefined;
    if (decision.kind === "predict" && found?.problem !== undefined) {
      const { ordinal, annotationId, imageId, raw } = decision.instance;
      const message = `${found.problem}. The box was not drawn again (--only-new); correct or remove that segmentation.`;
      entries.push({
        kind: "failed",
        ordinal,
        annotationId,
        imageId,
        raw,
        failure: { reason: "segmentation-invalid", message },
      });
    } else if (decision.kind === "predict" && found?.raw !== undefined) {
      const { ordinal, annotationId, imageId } = decision.instance;
      entries.push({
        kind: "skipped",
        ordinal,
        annotationId,
        imageId,
        reason: "already-done",
        raw: carriedAnnotation(decision.instance, found.raw),
      });
    } else {
      if (decision.kind === "predict") toPredict++;
      entries.push(entry);
    }
  }
  // An image that is not opened has the size the earlier run found; one that is opened has its own.
  const size =
    toPredict === 0 && (image.width === undefined || image.height === undefined)
      ? earlier.sizeOf(image.fileName)
      : undefined;
  return { image: { ...image, ...size }, location, entries };
}

interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** An earlier annotations.json, indexed. */
export interface EarlierPolygons {
  /** sha256 of the file. */
  readonly sha256: string;
  /** The annotation of the same box, as the file has it, or why its segmentation cannot be read. */
  find(fileName: string, instance: Instance): Promise<FoundPolygon | undefined>;
  /** What the file says of an image's size. */
  sizeOf(fileName: string): ImageSize | undefined;
  close(): Promise<void>;
}

type FoundPolygon =
  { readonly raw: JsonObject; readonly problem?: never } | { readonly raw?: never; readonly problem: string };

interface EarlierPlace {
  readonly offset: number;
  readonly length: number;
  /** Why the segmentation cannot be read. */
  readonly problem?: string;
}

interface EarlierImage {
  /** See `Dataset.imageKey`. */
  readonly key: string;
  readonly size?: ImageSize;
}

async function indexEarlier(file: ByteFile, imageKey: Dataset["imageKey"]): Promise<EarlierPolygons> {
  const images = await readImages(file, imageKey);
  const sizes = new Map<string, ImageSize>();
  for (const { key, size } of images.values()) if (size !== undefined) sizes.set(key, size);
  const places = new Map<string, EarlierPlace>();
  const annotations: ListHandler = {
    fields: [],
    element(element) {
      const raw = objectOf(element);
      const image = raw === undefined ? undefined : images.get(asId(raw["image_id"]) ?? "");
      if (raw === undefined || image === undefined || isCrowd(raw)) return;
      const { offset, length, index } = element;
      const where = `${file.path}: annotations[${index}]`;
      const { truth, truthProblem } = readSegmentation(raw["segmentation"], where, image.size ?? {});
      if (truth === undefined && truthProblem === undefined) return;
      const key = keyOf(image.key, raw["category_id"], raw["bbox"]);
      const known = key === undefined ? undefined : places.get(key);
      if (key === undefined || (known !== undefined && known.problem === undefined)) return;
      if (truth !== undefined) places.set(key, { offset, length });
      else if (known === undefined && truthProblem !== undefined)
        places.set(key, { offset, length, problem: truthProblem });
    },
  };
  const { sha256 } = await walkJson(file, { lists: new Map([["annotations", annotations]]) });
  return {
    sha256,
    sizeOf: (fileName) => sizes.get(imageKey(fileName)),
    async find(fileName, { categoryId, box: { left, top, width, height } }) {
      const place = places.get(keyOf(imageKey(fileName), categoryId, [left, top, width, height]) ?? "");
      if (place?.problem !== undefined) return { problem: place.problem };
      if (place === undefined) return undefined;
      await file.checkUnchanged();
      return { raw: parseJsonText((await file.slice(place.offset, place.length)).toString()) as JsonObject };
    },
    close: () => file.close(),
  };
}

/** A walk of its own, because the images may follow the annotations in the file. */
async function readImages(file: ByteFile, imageKey: Dataset["imageKey"]): Promise<ReadonlyMap<Id, EarlierImage>> {
  const images = new Map<Id, EarlierImage>();
  const handler: ListHandler = {
    fields: ["id"],
    element({ index, offset, length, bytes, start, fields }) {
      const id = fields.id(0, bytes);
      if (id === undefined) return;
      const record = Buffer.from(bytes.subarray(start, start + length));
      const { image, failure } = readImageRecord(record, { file: file.path, position: index, offset, id });
      if (failure !== undefined || images.has(id)) return;
      const { fileName, width, height } = image;
      images.set(id, {
        key: imageKey(fileName),
        ...(width !== undefined && height !== undefined && { size: { width, height } }),
      });
    },
  };
  const { counts } = await walkJson(file, {
    lists: new Map([
      ["images", handler],
      ["annotations", { fields: [], element: () => undefined }],
    ]),
  });
  const lacking = ["images", "annotations"].filter((name) => !counts.has(name));
  if (lacking.length > 0) {
    throw invalidData(
      `${file.path}: expected a COCO file with the lists images and annotations, ` +
        `received one without ${lacking.join(" and ")}`,
      "Name the annotations.json that an earlier run wrote, or its folder.",
    );
  }
  return images;
}

function objectOf({ bytes, start, length, offset }: ListElement): JsonObject | undefined {
  const parsed = parseJsonBytes(bytes.subarray(start, start + length), offset);
  const value = parsed.kind === "value" ? parsed.value : undefined;
  return isJsonObject(value) ? value : undefined;
}

function isCrowd(raw: JsonObject): boolean {
  return raw["iscrowd"] === 1 || raw["iscrowd"] === true;
}

/** A digest: file names are long, and there are millions of keys. @returns undefined where there is no box to go by */
function keyOf(imageKey: string, categoryId: JsonValue | undefined, box: JsonValue | undefined): string | undefined {
  if (!Array.isArray(box) || box.length !== 4) return undefined;
  const numbers = box.map((value) =>
    typeof value === "number" && Number.isFinite(value) ? Math.round(value * 100) : undefined,
  );
  const category = asId(categoryId);
  if (numbers.includes(undefined) || category === undefined) return undefined;
  return createHash("sha256")
    .update(JSON.stringify([imageKey, category, ...numbers]))
    .digest("base64")
    .slice(0, 22);
}
