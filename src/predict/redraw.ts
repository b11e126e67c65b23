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
import { cellToIndex, CLASS_COUNT, EOS, gridToImagePoint, imagePointToCell } from "../geometry/grid.js";
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

/** One of the rings that are redrawn together. */
export interface RedrawRequest {
  /** Row of the batch. */
  readonly row: number;
  readonly frame: CropFrame;
  readonly task: Omit<RedrawTask, "signal">;
}

/** @param encoded a batch of one crop before its first step; it stays as it is */
export async function redrawRing(encoded: EncodedBatch, frame: CropFrame, task: RedrawTask): Promise<Redrawn> {
  const [redrawn] = await redrawRings(encoded, [{ row: 0, frame, task }], task.signal);
  return redrawn!;
}

/**
 * Several rings of one batch. Each comes out as it would alone.
 * @param encoded a batch before its first step; it stays as it is
 * @param signal  as in the task of a single one
 * @returns       one per request, in order
 */
export async function redrawRings(
  encoded: EncodedBatch,
  requests: readonly RedrawRequest[],
  signal?: AbortSignal,
): Promise<Redrawn[]> {
  const plans = requests.map(({ row, frame, task }) => planOf({ encoded, row, frame }, task));
  const sequences = await force(encoded, plans, signal);
  return plans.map(({ finish }, at) => finish(sequences[at]!));
}

/** One row of a batch and where its crop lies. */
interface Place {
  readonly encoded: EncodedBatch;
  readonly row: number;
  readonly frame: CropFrame;
}

/** What is forced, and what becomes of the sequence that follows from it. */
interface Plan extends Pick<RedrawTask, "maxSteps" | "candidate"> {
  readonly row: number;
  /** At least one cell. */
  readonly prefix: readonly number[];
  /** @param cells the whole sequence, what was forced included */
  readonly finish: (cells: readonly number[]) => Redrawn;
}

function planOf(place: Place, task: RedrawRequest["task"]): Plan {
  return task.give === "all" || task.ring.length === 0 ? planAnew(place, task) : planWay(place, task);
}

/** Expected IoU of a ring, 0..1; undefined where the network has no mask or the ring is none. */
export function scoreOfRing(encoded: EncodedBatch, frame: CropFrame, ring: Ring): number | undefined {
  if (!hasMap(encoded) || ring.length < 3) return undefined;
  return Math.round(expectedIoUOfRing(ring, frame, mapOf(encoded, 0)) * 1e4) / 1e4;
}

function planAnew({ encoded, row, frame }: Place, { candidate, maxSteps }: RedrawRequest["task"]): Plan {
  const starts = firstVertices(encoded.firstVertexLogits, row, candidate + 1);
  const first = starts[Math.min(candidate, starts.length - 1)] ?? bestFirstVertices(encoded)[row]!;
  return {
    row,
    prefix: [first],
    maxSteps,
    candidate: 0,
    finish: (cells) => {
      const { ring } = sequenceToRing(cells, frame, hasMap(encoded) ? mapOf(encoded, row) : undefined);
      return { ring, kept: [], pins: [], moved: 0 };
    },
  };
}

function planWay(place: Place, task: RedrawRequest["task"]): Plan {
  const { ring, maxSteps, candidate } = task;
  const size = ring.length;
  const { start, dropped } = wayOf(task);
  // Turned so that it begins behind what is redrawn and ends with the moved vertex.
  const keptFrom = Array.from({ length: size - dropped }, (_, at) => (start + at) % size);
  // The network only knows clockwise rings: of others it is shown what stays, and draws the way, from the other end.
  const inTurn = <T>(list: readonly T[]): readonly T[] => (signedArea(ring) >= 0 ? list : [...list].reverse());
  const prefix = cellsOf(
    inTurn(keptFrom).map((index) => ring[index]!),
    place.frame,
  );
  const finish = (cells: readonly number[]): Redrawn =>
    joined(keptFrom, inTurn(pointsFrom(cells, prefix.length, place)), task);
  return { row: place.row, prefix, maxSteps, candidate, finish };
}

