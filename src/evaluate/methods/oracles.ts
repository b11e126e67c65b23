/**
 * Where the error comes from: the network's polygons once more, each time with one part of the truth given to it. What
 * an instance gains over its prediction is the share of that part.
 *
 *     first    polygons start at vertices of the truth
 *     steps    and each answer is moved to the truth's outline before the next step sees it, and the
 *              polygon is made of the answers as they were: the error of single steps, without what follows from it
 *     teacher  strict teacher forcing, as in training: every step sees the truth's own vertices before it, and the
 *              polygon is made of the answers; it ends with the truth's
 *     map      the truth's mask takes the place of the network's where polygons are judged and vertices placed
 *
 * What the grid alone costs is the method `grid-ceiling`. Everything else is the rule of prediction, unchanged: an
 * engine that gives the truth where it is asked for stands in the place of the network's.
 */
import type { Crop } from "../../crop/crop.js";
import { prepareImageLibrary } from "../../crop/open-image.js";
import { cutCrop } from "../../crop/read-crops.js";
import { openEngine } from "../../engine/devices.js";
import type { EncodedBatch, Engine } from "../../engine/engine.js";
import type { CropWindow } from "../../geometry/grid.js";
import { CELL_COUNT, cellToIndex, EOS, FINE_COUNT, FINE_SIZE, flipCells, indexToCell } from "../../geometry/grid.js";
import type { Rasterizer } from "../../geometry/iou.js";
import { fillPolygon, rasterizeTruth } from "../../geometry/iou.js";
import { ringToCells } from "../../geometry/quantize.js";
import { rleArea } from "../../geometry/rle.js";
import { windowFromRle } from "../../geometry/rle-window.js";
import { signedArea } from "../../geometry/ring.js";
import { loadModel } from "../../model/model.js";
import { firstVertices } from "../../predict/choose-vertex.js";
import type { Decision, DecodingRule } from "../../predict/decode-loop.js";
import { decodeLoop } from "../../predict/decode-loop.js";
import { mapOf } from "../../predict/candidates.js";
import { fitOf } from "../../predict/mask-agreement.js";
import { DEFAULT_CANDIDATES, MAX_STEPS, SURE_FROM } from "../../predict/options.js";
import { decodeOutlines, sequenceToRing } from "../../predict/outline.js";
import type { GridCell, Instance, Ring, Rle } from "../../types.js";
import { outlinesOf } from "./baselines.js";
import type { MaskResult, Method, SubjectImage } from "./method.js";
import type { ImageSize } from "./read-prediction.js";
import { decodeSubject } from "./method.js";

export const ORACLE_NAMES = ["first", "steps", "teacher", "map"] as const;
export type OracleName = (typeof ORACLE_NAMES)[number];

/** As in the report. */
export const ORACLE_WORDS: Readonly<Record<OracleName, string>> = {
  first: "polygons start at those vertices of the truth that the network finds likeliest",
  steps:
    "polygons start there too, and every step sees the vertices before it on the truth's outline, " +
    "while the polygon is made of the answers as given",
  teacher:
    "polygons start there too, every step sees the truth's own vertices before it as in training, " +
    "and the polygon is made of the answers, as many as the truth has vertices",
  map: "the truth's mask judges polygons and places vertices",
};

/** The network that is given parts of the truth. */
export const ORACLE_MODEL = "mobile";

/** What the network sees of one instance, and the truth in the same frame. */
interface Case {
  readonly crop: Crop;
  readonly size: ImageSize;
  /** Vertices of the largest outline, clockwise, at least three. */
  readonly cells: readonly GridCell[];
  readonly truth: Rle;
  /** Encoded once as it lies and once flipped, for all oracles. @param pixels of the crop or of the flipped one */
  readonly encode: (pixels: Uint8Array) => Promise<EncodedBatch>;
}

export class Oracles {
  private last: { readonly image: SubjectImage; readonly results: Promise<readonly MaskResult[][]> } | undefined;

  private constructor(
    private readonly engine: Engine,
    private readonly names: readonly OracleName[],
    private readonly context: number,
    private readonly rule: Rasterizer,
  ) {}

  /** @throws E_UNAVAILABLE where the model or an engine is missing */
  static async open(names: readonly OracleName[], context: number, rule: Rasterizer): Promise<Oracles> {
    prepareImageLibrary();
    // Steps of single polygons are too small to share among cores.
    const { engine } = await openEngine(await loadModel(ORACLE_MODEL), { device: "cpu", threads: 1 });
    return new Oracles(engine, names, context, rule);
  }

  methods(): Method[] {
    return this.names.map((name, at) => ({
      name: `oracle-${name}`,
      words: `${ORACLE_MODEL} where ${ORACLE_WORDS[name]}`,
      masksOf: async (image) => {
        if (this.last?.image !== image) this.last = { image, results: this.compute(image) };
        return (await this.last.results)[at]!;
      },
    }));
  }

  close(): Promise<void> {
    return this.engine.dispose();
  }

