/** The images of a COCO file in file order, read by byte range and looked for in the image folder. */
import { receivedOf } from "../errors.js";
import type { Failure, ImageRecord } from "../types.js";
import type { ByteFile } from "./byte-file.js";
import type { ImageLocation } from "./dataset.js";
import type { ImageFinder } from "./find-images.js";
import { readImageRecord } from "./image-record.js";
import type { ImageTable } from "./image-table.js";
import { readRanges } from "./read-ranges.js";
import type { ByteRange } from "./read-ranges.js";

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
          const { image, failure } = readImageRecord(bytes, ranges[i]!.offset, file.path, position, table.id(position));
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

/** The finder knows the folder; where the name stands is known here. */
async function locate(image: ImageRecord, where: string, finder: ImageFinder): Promise<ImageLocation> {
  const located = await finder.locate(image.fileName);
  if (located.kind === "file") return located;
  const { reason, message } = located.failure;
  return { kind: "failed", failure: { reason, message: `${where} (id ${receivedOf(image.id)}): ${message}` } };
}

/** Annotations cannot say which of two records with one id they mean. */
function sharedId(file: ByteFile, table: ImageTable, position: number): Failure | undefined {
  const first = table.firstWithSameId(position),
    last = table.lastWithSameId(position);
  if (first === last) return undefined;
  const message = `${file.path}: expected every image id once, received ${receivedOf(table.id(position))} in images[${first}] and images[${last}]. Give each image an id of its own.`;
  return { reason: "image-ambiguous", message };
}
