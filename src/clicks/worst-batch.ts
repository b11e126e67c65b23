/**
 * One batch of crops through the annotator who goes to the worst place first (clicks/worst-place.ts). All instances take
 * a correction per round, and the network redraws for all of them together, from the one encoding of the batch.
 *
 * A correction stands as it was made. Beside it lies the network's way to the next vertex that was placed, and the
 * annotator takes it or leaves it: what `polyrnn review` does after a move (predict/redraw.ts).
 */
import type { EncodedBatch, Engine } from "../engine/engine.js";
import { cellToImagePoint, GRID_SIZE } from "../geometry/grid.js";
import { fillPolygon, iouOfRles } from "../geometry/iou.js";
import type { BestSequence } from "../predict/candidates.js";
import { decodeCandidates } from "../predict/candidates.js";
import { encodeAndDecode } from "../predict/decode.js";
import { sequenceToRing } from "../predict/outline.js";
import { stackPixels } from "../crop/crop.js";
import type { Redrawn } from "../predict/redraw.js";
import { redrawRings } from "../predict/redraw.js";
import type { ImagePoint, Ring } from "../types.js";
import type { MeasuredPolygon, SimulatedInstance, Simulation, UsableSubject } from "./simulation.js";
import { curveLength, outlineOf, scoreAsPredicted } from "./simulation.js";
import type { Correction, PinnedRing, TrueOutline } from "./worst-place.js";
import { correct, onImage, worstPlace } from "./worst-place.js";

/** @returns one instance per subject, in order; what else is in the batch does not change it */
export async function simulateWorst(
  engine: Engine,
  subjects: readonly UsableSubject[],
  simulation: Simulation,
): Promise<{ instances: SimulatedInstance[]; milliseconds: number }> {
  const frames = subjects.map(({ crop }) => crop);
  const pixels = stackPixels(frames);
  const { decoded, times } = await encodeAndDecode(engine, pixels, frames.length, async (encoded, encodeFlipped) => {
    try {
      const { best, flipped } = await decodeCandidates({ encoded, frames, encodeFlipped }, simulation);
      flipped?.encoded.dispose();
      const annotators = subjects.map((subject, at) => new Annotator(subject, best[at]!, simulation));
      await correctAll(encoded, annotators, simulation);
      return annotators.map((annotator) => annotator.result());
    } finally {
      encoded.dispose();
    }
  });
  return { instances: decoded, milliseconds: times.encodeMs + times.stepsMs };
}

async function correctAll(
  encoded: EncodedBatch,
  annotators: readonly Annotator[],
  { choice, maxSteps }: Simulation,
): Promise<void> {
  for (let open = annotators.map((annotator, row) => ({ annotator, row })); open.length > 0;) {
    const moved = open.flatMap(({ annotator, row }) => {
      const correction = annotator.next();
      return correction === undefined ? [] : [{ annotator, row, ...correction }];
    });
    const asked = choice === "never" ? [] : moved.filter(({ isAsking }) => isAsking);
    const ways = await redrawRings(
      encoded,
      asked.map(({ annotator, row, plain, at }) => ({
        row,
        frame: annotator.frame,
        task: { ...plain, moved: at, give: "pin", candidate: 0, maxSteps },
      })),
    );
    const wayOf = new Map(asked.map(({ row }, at) => [row, ways[at]!]));
    for (const { annotator, row, plain } of moved) annotator.go(plain, wayOf.get(row));
    open = moved;
  }
}

/** The polygon after so many corrections. */
interface State extends PinnedRing {
  readonly iou: number;
  readonly taken: number;
  readonly left: number;
  /** Undefined where all is right. */
  readonly worst: Correction | undefined;
}

interface Moved {
  readonly plain: PinnedRing;
  /** Index of the vertex that was placed or deleted. */
  readonly at: number;
  /** Whether the network is asked for its way. */
  readonly isAsking: boolean;
}

class Annotator {
  private readonly truth: TrueOutline;
  /** By corrections so far. */
  private readonly states: State[] = [];
  /** What is left to be drawn by hand where the network drew no polygon. */
  private byHand: readonly ImagePoint[] = [];

