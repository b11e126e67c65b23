/**
 * GrabCut started from the box: what the field used before networks. Its mask is compared, not an outline of the mask.
 * Source: Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004; OpenCV's implementation.
 *
 * Pixels outside the box are background for certain, those inside are undecided. The region examined is the box and
 * half its long side on every side, cut at the image's border. A region longer than 320 px is shrunk to that, and its
 * mask enlarged again. With fewer pixels inside or outside the box than the color model has components, nothing can be
 * learned: the box is the answer then.
 *
 * OpenCV is WebAssembly (npm: @techstark/opencv-js), 8 MB of code that is loaded only when GrabCut is asked for. It is
 * an optional peer of the package: whoever wants GrabCut installs it.
 */
import { createRequire } from "node:module";
import { CHANNELS } from "../../crop/crop.js";
import type { DecodedImage } from "../../crop/open-image.js";
import { prepareImageLibrary } from "../../crop/open-image.js";
import { reasonOf, unavailable } from "../../errors.js";
import { clipBox } from "../../geometry/box.js";
import type { PixelWindow } from "../../geometry/rle-window.js";
import { rleFromWindow } from "../../geometry/rle-window.js";
import { rleArea } from "../../geometry/rle.js";
import type { Box, Instance } from "../../types.js";
import type { MaskResult, Method } from "./method.js";
import { decodeSubject } from "./method.js";

export const ITERATIONS = 5;
/** Part of the box's long side that is examined beyond the box. */
const MARGIN = 0.5;
/** Long side of the region, pixels. */
const LONGEST_SIDE = 320;
/** GrabCut marks probable and certain foreground with odd numbers. */
const FOREGROUND_BIT = 1;
/** OpenCV's random numbers start the color clusters; with a fixed seed the order of instances does not matter. */
const SEED = 1;
/** Components of OpenCV's color model. */
export const FEWEST_PIXELS = 5;

/** @throws E_UNAVAILABLE when OpenCV does not load */
export async function grabCutMethod(): Promise<Method> {
  const { cv } = await loadOpenCv();
  prepareImageLibrary();
  let milliseconds = 0;
  return {
    name: "grabcut",
    words:
      `GrabCut (OpenCV) from the box: ${ITERATIONS} iterations on the box and ${MARGIN * 100} % of its long side ` +
      `around it, at most ${LONGEST_SIDE} px long; ` +
      `the box itself where fewer than ${FEWEST_PIXELS} px lie inside or outside of it`,
    comparedAs: "mask",
    async masksOf(image) {
      const decoded = await decodeSubject(image);
      if (!("pixels" in decoded)) return image.instances.map(() => decoded);
      const start = performance.now();
      const results = image.instances.map((instance) => maskOf(cv, decoded, instance));
      milliseconds += performance.now() - start;
      return results;
    },
    seconds: () => milliseconds / 1000,
  };
}

function maskOf(cv: OpenCv, image: DecodedImage, instance: Instance): MaskResult {
  const clipped = clipBox(instance.box, image.width, image.height);
  if (clipped.kind === "outside") return { kind: "failed", reason: "box-outside" };
  const { box, region, shrunk } = examine(clipped.box, image);
  const inside = shrunk.box.columns * shrunk.box.rows;
  const outside = shrunk.columns * shrunk.rows - inside;
  if (inside < FEWEST_PIXELS || outside < FEWEST_PIXELS) {
    return {
      kind: "mask",
      mask: rleFromWindow(new Uint8Array(box.columns * box.rows).fill(1), box, image.height, image.width),
    };
  }
  const bitmap = segment(cv, image, { box, region, shrunk });
  const mask = rleFromWindow(bitmap, region, image.height, image.width);
  return rleArea(mask) > 0 ? { kind: "mask", mask } : { kind: "failed", reason: "polygon-empty" };
}

/** The box in whole pixels, the region examined for it, and both as GrabCut sees them. */
export function examine(box: Box, image: DecodedImage): Examined {
  const inside = wholePixels(box, 0, image);
  const region = wholePixels(box, MARGIN * Math.max(box.width, box.height), image);
  return { box: inside, region, shrunk: shrink(region, inside) };
}

export interface Examined {
  readonly box: PixelWindow;
  readonly region: PixelWindow;
  readonly shrunk: Shrunk;
}

/** Pixels a box touches, `margin` more on every side, cut at the image's border. */
function wholePixels(box: Box, margin: number, image: DecodedImage): PixelWindow {
  const left = Math.max(0, Math.floor(box.left - margin));
  const top = Math.max(0, Math.floor(box.top - margin));
  return {
    left,
    top,
    columns: Math.min(image.width, Math.ceil(box.left + box.width + margin)) - left,
    rows: Math.min(image.height, Math.ceil(box.top + box.height + margin)) - top,
  };
}

/** The region as GrabCut sees it, and the box in it; pixels. */
interface Shrunk {
  readonly columns: number;
  readonly rows: number;
  readonly box: PixelWindow;
}

function shrink(region: PixelWindow, box: PixelWindow): Shrunk {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(region.columns, region.rows));
  const columns = Math.max(1, Math.round(region.columns * scale));
  const rows = Math.max(1, Math.round(region.rows * scale));
  const fx = columns / region.columns;
  const fy = rows / region.rows;
  const left = Math.floor((box.left - region.left) * fx);
  const top = Math.floor((box.top - region.top) * fy);
  const right = Math.ceil((box.left - region.left + box.columns) * fx);
  const bottom = Math.ceil((box.top - region.top + box.rows) * fy);
  return {
    columns,
    rows,
    box: { left, top, columns: Math.min(columns, right) - left, rows: Math.min(rows, bottom) - top },
  };
}