  /** By oracle, then by instance. */
  private async compute(image: SubjectImage): Promise<readonly MaskResult[][]> {
    const results = this.names.map((): MaskResult[] => []);
    const decoded = await decodeSubject(image);
    if (!("pixels" in decoded)) return results.map(() => image.instances.map(() => decoded));
    for (const instance of image.instances) {
      const cut = await cutCrop(decoded, instance, this.context);
      const asked = cut.kind === "crop" ? await this.ask(cut.crop, instance, image) : undefined;
      results.forEach((ofOracle, at) => {
        ofOracle.push(
          asked?.[at] ?? { kind: "failed", reason: cut.kind === "crop" ? "polygon-missing" : "box-outside" },
        );
      });
    }
    return results;
  }

  /** @returns undefined for an outline that is too small for the grid */
  private async ask(crop: Crop, instance: Instance, size: ImageSize): Promise<MaskResult[] | undefined> {
    const cells = cellsOf(instance, crop.window);
    if (cells === undefined) return undefined;
    const truth = rasterizeTruth(instance.truth!, size.height, size.width, this.rule);
    const made = new Map<boolean, EncodedBatch>(); // by whether it is the crop as it lies
    const encode = async (pixels: Uint8Array): Promise<EncodedBatch> => {
      const asItLies = pixels === crop.pixels;
      const encoded = made.get(asItLies) ?? (await this.engine.encode(pixels, 1));
      made.set(asItLies, encoded);
      return encoded;
    };
    const one: Case = { crop, size, cells, truth, encode };
    try {
      const results: MaskResult[] = [];
      for (const name of this.names) {
        const ring =
          name === "steps" || name === "teacher"
            ? await forcedRing(one, name)
            : await predictedRing(this.engine, one, name);
        results.push(toMask(ring, size, this.rule));
      }
      return results;
    } finally {
      for (const encoded of made.values()) encoded.dispose();
    }
  }
}

function toMask(ring: Ring, { width, height }: ImageSize, rule: Rasterizer): MaskResult {
  if (ring.length < 3) return { kind: "failed", reason: "polygon-empty" };
  const mask = fillPolygon([ring], height, width, rule);
  return rleArea(mask) > 0 ? { kind: "mask", mask, polygon: [ring] } : { kind: "failed", reason: "polygon-empty" };
}

/** Cells of the truth's largest outline. @returns undefined where fewer than three are left */
function cellsOf({ truth }: Instance, window: CropWindow): readonly GridCell[] | undefined {
  const rings = truth === undefined ? [] : [...outlinesOf(truth)];
  const [largest] = rings.sort((a, b) => Math.abs(signedArea(b)) - Math.abs(signedArea(a)));
  const cells = largest === undefined ? [] : ringToCells(largest, window);
  return cells.length >= 3 ? cells : undefined;
}

/** The rule of prediction, whose engine knows a part of the truth. */
async function predictedRing(engine: Engine, one: Case, name: "first" | "map"): Promise<Ring> {
  const knowing: Engine = {
    ...engine,
    encode: async (pixels) => {
      const isFlipped = pixels !== one.crop.pixels;
      const encoded = await one.encode(pixels);
      const told = name === "first" ? withFirst(encoded, one, isFlipped) : withMap(one, isFlipped);
      return {
        size: 1,
        firstVertexLogits: encoded.firstVertexLogits,
        maskLogits: encoded.maskLogits,
        fineMaskLogits: encoded.fineMaskLogits,
        ...told,
        step: (input) => encoded.step(input),
        select: (rows) => encoded.select(rows),
        dispose: () => undefined, // the case's, for the next oracle
      };
    },
  };
  const options = { maxSteps: MAX_STEPS, candidates: DEFAULT_CANDIDATES };
  const { outlines } = await decodeOutlines(knowing, one.crop.pixels, [one.crop], options);
  return outlines[0]!.ring;
}

/** First-vertex logits that leave only vertices of the truth. */
function withFirst(
  { firstVertexLogits }: EncodedBatch,
  { cells }: Case,
  isFlipped: boolean,
): Pick<EncodedBatch, "firstVertexLogits"> {
  const logits = new Float32Array(CELL_COUNT).fill(Number.NEGATIVE_INFINITY);
  for (const index of (isFlipped ? flipCells(cells) : cells).map(cellToIndex))
    logits[index] = firstVertexLogits[index]!;
  return { firstVertexLogits: logits };
}

/** Pixels of the image that are read along a side of a fine cell. */
const SAMPLES = 3;
/** Keeps logits finite. */
const SUREST = 0.999;

