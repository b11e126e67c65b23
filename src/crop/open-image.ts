/**
 * Opens an image, a file or its bytes: first the header (size, orientation, pixel limit), and the pixels only when they are needed.
 *
 * Boxes belong to the image as displayed, EXIF orientation applied. Where the width and height in the annotation file
 * match only the unrotated image, nothing is rotated. Where they match neither, the image is refused: a box in an
 * unknown frame would give a wrong polygon without anyone noticing.
 */
import { realpath } from "node:fs/promises";
import { sep } from "node:path";
import type { Metadata } from "sharp";
import sharp from "sharp";
import { imageInput } from "../files/archive.js";
import { whyBytesUnreadable, whyUnreadable } from "../files/why-unreadable.js";
import type { FailReason, Failure, ImageRecord } from "../types.js";
import { CHANNELS } from "./crop.js";

/**
 * Largest image that is opened, pixels: sharp's own limit (16383 x 16383), checked here so that the message can name
 * the size.
 */
export const MAX_IMAGE_PIXELS = 0x3fff * 0x3fff;

/** Pixels of an image as the annotation file counts them. */
export interface DecodedImage {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] uint8, RGB, 0..255. */
  readonly pixels: Uint8Array;
}

/** An image whose header is fine. `width` and `height` are those of the image to be decoded, pixels. */
export interface OpenedImage {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  /** True: EXIF orientation is applied while decoding. */
  readonly isRotated: boolean;
  /** The encoded image, where it is no file; `path` is only its name then. */
  readonly bytes?: Uint8Array;
}

export type OpenResult = { readonly kind: "opened"; readonly image: OpenedImage } | FailedImage;
export type DecodeResult = { readonly kind: "decoded"; readonly image: DecodedImage } | FailedImage;
interface FailedImage {
  readonly kind: "failed";
  readonly failure: Failure;
}

/**
 * Memory and threads of the image library, for the whole process; called where the crop stage starts. No operation
 * cache: every file is read once, and libvips would keep the decoded pixels of the last hundred on top of the stated
 * bound. One thread per operation: several images and crops are in work at once, and the network needs the other cores.
 */
export function prepareImageLibrary(): void {
  sharp.cache(false);
  sharp.concurrency(1);
}

/**
 * Reads the header of an image.
 * @param record what the annotation file claims; without `width` and `height` the displayed size is taken
 * @param root   folder without links that the file must lie in now, whatever it was when the data set was read
 * @param bytes  the encoded image, where it was read already: a member of a zip file
 * @returns the image's frame, or `image-missing`, `image-outside`, `image-unreadable`, `image-too-large`, `image-size`
 */
export async function openImage(
  path: string,
  record: Pick<ImageRecord, "width" | "height">,
  root?: string,
  bytes?: Uint8Array,
): Promise<OpenResult> {
  let metadata: Metadata;
  try {
    const input = bytes ?? (await imageInput(path));
    // A member of a zip file is read where it lies, and no link leads out of it.
    if (
      root !== undefined &&
      input === path &&
      !(await realpath(path)).startsWith(root.endsWith(sep) ? root : `${root}${sep}`)
    ) {
      return failed(
        "image-outside",
        `${path}: expected a file inside ${root}, received a link that leads out of it. ` +
          "It was not opened; put the image back.",
      );
    }
    metadata = await sharp(input, { limitInputPixels: false }).metadata();
  } catch {
    return failed(
      ...(bytes === undefined ? await whyUnreadable(path, "header") : whyBytesUnreadable(path, bytes, "header")),
    );
  }
  return frameOf(path, metadata, record);
}

/**
 * Reads the header of an encoded image in memory, in its displayed size.
 * @param name stands for the path in messages
 * @param bytes not to be written to until the image is decoded
 * @returns the image's frame, or `image-unreadable`, `image-too-large`
 */
export async function openImageBytes(name: string, bytes: Uint8Array): Promise<OpenResult> {
  if (bytes.length === 0)
    return failed("image-unreadable", `${name}: expected an image, received 0 bytes. Read the file again.`);
  try {
    const result = frameOf(name, await sharp(bytes, { limitInputPixels: false }).metadata(), {});
    return result.kind === "failed" ? result : { kind: "opened", image: { ...result.image, bytes } };
  } catch {
    return failed(...whyBytesUnreadable(name, bytes, "header"));
  }
}