  constructor(
    private readonly subject: UsableSubject,
    private readonly best: BestSequence,
    private readonly simulation: Simulation,
  ) {
    const { crop, truth } = subject;
    this.truth = {
      ring: outlineOf(crop.instance.truth!, crop.window).map((point) => onImage(point, crop)),
      cellPx: crop.window.side / GRID_SIZE,
      imageWidth: crop.imageWidth,
      imageHeight: crop.imageHeight,
      metric: simulation.metric,
    };
    const { ring, distinct } = sequenceToRing(best.cells, crop, best.maskLogits);
    if (distinct < 3) this.byHand = truth.map((cell) => onImage(cellToImagePoint(cell, crop.window), crop));
    this.add({ ring: distinct < 3 ? [] : ring, pins: [] }, { taken: 0, left: 0 });
  }

  get frame(): UsableSubject["crop"] {
    return this.subject.crop;
  }

  /** @returns undefined when the annotator is content, or has no clicks left */
  next(): Moved | undefined {
    const { thresholds, maxClicks, maxSteps } = this.simulation;
    const state = this.states.at(-1)!;
    const clicks = this.states.length - 1;
    if (clicks >= Math.min(maxClicks, maxSteps)) return undefined;
    const { ring, pins, worst } = state;
    const drawn = this.byHand[clicks];
    if (drawn !== undefined)
      return { plain: { ring: [...ring, drawn], pins: [...pins, ring.length] }, at: ring.length, isAsking: false };
    if (worst === undefined || worst.distance <= Math.min(...thresholds)) return undefined;
    return { plain: correct(state, worst), at: worst.at, isAsking: worst.kind !== "delete" };
  }

  /** @param way the network's; it is a proposal where it is a polygon, and another one */
  go(plain: PinnedRing, way: Redrawn | undefined): void {
    const { taken, left } = this.states.at(-1)!;
    if (way === undefined || way.ring.length < 3 || isSame(way.ring, plain.ring)) {
      this.add(plain, { taken, left });
      return;
    }
    const isTaken = this.simulation.choice === "always" || this.iouOf(way.ring) > this.iouOf(plain.ring);
    if (isTaken) this.add(way, { taken: taken + 1, left });
    else this.add(plain, { taken, left: left + 1 });
  }

  result(): SimulatedInstance {
    const { subject, simulation, states, best } = this;
    const { crop, truth } = subject;
    const { cells, logProbability, steps, ended } = best;
    const sequence = { cells, logProbability, steps, ended };
    const { ring, iou } = states[0]!;
    return {
      kind: "simulated",
      crop,
      truthVertices: truth.length,
      automatic: { sequence, ring, iou, clicks: 0, vertices: cells.length, ended },
      automaticScore: scoreAsPredicted(sequence, crop, best.maskLogits),
      perThreshold: simulation.thresholds.map((threshold) => this.polygonAt(threshold)),
      iouAfterClicks: Array.from(
        { length: curveLength(simulation) + 1 },
        (_, clicks) => states[Math.min(clicks, states.length - 1)]!.iou,
      ),
    };
  }

  /** Annotators differ in when they stop, and in nothing before. */
  private polygonAt(threshold: number): MeasuredPolygon {
    const { states, byHand } = this;
    const isContent = ({ worst }: State, clicks: number): boolean =>
      clicks >= byHand.length && (worst?.distance ?? 0) <= threshold;
    const content = states.findIndex(isContent);
    const clicks = content === -1 ? states.length - 1 : content;
    const { ring, iou, taken, left } = states[clicks]!;
    return { ring, iou, clicks, vertices: ring.length, ended: content !== -1, proposals: { taken, left } };
  }

  private add({ ring, pins }: PinnedRing, proposals: Pick<State, "taken" | "left">): void {
    const worst = ring.length < 3 ? undefined : worstPlace({ ring, pins }, this.truth);
    this.states.push({ ring, pins, iou: this.iouOf(ring), worst, ...proposals });
  }

  private iouOf(ring: Ring): number {
    const { crop, mask } = this.subject;
    if (ring.length < 3) return 0;
    return iouOfRles(fillPolygon([ring], crop.imageHeight, crop.imageWidth, this.simulation.rasterizer), mask);
  }
}

function isSame(one: Ring, other: Ring): boolean {
  return one.length === other.length && one.every(({ x, y }, at) => x === other[at]!.x && y === other[at]!.y);
}
