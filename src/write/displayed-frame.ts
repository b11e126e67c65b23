/**
 * The frame that labeling tools show.
 *
 * A camera may store a picture turned and say so (EXIF orientation). Where the annotation file counts the pixels as they
 * are stored, so do the polygons of the run, and COCO, which follows its input. Browsers (Label Studio), LabelMe and
 * OpenCV (YOLO's trainer) turn the picture before they draw on it or read from it: their files have turned polygons. The
 * Cityscapes tools (Qt's QImage, Pillow) turn nothing, so their files stay in the frame of the annotation file.
 *
 * Only a quarter turn can be told: otherwise both frames have one size, and the file is taken to count displayed pixels
 * (crop/open-image.ts). Source: Exif 2.3, tag Orientation.
 */
import type { Metadata } from "sharp";
import sharp from "sharp";
import { imageInput } from "../files/archive.js";
import type { ImagePoint, Ring } from "../types.js";
import type { ImageResult } from "./writer.js";

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Whether a size is that of the pixels as stored, and not as displayed. */
export function isAsStored(metadata: Pick<Metadata, "width" | "height" | "autoOrient">, size: Size): boolean {
  return isSize(metadata, size) && !isSize(metadata.autoOrient, size);
}

function isSize(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height;
}

/**
 * The result with the displayed size, and with how its polygons get there. A photograph that was not found or cannot be
 * read is left as it is: no tool can show it either.
 */
export async function inDisplayedFrame(result: ImageResult): Promise<ImageResult> {
  const { path, size } = result;
  if (path === undefined || size === undefined) return result;
  const metadata = await imageInput(path)
    .then((input) => sharp(input, { limitInputPixels: false }).metadata())
    .catch(() => undefined);
  const move = metadata !== undefined && isAsStored(metadata, size) ? TURNS[metadata.orientation ?? 1] : undefined;
  if (move === undefined) return result;
  return { ...result, size: { width: size.height, height: size.width }, toDisplayed: turnOf(move, size) };
}

/** A stored point to the displayed picture; `size` as stored. */
type Move = (point: ImagePoint, size: Size) => ImagePoint;

/** By EXIF orientation; the four with a quarter turn. */
const TURNS: Readonly<Record<number, Move>> = {
  5: ({ x, y }) => ({ x: y, y: x }),
  6: ({ x, y }, { height }) => ({ x: height - y, y: x }),
  7: ({ x, y }, { width, height }) => ({ x: height - y, y: width - x }),
  8: ({ x, y }, { width }) => ({ x: y, y: width - x }),
};
/** A picture that is also mirrored shows rings the other way round. */
const MIRRORED: ReadonlySet<Move | undefined> = new Set([TURNS[5], TURNS[7]]);

function turnOf(move: Move, size: Size): (ring: Ring) => Ring {
  return (ring) => {
    const [first, ...others] = ring.map((point) => move(point, size));
    if (first === undefined) return [];
    return [first, ...(MIRRORED.has(move) ? others.reverse() : others)];
  };
}
