/**
 * A person has moved a vertex, and the network goes on from there. The ring is the state: its vertices become cells of
 * the crop, are forced as the beginning of the sequence (Castrejon et al., CVPR 2017, section on inference with an
 * annotator), and the network draws the rest.
 *
 * A ring has no beginning. To redraw only the way from one vertex to the next pinned one, the ring is turned so that it
 * starts at that pinned vertex and ends with the moved one. y(1), where the polygon closes, is an input of every step.
 * Training starts rings anywhere, so every turn of a ring is one the network knows.
 *
 * Vertices that stay keep their exact positions; only new ones go through the grid.
 */
import type { CropFrame } from "../crop/crop.js";
import type { EncodedBatch } from "../engine/engine.js";
import { cellToIndex, CLASS_COUNT, gridToImagePoint, imagePointToCell } from "../geometry/grid.js";
import { signedArea } from "../geometry/ring.js";
import type { ImagePoint, Ring } from "../types.js";
import { hasMap, mapOf } from "./candidates.js";
import { bestFirstVertices, decodeLoop } from "./decode-loop.js";
import type { Decision, DecodingRule } from "./decode-loop.js";
import { chooseBest, chosenClass, firstVertices } from "./choose-vertex.js";
import type { Chooser } from "./choose-vertex.js";
import { expectedIoUOfRing, fitOf, isFineMap } from "./mask-agreement.js";
import { sequenceToRing } from "./outline.js";
import { placeOnFineMap, placeVertices } from "./place-vertices.js";

/** How much of a ring is drawn again. */
export type RedrawExtent =
  /** From the moved vertex to the next pinned one. */
  | "pin"
  /** Everything behind the moved vertex, up to the ring's first: the paper's rule. */
  | "tail"
  /** From nothing. */
  | "all";

export interface RedrawTask {
  /** Open ring in image pixels, the moved vertex in its new place. */
  readonly ring: Ring;
  /** Indexes of vertices that are never redrawn. */
  readonly pins: readonly number[];
  /** Index of the vertex to go on from. */
  readonly moved: number;
  readonly give: RedrawExtent;
  /** With "pin": vertices to redraw at most. */
  readonly length?: number;
  /** 0: the network's best; 1, 2, ...: the next best beginnings. */
  readonly candidate: number;
  /** Decoder steps for what is new, at most. */
  readonly maxSteps: number;
  /** Nobody waits any more: the way ends before the network's next step, with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Redrawn {
  readonly ring: Ring;
  /** Indexes into the new ring of vertices that stayed, in their order. */
  readonly kept: readonly number[];
  /** Those of them that were pinned, or moved now. */
  readonly pins: readonly number[];
  /** Where the moved vertex is in the new ring. */
  readonly moved: number;
}

/** @param encoded a batch of one crop before its first step; it stays as it is */
export async function redrawRing(encoded: EncodedBatch, frame: CropFrame, task: RedrawTask): Promise<Redrawn> {
  if (task.give === "all" || task.ring.length === 0) return drawAnew(encoded, frame, task);
  if (signedArea(task.ring) >= 0) return redrawClockwise(encoded, frame, task);
  // The network only knows clockwise rings.
  const last = task.ring.length - 1;
  const redrawn = await redrawClockwise(encoded, frame, {
    ...task,
    ring: [...task.ring].reverse(),
    pins: task.pins.map((pin) => last - pin),
    moved: last - task.moved,
  });
  const back = redrawn.ring.length - 1;
  const turned = (indexes: readonly number[]): number[] => indexes.map((index) => back - index).reverse();
  return {
    ring: [...redrawn.ring].reverse(),
    kept: turned(redrawn.kept),
    pins: turned(redrawn.pins),
    moved: back - redrawn.moved,
  };
}

/** Expected IoU of a ring, 0..1; undefined where the network has no mask or the ring is none. */
export function scoreOfRing(encoded: EncodedBatch, frame: CropFrame, ring: Ring): number | undefined {
  if (!hasMap(encoded) || ring.length < 3) return undefined;
  return Math.round(expectedIoUOfRing(ring, frame, mapOf(encoded, 0)) * 1e4) / 1e4;
}

async function drawAnew(
  encoded: EncodedBatch,
  frame: CropFrame,
  { candidate, maxSteps, signal }: RedrawTask,
): Promise<Redrawn> {
  const starts = firstVertices(encoded.firstVertexLogits, 0, candidate + 1);
  const first = starts[Math.min(candidate, starts.length - 1)] ?? bestFirstVertices(encoded)[0]!;
  const cells = await force(encoded, [first], { maxSteps, candidate: 0, ...(signal !== undefined && { signal }) });
  const { ring } = sequenceToRing(cells, frame, hasMap(encoded) ? mapOf(encoded, 0) : undefined);
  return { ring, kept: [], pins: [], moved: 0 };
}

