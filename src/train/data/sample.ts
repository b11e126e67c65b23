/**
 * One training example: which instance, seen how, and the sequence it teaches; then its pixels. The plan is a pure
 * function of data and random stream, so that a resumed run sees the same examples.
 */
import type { DecodedImage } from "../../crop/open-image.js";
import type { Look } from "../../crop/pixels.js";
import { erasePixels, grayPixels, flipPixels, tonePixels, flipPixelsVertically } from "../../crop/pixels.js";
import { blurPixels, resampleWindow } from "../../crop/resample-window.js";
import { clipBox, squareWindow } from "../../geometry/box.js";
import type { CropWindow } from "../../geometry/grid.js";
import { CROP_SIZE, flipCells, flipCellsVertically } from "../../geometry/grid.js";
import type { Random } from "../../random.js";
import type { Box, GridCell, Ring } from "../../types.js";
import type { SequenceLimits } from "../options.js";
import type { Augmentation } from "./augmentation.js";
import { sampleLook } from "./augmentation.js";
import type { Background } from "./copy-paste.js";
import { pasteOver, sampleBackground } from "./copy-paste.js";
import { startAt, targetCells } from "./targets.js";
import type { TruthInstance, TruthSet } from "./truth.js";
import { unpackRing } from "./truth.js";

export interface PlannedSample {
  /** Position in `TruthSet.instances`. */
  readonly instance: number;
  readonly window: CropWindow;
  /** Another image around the instance; absent: its own. */
  readonly background?: Background;
  /** Left and right exchanged. */
  readonly isFlipped: boolean;
  /** Top and bottom exchanged. */
  readonly isFlippedVertically: boolean;
  readonly look: Look;
  /** Clockwise on screen in the crop as it will be, from the first vertex to be taught. */
  readonly cells: readonly GridCell[];
}

export interface SampleRules {
  readonly limits: SequenceLimits;
  readonly augmentation: Augmentation;
  /** Context of the crop in which every ring of the truth can be taught. */
  readonly plainContext: number;
}

/** Tries to find another image for copy-paste: nearly all instances may lie on one. */
const BACKGROUND_TRIES = 4;

export function planSample(truth: TruthSet, instance: number, rules: SampleRules, random: Random): PlannedSample {
  const { augmentation } = rules;
  const subject = truth.instances[instance]!;
  const { window, cells } = sampleView(truth, subject, rules, random);
  const isFlipped = random.next() < augmentation.flip;
  const isFlippedVertically = random.next() < augmentation.flipVertical;
  const flippedOnce = isFlipped ? flipCells(cells) : cells;
  const flipped = isFlippedVertically ? flipCellsVertically(flippedOnce) : flippedOnce;
  const background = random.next() < augmentation.paste ? findBackground(truth, subject, window, random) : undefined;
  return {
    instance,
    window,
    isFlipped,
    isFlippedVertically,
    look: sampleLook(augmentation, random),
    cells: augmentation.randomStart ? startAt(flipped, random.integer(flipped.length)) : flipped,
    ...(background !== undefined && { background }),
  };
}

/** The crop's window and the ring in it. The plain window replaces one in which the ring is too long or too small. */
function sampleView(
  { images }: TruthSet,
  subject: TruthInstance,
  rules: SampleRules,
  random: Random,
): { window: CropWindow; cells: readonly GridCell[] } {
  const { limits, augmentation } = rules;
  const ring = unpackRing(subject.points);
  const { width, height } = images[subject.image]!.opened;
  const moved = clipBox(jitterBox(subject.box, augmentation.jitter, random), width, height);
  const context = random.between(augmentation.contextLow, augmentation.contextHigh);
  const isFramed = random.next() < augmentation.framed;
  if (!isFramed && moved.kind !== "outside") {
    const window = squareWindow(moved.box, context);
    const cells = targetCells(ring, window, limits);
    if (typeof cells !== "string") return { window, cells };
  }
  const window = squareWindow(subject.box, rules.plainContext);
  const cells = targetCells(ring, window, limits);
  if (typeof cells === "string")
    throw new Error(`annotation ${subject.annotationId}: ${cells} in the window it was kept for`);
  return { window, cells };
}

function jitterBox({ left, top, width, height }: Box, jitter: number, random: Random): Box {
  const move = (length: number): number => length * random.between(-jitter, jitter);
  const x0 = left + move(width);
  const x1 = left + width + move(width);
  const y0 = top + move(height);
  const y1 = top + height + move(height);
  return { left: x0, top: y0, width: x1 - x0, height: y1 - y0 };
}

function findBackground(
  { instances, images }: TruthSet,
  { image }: TruthInstance,
  window: CropWindow,
  random: Random,
): Background | undefined {
  for (let attempt = 0; attempt < BACKGROUND_TRIES; attempt++) {
    const other = instances[random.integer(instances.length)]!.image;
    if (other !== image) return sampleBackground(other, images[other]!.opened, window.side, random);
  }
  return undefined;
}

/** The instance's outline in the crop as planned, 0..1 both ways. @param ring image pixels */
export function outlineInCrop({ window, isFlipped, isFlippedVertically }: PlannedSample, ring: Ring): Ring {
  return ring.map((point) => {
    const x = (point.x - window.left) / window.side;
    const y = (point.y - window.top) / window.side;
    return { x: isFlipped ? 1 - x : x, y: isFlippedVertically ? 1 - y : y };
  });
}

/**
 * The pixels as planned: cut, pasted, flipped, altered.
 * @param ring  of the instance, image pixels
 * @param under the image of `sample.background`, where there is one
 * @returns [224, 224, 3] uint8, RGB; a new buffer
 */
export async function renderSample(
  sample: PlannedSample,
  ring: Ring,
  image: DecodedImage,
  under?: DecodedImage,
): Promise<Uint8Array> {
  const { window, background, look } = sample;
  const crop = await cut(image, window, look.detail);
  if (background !== undefined && under !== undefined) {
    const ground = await cut(under, background.window, look.detail);
    pasteOver(crop, ground, { ring, window, softness: background.softness });
  }
  if (sample.isFlipped) flipPixels(crop);
  if (sample.isFlippedVertically) flipPixelsVertically(crop);
  if (look.tone !== undefined) tonePixels(crop, look.tone);
  if (look.isGray) grayPixels(crop);
  const blurred = look.blur === undefined ? crop : await blurPixels(crop, look.blur);
  if (look.erase !== undefined) erasePixels(blurred, look.erase);
  return blurred;
}

/** @param detail side of a smaller crop that is enlarged to the crop's size, pixels */
async function cut(image: DecodedImage, window: CropWindow, detail = CROP_SIZE): Promise<Uint8Array> {
  const pixels = await resampleWindow(image, window, detail);
  if (detail === CROP_SIZE) return pixels;
  return resampleWindow(
    { path: image.path, width: detail, height: detail, pixels },
    { left: 0, top: 0, side: detail },
    CROP_SIZE,
  );
}
