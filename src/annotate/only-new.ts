/**
 * --only-new: boxes that have a polygon in an earlier annotations.json are passed over, and that polygon goes out
 * unchanged. What else the input says of the annotation today goes out as well (write/coco-annotation.ts).
 *
 * A box is done when the earlier file has a polygon with the same file name of the image, category and box. Ids do not
 * count, because exports and detectors number anew. Boxes are equal when all four numbers agree to two decimals, as
 * annotations.json writes them. Of several such annotations the first one is taken. Crowds, and annotations without a
 * readable polygon or mask, do not count. Which model made a polygon, whether a person corrected it since, and the
 * pixels make no difference.
 *
 * Memory: some hundred bytes per earlier annotation; the annotations themselves stay in the file.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readTruth } from "../dataset/coco/annotation.js";
import { readImageRecord } from "../dataset/coco/images.js";
import type { Dataset, Entry, ImageGroup } from "../dataset/dataset.js";
import type { ByteFile } from "../dataset/json/byte-file.js";
import { openByteFile } from "../dataset/json/byte-file.js";
import type { ListElement, ListHandler } from "../dataset/json/elements.js";
import { walkJson } from "../dataset/json/elements.js";
import { asId } from "../dataset/json/fields.js";
import { parseJsonBytes } from "../dataset/json/value.js";
import { invalidData } from "../errors.js";
import { parseJsonText } from "../json-text.js";
import type { Id, Instance, JsonObject, JsonValue } from "../types.js";
import { carriedAnnotation } from "../write/coco-annotation.js";
import type { Selection } from "./select.js";
import { decide } from "./select.js";

const ANNOTATIONS_FILE = "annotations.json";

/**
 * @param path annotations.json of an earlier run, or its folder
 * @throws E_MISSING when there is no such file, E_DATA when it is no COCO file
 */
export async function openEarlier(path: string): Promise<EarlierPolygons> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const file = await openByteFile(isFolder ? join(path, ANNOTATIONS_FILE) : path, "annotations.json of an earlier run");
  try {
    return await indexEarlier(file);
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
    if (decision.kind === "predict" && found !== undefined) {
      const { ordinal, annotationId, imageId } = decision.instance;
      entries.push({
        kind: "skipped",
        ordinal,
        annotationId,
        imageId,
        reason: "already-done",
        raw: carriedAnnotation(decision.instance, found),
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
  /** The annotation of the same box, as the file has it. */
  find(fileName: string, instance: Instance): Promise<JsonObject | undefined>;
  /** What the file says of an image's size. */
  sizeOf(fileName: string): ImageSize | undefined;
  close(): Promise<void>;
}

interface EarlierImage {
  readonly fileName: string;
  readonly size?: ImageSize;
}

async function indexEarlier(file: ByteFile): Promise<EarlierPolygons> {
  const images = await readImages(file);
  const sizes = new Map<string, ImageSize>();
  for (const { fileName, size } of images.values()) if (size !== undefined) sizes.set(fileName, size);
  const places = new Map<string, { readonly offset: number; readonly length: number }>();
  const annotations: ListHandler = {
    fields: [],
    element(element) {
      const raw = objectOf(element);
      const image = raw === undefined ? undefined : images.get(asId(raw["image_id"]) ?? "");
      if (raw === undefined || image === undefined || !hasPolygon(raw, image)) return;
      const key = keyOf(image.fileName, raw["category_id"], raw["bbox"]);
      if (key !== undefined && !places.has(key)) places.set(key, { offset: element.offset, length: element.length });
    },
  };
  const { sha256 } = await walkJson(file, { lists: new Map([["annotations", annotations]]) });
  return {
    sha256,
    sizeOf: (fileName) => sizes.get(fileName),
    async find(fileName, { categoryId, box: { left, top, width, height } }) {
      const place = places.get(keyOf(fileName, categoryId, [left, top, width, height]) ?? "");
      if (place === undefined) return undefined;
      await file.checkUnchanged();
      return parseJsonText((await file.slice(place.offset, place.length)).toString()) as JsonObject;
    },
    close: () => file.close(),
  };
}

/** A walk of its own, because the images may follow the annotations in the file. */
async function readImages(file: ByteFile): Promise<ReadonlyMap<Id, EarlierImage>> {
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
      images.set(id, { fileName, ...(width !== undefined && height !== undefined && { size: { width, height } }) });
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
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}

function hasPolygon(raw: JsonObject, { fileName, size }: EarlierImage): boolean {
  if (raw["iscrowd"] === 1 || raw["iscrowd"] === true) return false;
  return readTruth(raw["segmentation"], "", { id: "", fileName, raw: {}, ...size }).truth !== undefined;
}

/** A digest: file names are long, and there are millions of keys. @returns undefined where there is no box to go by */
function keyOf(fileName: string, categoryId: JsonValue | undefined, box: JsonValue | undefined): string | undefined {
  if (!Array.isArray(box) || box.length !== 4) return undefined;
  const numbers = box.map((value) =>
    typeof value === "number" && Number.isFinite(value) ? Math.round(value * 100) : undefined,
  );
  const category = asId(categoryId);
  if (numbers.includes(undefined) || category === undefined) return undefined;
  return createHash("sha256")
    .update(JSON.stringify([fileName, category, ...numbers]))
    .digest("base64")
    .slice(0, 22);
}