async function redrawClockwise(encoded: EncodedBatch, frame: CropFrame, task: RedrawTask): Promise<Redrawn> {
  const { ring, moved } = task;
  const size = ring.length;
  const { start, dropped } = wayOf(task);
  // Turned so that it begins behind what is redrawn and ends with the moved vertex.
  const keptFrom = Array.from({ length: size - dropped }, (_, at) => (start + at) % size);
  const prefix = cellsOf(
    keptFrom.map((index) => ring[index]!),
    frame,
  );
  const cells = await force(encoded, prefix, task);
  const way = place(cells, prefix.length, { encoded, frame });
  const pinned = new Set([...task.pins, moved]);
  // Turned back: the first vertex that stays is the one that stood first before.
  const offset = Math.max(0, keptFrom.indexOf(Math.min(...keptFrom)));
  const vertices = [
    ...keptFrom.map((index) => ({ point: ring[index]!, isKept: true, isPinned: pinned.has(index), index })),
    ...way.map((point) => ({ point, isKept: false, isPinned: false, index: -1 })),
  ];
  const turned = [...vertices.slice(offset), ...vertices.slice(0, offset)];
  const where = (test: (vertex: (typeof turned)[number]) => boolean): number[] =>
    turned.flatMap((vertex, at) => (test(vertex) ? [at] : []));
  return {
    ring: turned.map(({ point }) => point),
    kept: where(({ isKept }) => isKept),
    pins: where(({ isPinned }) => isPinned),
    moved: where(({ index }) => index === moved)[0]!,
  };
}

/** @returns the first vertex that stays behind the way, and how many between it and the moved one are dropped */
function wayOf({ ring, pins, moved, give, length }: RedrawTask): { start: number; dropped: number } {
  const size = ring.length;
  if (give === "tail") return { start: 0, dropped: size - 1 - moved };
  const pinned = new Set(pins);
  const most = Math.min(length ?? size, size - 1);
  let dropped = 0;
  while (dropped < most && !pinned.has((moved + 1 + dropped) % size)) dropped++;
  return { start: (moved + 1 + dropped) % size, dropped };
}

/** Cells of the vertices; neighbors that fall into one cell are forced once. */
function cellsOf(points: readonly ImagePoint[], { window }: CropFrame): number[] {
  return points
    .map((point) => cellToIndex(imagePointToCell(point, window)))
    .filter((cell, at, cells) => at === 0 || cell !== cells[at - 1]);
}

/** Takes what is forced while it lasts, then what the network proposes. */
class Forced implements DecodingRule<Forced> {
  constructor(private readonly prefix: readonly number[]) {}

  decide(cells: readonly number[], proposed: number): Decision<Forced> {
    return { taken: this.prefix[cells.length] ?? proposed };
  }
}

/** @returns the whole sequence, what was forced included */
async function force(
  encoded: EncodedBatch,
  prefix: readonly number[],
  { maxSteps, candidate, signal }: Pick<RedrawTask, "maxSteps" | "candidate" | "signal">,
): Promise<readonly number[]> {
  let step = 0;
  // The step that sees all that is forced chooses among its best classes; those after it take the best.
  const choose: Chooser = (logits, row) => {
    step++;
    return step === prefix.length && candidate > 0 ? nextBest(logits, row, candidate) : chooseBest(logits, row);
  };
  const [polygon] = await decodeLoop(encoded.select([0]), [[new Forced(prefix)]], {
    maxSteps: prefix.length + maxSteps,
    firsts: [prefix[0]!],
    choose,
    ...(signal !== undefined && { signal }),
  });
  return polygon!.sequence.cells;
}

/** The class that is `place` behind the best. Each that is passed over is taken out. */
function nextBest(logits: Float32Array, row: number, place: number): ReturnType<Chooser> {
  const left = logits.slice(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
  for (let passed = 0; passed < place; passed++) left[chooseBest(left, 0).index] = -1e9;
  return chosenClass(logits, row, chooseBest(left, 0).index);
}

/** Image points of the cells from `from` on, within the box. The cells before them steer where these are placed. */
function place(
  cells: readonly number[],
  from: number,
  { encoded, frame }: { readonly encoded: EncodedBatch; readonly frame: CropFrame },
): ImagePoint[] {
  const map = hasMap(encoded) ? mapOf(encoded, 0) : undefined;
  const placed =
    map !== undefined && isFineMap(map)
      ? placeOnFineMap(cells, map, fitOf(cells, frame, map).candidateScore)
      : placeVertices(cells, map);
  const { left, top, width, height } = frame.bounds;
  const within = (value: number, low: number, size: number): number =>
    Math.round(Math.min(low + size, Math.max(low, value)) * 100) / 100;
  return placed.slice(from).map((point) => {
    const { x, y } = gridToImagePoint(point, frame.window);
    return { x: within(x, left, width), y: within(y, top, height) };
  });
}
