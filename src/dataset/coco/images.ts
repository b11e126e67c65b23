/** The images of a COCO file in file order: their records, read by byte range, and their files in the image folder. */
import { receivedOf } from "../../errors.js";
import type { FailReason, Failure, Id, ImageRecord, JsonObject, JsonValue } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { ImageLocation } from "../dataset.js";
import type { ImageFinder } from "../find-images.js";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { readRanges } from "../json/byte-file.js";
import { describeProblem, parseJsonBytes } from "../json/value.js";
import type { ImageTable } from "./columns.js";
import { checkCocoImage, checkCocoImageSize } from "./schema.js";

/** In a walk the file is asked so often whether it is as it was. */
export const IMAGES_BETWEEN_CHECKS = 256;

export interface PlacedImage {
  readonly image: ImageRecord;
  readonly location: ImageLocation;
}

/** Images by position, in input order. */
export interface ImageSource {
  readonly count: number;
  /** @returns the images from position `from` up to, not including, `to` */
  load(from: number, to: number): Promise<PlacedImage[]>;
}

export function recordedImages(file: ByteFile, table: ImageTable, finder: ImageFinder): ImageSource {
  return {
    count: table.count,
    async load(from, to) {
      if (from % IMAGES_BETWEEN_CHECKS === 0) await file.checkUnchanged();
      const records = await readRecords(file, table, from, to);
      return Promise.all(
        records.map(async ({ image, failure }, i) => {
          const position = from + i;
          const problem = failure ?? sharedId(file, table, position);
          return {
            image,
            location:
              problem === undefined
                ? await locate(image, finder, () => `${file.path}: images[${position}]`)
                : { kind: "failed", failure: problem },
          };
        }),
      );
    },
  };
}

/** The records from position `from` up to, not including, `to` or the end. */
export async function readRecords(file: ByteFile, table: ImageTable, from: number, to: number): Promise<ReadRecord[]> {
  const ranges = Array.from({ length: Math.min(to, table.count) - from }, (_, i): ByteRange => ({
    offset: table.offsets[from + i]!,
    length: table.lengths[from + i]!,
  }));
  const parts = await readRanges(file, ranges);
  return parts.map((bytes, i) => {
    const position = from + i;
    return readImageRecord(bytes, { file: file.path, position, offset: ranges[i]!.offset, id: table.id(position) });
  });
}

/** Adds to the finder's message where in the box file the name is. */
async function locate(image: ImageRecord, finder: ImageFinder, where: () => string): Promise<ImageLocation> {
  const located = await finder.locate(image.fileName);
  if (located.kind === "file") return located;
  const { reason, message } = located.failure;
  return { kind: "failed", failure: { reason, message: `${where()} (id ${receivedOf(image.id)}): ${message}` } };
}

/** Why the image cannot be named: annotations cannot say which of two records with one id they mean. */
function sharedId(file: ByteFile, table: ImageTable, position: number): Failure | undefined {
  const first = table.firstWithSameId(position);
  const last = table.lastWithSameId(position);
  if (first === last) return undefined;
  const received = `${receivedOf(table.id(position))} in images[${first}] and images[${last}]`;
  const message =
    `${file.path}: expected every image id once, received ${received}. ` + "Give each image an id of its own.";
  return { reason: "image-ambiguous", message };
}

/**
 * LVIS has no file_name: the name is the last two parts of the address, which are the folder of the COCO images and the
 * file, as in detectron2's and LVIS's own readers.
 */
function nameOfUrl(url: JsonValue | undefined): string | undefined {
  if (typeof url !== "string") return undefined;
  const path = url.replace(/[?#].*$/su, "").replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/iu, "");
  const parts = path.split("/").filter((part) => part !== "");
  const name = parts.slice(-2).join("/");
  if (name === "" || path.endsWith("/")) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    // A percent sign that begins no escape is part of the name.
    return name;
  }
}

interface RecordPlace {
  readonly file: string;
  readonly position: number;
  /** Of the record's bytes in the file. */
  readonly offset: number;
  /** As the index found it. */
  readonly id: Id;
}

interface ReadRecord {
  readonly image: ImageRecord;
  /** Why there is no point in looking for the image's file. */
  readonly failure?: Failure;
}

const NEXT_STEP = "Correct this image record.";

/** Never throws: a broken record costs only its own annotations. */
export function readImageRecord(bytes: Buffer, { file, position, offset, id }: RecordPlace): ReadRecord {
  const fail = (image: ImageRecord, reason: FailReason, message: string): ReadRecord => {
    const where = `${file}: images[${position}] (id ${receivedOf(id)})`;
    return { image, failure: { reason, message: `${where}${message}. ${NEXT_STEP}` } };
  };
  const parsed = parseJsonBytes(bytes, offset);
  if (parsed.kind === "problem")
    return fail({ id, fileName: "", raw: {} }, "image-missing", `, ${describeProblem(parsed)}`);

  // An object, or the index would not have found its id.
  const raw = parsed.value as JsonObject;
  const nameFromUrl = raw["file_name"] === undefined ? nameOfUrl(raw["coco_url"]) : undefined;
  const violation = nameFromUrl === undefined ? checkCocoImage(raw) : undefined;
  if (violation !== undefined)
    return fail({ id, fileName: "", raw }, "image-missing", `: ${describeViolation(violation)}`);
  const named = { id, fileName: nameFromUrl ?? (raw["file_name"] as string), raw };
  const wrongSize = checkCocoImageSize(raw);
  if (wrongSize !== undefined) return fail(named, "image-size", `: ${describeViolation(wrongSize)}`);
  const { width, height } = raw;
  // Spread once where both are known, as they nearly always are: there may be a million records.
  if (typeof width === "number" && typeof height === "number") return { image: { ...named, width, height } };
  return {
    image: { ...named, ...(typeof width === "number" && { width }), ...(typeof height === "number" && { height }) },
  };
}