/** The frame of an image whose header was read; see `openImage`. */
function frameOf(path: string, metadata: Metadata, record: Pick<ImageRecord, "width" | "height">): OpenResult {
  const { width, height, autoOrient: displayed, format } = metadata;
  if (format === "svg") {
    return failed(
      "image-unreadable",
      `${path}: expected a photograph (JPEG, PNG, WebP, TIFF, ...), received an SVG drawing. Convert it to PNG.`,
    );
  }
  if (width * height > MAX_IMAGE_PIXELS) {
    return failed(
      "image-too-large",
      `${path}: expected at most ${MAX_IMAGE_PIXELS} pixels, ` +
        `received ${sizeOf(width, height)} = ${width * height}. Cut it into tiles.`,
    );
  }
  if (record.width === undefined || record.height === undefined) return opened(path, displayed, true);
  if (record.width === displayed.width && record.height === displayed.height) return opened(path, displayed, true);
  if (record.width === width && record.height === height) return opened(path, { width, height }, false);
  const claimed = sizeOf(record.width, record.height);
  const found = sizeOf(displayed.width, displayed.height);
  const unrotated = displayed.width === width ? "" : ` (${sizeOf(width, height)} before EXIF orientation)`;
  return failed(
    "image-size",
    `${path}: expected ${claimed} pixels as the annotation file says, received ${found}${unrotated}. ` +
      "The boxes were drawn on another version of this image; use that one or correct width and height.",
  );
}

/** Displayed size of an image that was found, from its header; undefined where it cannot be read. */
export async function readImageSize(
  location: { readonly kind: "file"; readonly path: string; readonly root?: string } | { readonly kind: "failed" },
): Promise<{ readonly width: number; readonly height: number } | undefined> {
  if (location.kind === "failed") return undefined;
  const result = await openImage(location.path, {}, location.root);
  return result.kind === "failed" ? undefined : { width: result.image.width, height: result.image.height };
}

/**
 * Decodes to 8-bit RGB, once per image: gray is repeated, 16 bits are scaled to 8, and CMYK goes through its profile.
 * Transparency lies on black, as does what is outside the image. Of an animation the first frame is taken.
 *
 * `failOn` is sharp's strictest, "warning": it finds most JPEG files with a damaged scan, where "error" and "truncated"
 * find none (bench/README.md). A half-destroyed photograph would give polygons of noise. It also refuses stray bytes
 * between JPEG segments.
 * @returns the pixels, or `image-unreadable`, `image-missing`
 */
export async function decodeImage({ path, width, height, isRotated, bytes }: OpenedImage): Promise<DecodeResult> {
  try {
    const { data, info } = await sharp(bytes ?? (await imageInput(path)), {
      failOn: "warning",
      limitInputPixels: MAX_IMAGE_PIXELS,
      autoOrient: isRotated,
    })
      .flatten({ background: "#000" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.width !== width || info.height !== height || info.channels !== CHANNELS) {
      return failed(
        "image-unreadable",
        `${path}: expected ${sizeOf(width, height)} pixels in ${CHANNELS} channels as its header says, ` +
          `received ${sizeOf(info.width, info.height)} in ${info.channels}. Save it again as JPEG or PNG.`,
      );
    }
    return { kind: "decoded", image: { path, width, height, pixels: data } };
  } catch {
    return failed(
      ...(bytes === undefined ? await whyUnreadable(path, "pixels") : whyBytesUnreadable(path, bytes, "pixels")),
    );
  }
}

function opened(path: string, { width, height }: { width: number; height: number }, isRotated: boolean): OpenResult {
  return { kind: "opened", image: { path, width, height, isRotated } };
}

function failed(reason: FailReason, message: string): FailedImage {
  return { kind: "failed", failure: { reason, message } };
}

const sizeOf = (width: number, height: number): string => `${width} x ${height}`;
