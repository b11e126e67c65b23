/**
 * A photograph within a text file, as LabelMe holds one: base64 of a JPEG or PNG file that is shown as it is stored.
 * LabelMe turns a photograph that it opens by its EXIF orientation, but not one from `imageData`; so one that is stored
 * turned, or in a format that its toolkit may not know, is encoded again, without loss as PNG.
 * Source: LabelMe 5, label_file.py (load_image_file) and app.py (QImage.fromData).
 */
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { invalidData } from "../errors.js";
import { imageInput, readPacked } from "../files/archive.js";

/** Bytes of a photograph; as base64 within a document it must fit a text, which has at most 2^29 characters. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * @returns base64; undefined for a photograph that cannot be read: LabelMe cannot show it either
 * @throws E_DATA when the photograph is too large
 */
export async function embedPhotograph(path: string): Promise<string | undefined> {
  const bytes = await readShown(path);
  if (bytes === undefined || bytes.length <= MOST_BYTES) return bytes?.toString("base64");
  throw invalidData(
    `${path}: expected a photograph of at most ${MOST_BYTES} bytes to put into a LabelMe file, received ${bytes.length}`,
    "Run again with --resume --no-embed-images: the files then name their photographs.",
  );
}

async function readShown(path: string): Promise<Buffer | undefined> {
  const photograph = await imageInput(path)
    .then((input) => sharp(input, { limitInputPixels: false }))
    .catch(() => undefined);
  const metadata = await photograph?.metadata().catch(() => undefined);
  if (photograph === undefined || metadata === undefined) return undefined;
  const { format, orientation = 1 } = metadata;
  if (orientation === 1 && (format === "jpeg" || format === "png")) return (await readPacked(path)) ?? readFile(path);
  return photograph
    .rotate()
    .png()
    .toBuffer()
    .catch(() => undefined);
}
