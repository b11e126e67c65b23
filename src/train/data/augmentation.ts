/**
 * How far a training crop may differ from the plain one, and the random choice of its look. Flips, context of 10 to
 * 20 % and random first vertex are from Castrejon et al., CVPR 2017; copy-paste is from Dwibedi, Misra, Hebert, "Cut,
 * Paste and Learn", ICCV 2017.
 */
import type { Look } from "../../crop/pixels.js";
import { usageError } from "../../errors.js";
import { CROP_SIZE } from "../../geometry/grid.js";
import type { Random } from "../../random.js";

/** Probabilities are 0..1 per crop; 0 switches off. */
export interface Augmentation {
  /** Probability that the crop is framed as in prediction: where the box ends then tells the network something. */
  readonly framed: number;
  /** Otherwise the crop's context is sampled evenly between these; parts of the box's long side. */
  readonly contextLow: number;
  readonly contextHigh: number;
  /** Otherwise each side of the box also moves, either way, by up to this part of the box's width or height. */
  readonly jitter: number;
  /** Probability that left and right are exchanged. The ring stays clockwise. */
  readonly flip: number;
  /** Probability that top and bottom are exchanged. */
  readonly flipVertical: number;
  /** True: any vertex of the ring may come first. */
  readonly randomStart: boolean;
  /** Probability that brightness, contrast and color change. */
  readonly tone: number;
  /** Most that is added or taken away, of 255. */
  readonly brightness: number;
  /** Largest change of the factor around middle gray: 0.4 for 0.6 to 1.4. */
  readonly contrast: number;
  /** Largest change of the factor per channel: 0.12 for 0.88 to 1.12. */
  readonly color: number;
  /** Probability that the crop is gray. */
  readonly gray: number;
  /** Probability of a Gaussian blur with a sigma of 0.5 to 1.6 crop pixels. */
  readonly blur: number;
  /** Probability that the crop has only the detail of a smaller object. */
  readonly scale: number;
  /** Smallest part of the resolution that is left then. */
  readonly scaleLowest: number;
  /** Probability that a square of 10 to 50 crop pixels is painted over. */
  readonly erase: number;
  /** Probability that the instance is cut out along its polygon and pasted onto another image. */
  readonly paste: number;
}

export const DEFAULT_AUGMENTATION: Augmentation = {
  framed: 0.6,
  contextLow: 0.1,
  contextHigh: 0.2,
  jitter: 0.03,
  flip: 0.5,
  flipVertical: 0,
  randomStart: true,
  tone: 0.8,
  brightness: 30,
  contrast: 0.4,
  color: 0.12,
  gray: 0.1,
  blur: 0.15,
  scale: 0.15,
  scaleLowest: 0.35,
  erase: 0.2,
  paste: 0.1,
};

/** The plain crop, first vertex first. */
export const NO_AUGMENTATION: Augmentation = {
  framed: 0,
  contextLow: 0.15,
  contextHigh: 0.15,
  jitter: 0,
  flip: 0,
  flipVertical: 0,
  randomStart: false,
  tone: 0,
  brightness: 0,
  contrast: 0,
  color: 0,
  gray: 0,
  blur: 0,
  scale: 0,
  scaleLowest: 1,
  erase: 0,
  paste: 0,
};

/** Lowest and highest value of each number. */
const RANGES: { readonly [K in Exclude<keyof Augmentation, "randomStart">]: readonly [number, number] } = {
  framed: [0, 1],
  contextLow: [0, 2],
  contextHigh: [0, 2],
  jitter: [0, 0.4],
  flip: [0, 1],
  flipVertical: [0, 1],
  tone: [0, 1],
  brightness: [0, 255],
  contrast: [0, 1],
  color: [0, 1],
  gray: [0, 1],
  blur: [0, 1],
  scale: [0, 1],
  scaleLowest: [0.05, 1],
  erase: [0, 1],
  paste: [0, 1],
};

/** @throws E_USAGE with the first number that is out of its range */
export function checkAugmentation(augmentation: Augmentation): Augmentation {
  for (const [name, [low, high]] of Object.entries(RANGES)) {
    const value = augmentation[name as keyof typeof RANGES];
    if (!(value >= low && value <= high)) {
      throw usageError(
        `augmentation, ${name}: expected a number from ${low} to ${high}, received ${value}`,
        "Probabilities are parts of 1.",
      );
    }
  }
  const { contextLow, contextHigh } = augmentation;
  if (contextLow > contextHigh)
    throw usageError(
      `augmentation, contextLow: expected at most contextHigh (${contextHigh}), received ${contextLow}`,
      "Exchange the two.",
    );
  return augmentation;
}

const BLUR_SIGMA = [0.5, 1.6] as const;
const ERASE_SIDE = [10, 50] as const;

/** One look, within the limits of the augmentation. */
export function sampleLook(augmentation: Augmentation, random: Random): Look {
  const happens = (probability: number): boolean => random.next() < probability;
  const around = (center: number, span: number): number => random.between(center - span, center + span);
  const { tone, brightness, contrast, color } = augmentation;
  return {
    ...(happens(augmentation.scale) && {
      detail: Math.max(8, Math.round(CROP_SIZE * random.between(augmentation.scaleLowest, 1))),
    }),
    ...(happens(tone) && {
      tone: {
        contrast: around(1, contrast),
        brightness: around(0, brightness),
        gains: [around(1, color), around(1, color), around(1, color)] as const,
      },
    }),
    isGray: happens(augmentation.gray),
    ...(happens(augmentation.blur) && { blur: random.between(...BLUR_SIGMA) }),
    ...(happens(augmentation.erase) && {
      erase: {
        left: random.integer(CROP_SIZE),
        top: random.integer(CROP_SIZE),
        side: Math.round(random.between(...ERASE_SIDE)),
        value: random.integer(256),
      },
    }),
  };
}