/** @param keptFrom indexes into the old ring of the vertices that stay; the way comes behind them */
function joined(
  keptFrom: readonly number[],
  way: readonly ImagePoint[],
  { ring, pins, moved }: RedrawRequest["task"],
): Redrawn {
  const pinned = new Set([...pins, moved]);
  // As in every ring that is predicted, no vertex of the way equals its neighbor.
  const ends = { before: ring[keptFrom.at(-1)!]!, behind: ring[keptFrom[0]!]! };
  const apart = way.filter((point, at) => !isSame(point, way[at - 1] ?? ends.before));
  while (apart.length > 0 && isSame(apart.at(-1)!, ends.behind)) apart.pop();
  // Turned back: the first vertex that stays is the one that stood first before.
  const offset = Math.max(0, keptFrom.indexOf(Math.min(...keptFrom)));
  const vertices = [
    ...keptFrom.map((index) => ({ point: ring[index]!, isKept: true, isPinned: pinned.has(index), index })),
    ...apart.map((point) => ({ point, isKept: false, isPinned: false, index: -1 })),
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

function isSame(a: ImagePoint, b: ImagePoint): boolean {
  return a.x === b.x && a.y === b.y;
}

/** @returns the first vertex that stays behind the way, and how many between it and the moved one are dropped */
function wayOf({ ring, pins, moved, give, length }: RedrawRequest["task"]): { start: number; dropped: number } {
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

/** Takes what is forced while it lasts, then what the network proposes, up to the limit. */
class Forced implements DecodingRule<Forced> {
  constructor(
    private readonly prefix: readonly number[],
    private readonly limit: number,
  ) {}

  decide(cells: readonly number[], proposed: number): Decision<Forced> {
    return { taken: cells.length >= this.limit ? EOS : (this.prefix[cells.length] ?? proposed) };
  }
}

/** @returns the whole sequences, what was forced included */
async function force(
  encoded: EncodedBatch,
  plans: readonly Plan[],
  signal: AbortSignal | undefined,
): Promise<(readonly number[])[]> {
  const sequences = plans.map((): readonly number[] => []);
  const run = async (members: readonly number[], choose: Chooser): Promise<void> => {
    const forced = members.map((at) => plans[at]!);
    const polygons = await decodeLoop(
      encoded.select(forced.map(({ row }) => row)),
      // As many cells as the loop would allow each of them alone.
      forced.map(({ prefix, maxSteps }) => [new Forced(prefix, prefix.length + maxSteps + 1)]),
      {
        maxSteps: Math.max(...forced.map(({ prefix, maxSteps }) => prefix.length + maxSteps)),
        firsts: forced.map(({ prefix }) => prefix[0]!),
        choose,
        ...(signal !== undefined && { signal }),
      },
    );
    for (const { crop, sequence } of polygons) sequences[members[crop]!] = sequence.cells;
  };
  const best = plans.flatMap(({ candidate }, at) => (candidate === 0 ? [at] : []));
  if (best.length > 0) await run(best, chooseBest);
  for (const [at, { prefix, candidate }] of plans.entries())
    if (candidate > 0) await run([at], nextBestAt(prefix.length, candidate));
  return sequences;
}

/** The step that sees all that is forced chooses among its best classes; those after it take the best. */
function nextBestAt(last: number, candidate: number): Chooser {
  let step = 0;
  return (logits, row) => (++step === last ? nextBest(logits, row, candidate) : chooseBest(logits, row));
}

/** The class that is `place` behind the best. Each that is passed over is taken out. */
function nextBest(logits: Float32Array, row: number, place: number): ReturnType<Chooser> {
  const left = logits.slice(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
  for (let passed = 0; passed < place; passed++) left[chooseBest(left, 0).index] = -1e9;
  return chosenClass(logits, row, chooseBest(left, 0).index);
}

/** Image points of the cells from `from` on, within the box. The cells before them steer where these are placed. */
function pointsFrom(cells: readonly number[], from: number, { encoded, row, frame }: Place): ImagePoint[] {
  const map = hasMap(encoded) ? mapOf(encoded, row) : undefined;
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
