/** The images of a COCO file in file order: their records, read by byte range, and their files in the image folder. */
import { receivedOf } from "../../errors.js";
import type { FailReason, Failure, Id, ImageRecord, JsonObject } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { ImageLocation } from "../dataset.js";
import type { ImageFinder } from "../find-images.js";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { readRanges } from "../json/byte-file.js";
import { describeProblem, parseJsonBytes } from "../json/value.js";
import type { ImageTable } from "./columns.js";
import { checkCocoImage, checkCocoImageSize } from "./schema.js";

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
      await file.checkUnchanged();
      const ranges = Array.from({ length: to - from }, (_, i): ByteRange => ({
        offset: table.offsets[from + i]!,
        length: table.lengths[from + i]!,
      }));
      const parts = await readRanges(file, ranges);
      return Promise.all(
        parts.map(async (bytes, i) => {
          const position = from + i;
          const place = { file: file.path, position, offset: ranges[i]!.offset, id: table.id(position) };
          const { image, failure } = readImageRecord(bytes, place);
          const problem = failure ?? sharedId(file, table, position);
          return {
            image,
            location:
              problem === undefined
                ? await locate(image, `${file.path}: images[${position}]`, finder)
                : { kind: "failed", failure: problem },
          };
        }),
      );
    },
  };
}

/** Adds to the finder's message where in the box file the name is. */
async function locate(image: ImageRecord, where: string, finder: ImageFinder): Promise<ImageLocation> {
  const located = await finder.locate(image.fileName);
  if (located.kind === "file") return located;
  const { reason, message } = located.failure;
  return { kind: "failed", failure: { reason, message: `${where} (id ${receivedOf(image.id)}): ${message}` } };
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
  const where = `${file}: images[${position}] (id ${receivedOf(id)})`;
  const fail = (image: ImageRecord, reason: FailReason, message: string): ReadRecord => ({
    image,
    failure: { reason, message: `${where}${message}. ${NEXT_STEP}` },
  });
  const parsed = parseJsonBytes(bytes, offset);
  if (parsed.kind === "problem")
    return fail({ id, fileName: "", raw: {} }, "image-missing", `, ${describeProblem(parsed)}`);

  // An object, or the index would not have found its id.
  const raw = parsed.value as JsonObject;
  const violation = checkCocoImage(raw);
  if (violation !== undefined)
    return fail({ id, fileName: "", raw }, "image-missing", `: ${describeViolation(violation)}`);
  const named = { id, fileName: raw["file_name"] as string, raw };
  const wrongSize = checkCocoImageSize(raw);
  if (wrongSize !== undefined) return fail(named, "image-size", `: ${describeViolation(wrongSize)}`);
  const { width, height } = raw;
  return {
    image: { ...named, ...(typeof width === "number" && { width }), ...(typeof height === "number" && { height }) },
  };
}