/** What GrabCut is told, or says, of a pixel: odd is foreground. */
export const LABELS = { background: 0, foreground: 1, probableBackground: 2, probableForeground: 3 } as const;

/**
 * @param guess LABELS of the shrunk region's pixels, row by row, to start from; the box when absent
 * @returns the region's mask, column-major, 0 and 1
 */
export function segment(
  cv: OpenCv,
  image: DecodedImage,
  { region, shrunk: { columns, rows, box } }: Examined,
  guess?: Uint8Array,
): Uint8Array {
  const mats: Mat[] = [];
  const own = (mat: Mat): Mat => {
    mats.push(mat);
    return mat;
  };
  try {
    const whole = own(new cv.Mat(region.rows, region.columns, cv.CV_8UC3));
    copyRegion(image, region, whole.data);
    const shrunk = own(new cv.Mat());
    cv.resize(whole, shrunk, new cv.Size(columns, rows), 0, 0, cv.INTER_AREA);
    const mask = own(guess === undefined ? new cv.Mat() : new cv.Mat(rows, columns, cv.CV_8UC1));
    if (guess !== undefined) mask.data.set(guess);
    cv.setRNGSeed(SEED);
    const rect = new cv.Rect(box.left, box.top, box.columns, box.rows);
    const start = guess === undefined ? cv.GC_INIT_WITH_RECT : cv.GC_INIT_WITH_MASK;
    cv.grabCut(shrunk, mask, rect, own(new cv.Mat()), own(new cv.Mat()), ITERATIONS, start);
    const enlarged = own(new cv.Mat());
    cv.resize(mask, enlarged, new cv.Size(region.columns, region.rows), 0, 0, cv.INTER_NEAREST);
    return foregroundOf(enlarged.data, region);
  } catch (error) {
    const reason = typeof error === "number" ? cv.exceptionFromPtr(error).msg : reasonOf(error);
    throw new Error(`GrabCut on a region of ${columns} x ${rows} px of ${image.path}: ${reason.trim()}`, {
      cause: error,
    });
  } finally {
    for (const mat of mats) mat.delete();
  }
}

function copyRegion(image: DecodedImage, { left, top, columns, rows }: PixelWindow, target: Uint8Array): void {
  for (let row = 0; row < rows; row++) {
    const from = ((top + row) * image.width + left) * CHANNELS;
    target.set(image.pixels.subarray(from, from + columns * CHANNELS), row * columns * CHANNELS);
  }
}

function foregroundOf(rowMajor: Uint8Array, { columns, rows }: PixelWindow): Uint8Array {
  const bitmap = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      bitmap[column * rows + row] = rowMajor[row * columns + column]! & FOREGROUND_BIT;
  }
  return bitmap;
}

/* The part of OpenCV that is used here. WebAssembly memory is not collected: whoever makes a matrix deletes it. */

interface Mat {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols, channels] uint8; moves when OpenCV's memory grows, so it is read anew after every call. */
  readonly data: Uint8Array;
  delete(): void;
}

export interface OpenCv {
  readonly Mat: new (rows?: number, cols?: number, type?: number) => Mat;
  readonly Rect: new (x: number, y: number, width: number, height: number) => object;
  readonly Size: new (width: number, height: number) => object;
  readonly CV_8UC1: number;
  readonly CV_8UC3: number;
  readonly GC_INIT_WITH_MASK: number;
  readonly GC_INIT_WITH_RECT: number;
  readonly INTER_AREA: number;
  readonly INTER_NEAREST: number;
  grabCut(
    image: Mat,
    mask: Mat,
    rect: object,
    background: Mat,
    foreground: Mat,
    iterations: number,
    mode: number,
  ): void;
  resize(from: Mat, to: Mat, size: object, fx: number, fy: number, interpolation: number): void;
  setRNGSeed(seed: number): void;
  /** Text of a thrown number: C++ exceptions arrive as addresses. */
  exceptionFromPtr(address: number): { readonly msg: string };
}

type Loading = OpenCv & { onRuntimeInitialized?: () => void };
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * Inside another object, because OpenCV's has a method `then`: a promise that resolved to it would never settle.
 * @throws E_UNAVAILABLE when the package is not installed or does not start
 */
export async function loadOpenCv(): Promise<{ readonly cv: OpenCv }> {
  const before = new Map(EVENTS.map((event) => [event, process.listeners(event as "uncaughtException")]));
  try {
    // Not import(): some loaders never finish with a module namespace that has a method `then`.
    const cv = createRequire(import.meta.url)("@techstark/opencv-js") as Loading;
    if (!("Mat" in cv))
      await new Promise<void>((ready) => {
        (cv as Loading).onRuntimeInitialized = ready;
      });
    return { cv };
  } catch (error) {
    throw unavailable(
      `GrabCut: expected the package @techstark/opencv-js to load, received ${reasonOf(error).split("\n", 1)[0]!}`,
      "Install it with npm install @techstark/opencv-js, or leave grabcut and grabcut-mask out of --compare.",
      error,
    );
  } finally {
    // The package would end the process on any rejected promise, its own or not.
    for (const event of EVENTS) {
      for (const listener of process.listeners(event as "uncaughtException")) {
        if (before.get(event)?.includes(listener) === false) process.removeListener(event, listener);
      }
    }
  }
}