/** The refined mask as it would be taught: the share of each fine cell inside the outline. */
function withMap({ crop, truth }: Case, isFlipped: boolean): Pick<EncodedBatch, "fineMaskLogits"> {
  const { left, top, side } = crop.window;
  const window = {
    left: Math.max(0, Math.floor(left)),
    top: Math.max(0, Math.floor(top)),
    ...{ columns: 0, rows: 0 },
  };
  window.columns = Math.min(truth.width, Math.ceil(left + side)) - window.left;
  window.rows = Math.min(truth.height, Math.ceil(top + side)) - window.top;
  const bitmap = windowFromRle(truth, window);
  const isInside = (fineX: number, fineY: number): boolean => {
    const x = Math.floor(left + (fineX / FINE_SIZE) * side) - window.left;
    const y = Math.floor(top + (fineY / FINE_SIZE) * side) - window.top;
    return x >= 0 && y >= 0 && x < window.columns && y < window.rows && bitmap[x * window.rows + y] === 1;
  };
  const fineMaskLogits = new Float32Array(FINE_COUNT);
  for (let cell = 0; cell < FINE_COUNT; cell++) {
    const [column, row] = [cell % FINE_SIZE, Math.floor(cell / FINE_SIZE)];
    let inside = 0;
    for (let sample = 0; sample < SAMPLES ** 2; sample++) {
      const [across, down] = [(sample % SAMPLES) + 0.5, Math.floor(sample / SAMPLES) + 0.5];
      if (isInside(column + across / SAMPLES, row + down / SAMPLES)) inside++;
    }
    const share = Math.min(SUREST, Math.max(1 - SUREST, inside / SAMPLES ** 2));
    const at = isFlipped ? row * FINE_SIZE + FINE_SIZE - 1 - column : cell;
    fineMaskLogits[at] = Math.log(share / (1 - share));
  }
  return { fineMaskLogits };
}

/** A rule that decides what the next step sees, and keeps what the network answered. */
interface ForcedRule extends DecodingRule<ForcedRule> {
  readonly proposed: readonly number[];
}

/** Answers this close to the outline, in cells, count as on it: neighbors do, also across corners. */
const NEAR = 1.5;

/**
 * Moves every vertex to the closest cell of the truth's outline. Unlike the truth's own vertices these leave the network
 * its way of dividing an outline: where it takes two steps around a corner, all later answers would stand in the place
 * of another vertex.
 */
class OnOutline implements ForcedRule {
  readonly proposed: number[] = [];

  constructor(private readonly outline: readonly GridCell[]) {}

  decide(cells: readonly number[], proposed: number): Decision<ForcedRule> {
    if (proposed === EOS) return { taken: EOS };
    this.proposed.push(proposed);
    const from = indexToCell(proposed);
    let closest = from;
    let least = Infinity;
    for (const cell of this.outline) {
      const distance = Math.hypot(cell.col - from.col, cell.row - from.row);
      // A vertex twice looks like the end to the network.
      if (distance < least && !cells.includes(cellToIndex(cell))) [closest, least] = [cell, distance];
    }
    return { taken: least < NEAR ? proposed : cellToIndex(closest) };
  }
}

/** Strict teacher forcing: the truth's vertices in their order, whatever the network answers. */
export class AsTaught implements ForcedRule {
  readonly proposed: number[] = [];

  /** @param vertices of the truth, cell indices, the first one first */
  constructor(private readonly vertices: readonly number[]) {}

  decide(cells: readonly number[], proposed: number): Decision<ForcedRule> {
    const taught = this.vertices[cells.length];
    // An answer of end-of-sequence before the truth's own names no vertex.
    if (taught !== undefined && proposed !== EOS) this.proposed.push(proposed);
    return { taken: taught ?? EOS };
  }
}

/** As many polygons as prediction may draw, from vertices of the truth; the network's own map judges and places. */
async function forcedRing(one: Case, name: "steps" | "teacher"): Promise<Ring> {
  const encoded = await one.encode(one.crop.pixels);
  const map = mapOf(encoded, 0);
  const outline = cellsAlong(one.cells);
  const vertices = one.cells.map(cellToIndex);
  let best: { readonly cells: readonly number[]; readonly worth: number } = { cells: [], worth: -1 };
  const { firstVertexLogits } = withFirst(encoded, one, false);
  for (const first of firstVertices(firstVertexLogits, 0, DEFAULT_CANDIDATES)) {
    const start = vertices.indexOf(first);
    const rule: ForcedRule =
      name === "steps" ? new OnOutline(outline) : new AsTaught([...vertices.slice(start), ...vertices.slice(0, start)]);
    await decodeLoop(encoded.select([0]), [[rule]], { maxSteps: MAX_STEPS, firsts: [first] });
    const worth = fitOf(rule.proposed, one.crop, map).candidateScore;
    if (worth > best.worth) best = { cells: rule.proposed, worth };
    if (worth >= SURE_FROM.fine) break;
  }
  return sequenceToRing(best.cells, one.crop, map).ring;
}

/** Every cell that the closed outline passes, in order. */
function cellsAlong(cells: readonly GridCell[]): GridCell[] {
  return cells.flatMap((from, at) => {
    const to = cells[(at + 1) % cells.length]!;
    const steps = Math.max(Math.abs(to.col - from.col), Math.abs(to.row - from.row), 1);
    return Array.from({ length: steps }, (_, step) => ({
      col: Math.round(from.col + ((to.col - from.col) * step) / steps),
      row: Math.round(from.row + ((to.row - from.row) * step) / steps),
    }));
  });
}
