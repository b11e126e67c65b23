/** One training example before its pixels are made: which instance, seen how, and the sequence it teaches. A pure function of its random stream. */
import { clipBox, squareWindow } from "../geometry/box.js";
import type { CropWindow } from "../geometry/grid.js";
import { mirrorCells, turnOverCells } from "../geometry/mirror-cells.js";
import type { Random } from "../random.js";
import type { Box, GridCell } from "../types.js";
import { drawLook, type Augmentation, type Look } from "./augmentation.js";
import { drawBackground, type Background } from "./paste-instance.js";
import { startAt, targetCells, type SequenceLimits } from "./target-cells.js";
import { unpackRing, type TruthInstance, type TruthSet } from "./truth-instance.js";

export interface PlannedSample {
  /** Position in `TruthSet.instances`. */
  readonly instance: number;
  readonly window: CropWindow;
  /** Another image around the instance; absent: its own. */
  readonly background?: Background;
  /** Left and right exchanged; `isTurnedOver`: top and bottom. */
  readonly isMirrored: boolean;
  readonly isTurnedOver: boolean;
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

/** Draws of another image before copy-paste is given up: nearly all instances may lie on one image. */
const BACKGROUND_TRIES = 4;

export function planSample(truth: TruthSet, instance: number, rules: SampleRules, random: Random): PlannedSample {
  const { augmentation } = rules;
  const subject = truth.instances[instance]!;
  const { window, cells } = drawView(truth, subject, rules, random);
  const isMirrored = random.next() < augmentation.flip;
  const isTurnedOver = random.next() < augmentation.flipVertical;
  const mirrored = isMirrored ? mirrorCells(cells) : cells;
  const turned = isTurnedOver ? turnOverCells(mirrored) : mirrored;
  const background = random.next() < augmentation.paste ? findBackground(truth, subject, window, random) : undefined;
  return {
    instance,
    window,
    isMirrored,
    isTurnedOver,
    look: drawLook(augmentation, random),
    cells: augmentation.randomStart ? startAt(turned, random.integer(turned.length)) : turned,
    ...(background !== undefined && { background }),
  };
}

/** The crop's window and the ring in it; the plain window where the ring does not fit the drawn one (it may be too long there, or too small). */
function drawView(
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
  const x0 = left + move(width),
    x1 = left + width + move(width);
  const y0 = top + move(height),
    y1 = top + height + move(height);
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
    if (other !== image) return drawBackground(other, images[other]!.opened, window.side, random);
  }
  return undefined;
}
