/**
 * From predicted cells to the ring that is written. This is done where the polygon was predicted, in the decoder's
 * thread, so that the refined mask (50 KB per crop) need not travel.
 */
import type { Crop, CropFrame } from "../crop/crop.js";
import type { Engine } from "../engine/engine.js";
import type { GridPoint } from "../geometry/grid.js";
import { FINE_SIZE, gridToImagePoint } from "../geometry/grid.js";
import { orientClockwise, signedArea } from "../geometry/ring.js";
import { makeSimple } from "../geometry/simple-ring.js";
import { simplifyRing } from "../geometry/simplify.js";
import type { ImagePoint, Ring } from "../types.js";
import type { BestSequence } from "./candidates.js";
import { decodeBest } from "./candidates.js";
import { scoreOf } from "./choose-vertex.js";
import type { DecodeTimes } from "./decode.js";
import { expectedIoUOfRing, fitOf, isFineMap } from "./mask-agreement.js";
import type { DecodeOptions } from "./options.js";
import { placeOnFineMap, placeVertices } from "./place-vertices.js";
import { reachSides } from "./reach-sides.js";

/** One polygon in image pixels. */
export interface Outline {
  readonly ring: Ring;
  /** Different vertices of the ring; with fewer than three it is no polygon. */
  readonly distinct: number;
  /** 0..1: expected IoU with the mask map; without one see predict/choose-vertex.ts. */
  readonly score: number;
  readonly steps: number;
  /** False when the step limit came before end-of-sequence. */
  readonly ended: boolean;
}

export interface OutlinedBatch {
  /** One per crop, in the order of the crops. */
  readonly outlines: readonly Outline[];
  readonly times: DecodeTimes;
}

/** What of a crop a decoder needs. */
export type PixelCrop = CropFrame & Pick<Crop, "pixels">;

/** `decodeOutlines` on an engine that is known. */
export type DecodeBatch = (crops: readonly PixelCrop[], options: DecodeOptions) => Promise<OutlinedBatch>;

/** Turns whole batches of crops into outlines; predict/decoder.ts opens one. */
export interface BatchDecoder extends Pick<Engine, "name" | "device" | "version" | "dispose"> {
  /** Batches that keep it busy; further ones wait. */
  readonly batchesAtOnce: number;
  /** Nobody writes to the pixels from then on. */
  readonly decode: DecodeBatch;
}

/** @param pixels [frames.length, 224, 224, 3] uint8 RGB; what else is in the batch does not change an outline */
export async function decodeOutlines(
  engine: Engine,
  pixels: Uint8Array,
  frames: readonly CropFrame[],
  options: DecodeOptions,
): Promise<OutlinedBatch> {
  const { sequences, times } = await decodeBest(engine, pixels, frames, options);
  const began = performance.now();
  const outlines = sequences.map((sequence, crop) => outlineOf(sequence, frames[crop]!));
  return { outlines, times: { ...times, stepsMs: times.stepsMs + performance.now() - began } };
}

function outlineOf(sequence: BestSequence, frame: CropFrame): Outline {
  const { cells, maskLogits, steps, ended } = sequence;
  const placed = sequenceToRing(cells, frame, maskLogits);
  return { ring: placed.ring, distinct: placed.distinct, score: polygonScore(sequence, placed), steps, ended };
}

/**
 * The score of a polygon, wherever one is written: as a simulation's `polyrnn_score` as in `annotate`'s.
 * @param placed what `sequenceToRing` gives for the sequence
 * @returns 0..1, four decimals
 */
export function polygonScore(
  sequence: Pick<BestSequence, "expectedIoU" | "logProbability" | "steps">,
  placed: Pick<PlacedRing, "expectedIoU">,
): number {
  const score = placed.expectedIoU ?? sequence.expectedIoU ?? scoreOf(sequence.logProbability, sequence.steps);
  return Math.round(score * 1e4) / 1e4;
}

/** A ring and what is known of it. */
interface PlacedRing {
  readonly ring: Ring;
  readonly distinct: number;
  /** Of the ring itself; only with a refined mask. */
  readonly expectedIoU?: number;
}

/** Douglas-Peucker tolerance with a refined mask, in its cells: fewer vertices at the same IoU (bench/README.md). */
const TOLERANCE = 0.5;

/**
 * Cell indices -> clockwise ring in image pixels, rounded to two decimals; predict/place-vertices.ts says where in
 * their cells. Vertices outside the box move onto its border. The object lies within its box, but the crop shows more,
 * and a cell is a twenty-fourth of the box's long side. That alone gains IoU (bench/README.md), and it keeps points on
 * the image, outside of which labeling tools refuse them. Vertices equal to their neighbor are dropped.
 *
 * The ring does not cross or touch itself. With a refined mask it also reaches the sides of its box
 * (predict/reach-sides.ts) and has no vertices that carry no shape.
 * @param map logits, [784] or [12544]; undefined where the network has no mask
 * @returns the ring and its number of distinct vertices; with fewer than three it is no polygon, as where all vertices
 *   move onto one side of the box and a simple ring keeps too few of them
 */
export function sequenceToRing(cells: readonly number[], frame: CropFrame, map: Float32Array | undefined): PlacedRing {
  if (map === undefined || !isFineMap(map)) {
    const { ring: placed, distinct } = toRing(placeVertices(cells, map), frame);
    const worthOf = (ring: Ring): number =>
      map === undefined ? Math.abs(signedArea(ring)) : expectedIoUOfRing(ring, frame, map);
    const ring = orientClockwise(makeSimple(placed, worthOf));
    return { ring, distinct: distinctIn(ring, Math.min(new Set(cells).size, distinct)) };
  }
  const { candidateScore } = fitOf(cells, frame, map);
  const { ring: placed, distinct } = toRing(placeOnFineMap(cells, map, candidateScore), frame);
  const worthOf = (ring: Ring): number => expectedIoUOfRing(ring, frame, map);
  const tolerancePx = (TOLERANCE / FINE_SIZE) * frame.window.side;
  const simplified = simplifyRing(makeSimple(placed, worthOf), tolerancePx);
  const ring = orientClockwise(makeSimple(reachSides(simplified, frame, tolerancePx), worthOf));
  return { ring, distinct: distinctIn(ring, Math.min(new Set(cells).size, distinct)), expectedIoU: worthOf(ring) };
}

/** @param named distinct vertices before the ring was made simple; below three that is what a person is told */
function distinctIn(ring: Ring, named: number): number {
  return named < 3 ? named : Math.min(named, ring.length);
}

function toRing(points: readonly GridPoint[], { window, bounds }: CropFrame): { ring: Ring; distinct: number } {
  const inBox = points.map((point): ImagePoint => {
    const { x, y } = gridToImagePoint(point, window);
    return {
      x: roundToHundredth(clamp(x, bounds.left, bounds.width)),
      y: roundToHundredth(clamp(y, bounds.top, bounds.height)),
    };
  });
  const ring = inBox.filter((point, at) => !isSamePoint(point, inBox.at(at - 1)!));
  return { ring, distinct: new Set(inBox.map(({ x, y }) => `${x} ${y}`)).size };
}

function isSamePoint(a: ImagePoint, b: ImagePoint): boolean {
  return a.x === b.x && a.y === b.y;
}
function clamp(value: number, from: number, length: number): number {
  return Math.min(from + length, Math.max(from, value));
}
function roundToHundredth(value: number): number {
  return Math.round(value * 100) / 100;
}
