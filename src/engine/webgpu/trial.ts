/**
 * Which tiles a device gets: those of a short trial on it, made once per adapter and kept (cache.ts), else the safe
 * ones. A driver on the CPU is not tried unless somebody asks. Whatever goes wrong leaves the safe ones, with a reason.
 *
 * The trial runs a few layers as the network has them, on a device of its own: an error there harms no engine. What
 * gives other numbers than the safe tiles is out.
 */
import { createHash } from "node:crypto";
import { reasonOf, usageError } from "../../errors.js";
import { GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { AdapterReport } from "./adapter.js";
import { dawnVersion } from "./adapter.js";
import type { TrialKey } from "./cache.js";
import { cacheFolder, keepTiles, readTiles } from "./cache.js";
import { Gpu } from "./device.js";
import type { Plan } from "./plan.js";
import { planKernels } from "./plan.js";
import { Program, submit } from "./program.js";
import { RecordOps } from "./record.js";
import type { Tiles } from "./tiles.js";
import { SAFE_TILES, TILE_CANDIDATES } from "./tiles.js";
import { shaderOf } from "./wgsl.js";

export interface ChosenTiles {
  readonly tiles: Tiles;
  readonly from: "default" | "trial" | "cache";
  /** Why it is the default, or what went wrong on the way. */
  readonly note?: string;
}

export interface ChoiceOptions {
  /** `default`: neither cache nor trial. `trial`: anew, on any adapter. As the environment says when absent. */
  readonly mode?: "default" | "trial" | undefined;
  /** Of the cache; the user's own when absent. */
  readonly folder?: string | undefined;
  /** A trial on a device of its own when absent. */
  readonly tryTiles?: () => Promise<Trial>;
}

/** By adapter: engines of one process share a trial. */
const chosen = new Map<string, Promise<ChosenTiles>>();

/** As `chooseTiles` does without options, once per adapter and process. */
export function tilesFor(adapter: AdapterReport): Promise<ChosenTiles> {
  const name = `${adapter.name} ${adapter.driver}`;
  const known = chosen.get(name) ?? chooseTiles(adapter);
  chosen.set(name, known);
  return known;
}

/** Never rejects but for a wrong environment variable. */
export async function chooseTiles(adapter: AdapterReport, options: ChoiceOptions = {}): Promise<ChosenTiles> {
  const { mode = askedFor(), folder = cacheFolder(), tryTiles = tryOnDevice } = options;
  if (mode === "default") return { tiles: SAFE_TILES, from: "default", note: "POLYRNN_TILES=default" };
  if (adapter.isSoftware && mode === undefined) {
    return { tiles: SAFE_TILES, from: "default", note: "a driver on the CPU is tried with POLYRNN_TILES=trial only" };
  }
  const key: TrialKey = { adapter: adapter.name, driver: adapter.driver, kernels: kernelsVersion() };
  const kept = folder === undefined || mode === "trial" ? undefined : await readTiles(folder, key);
  if (kept !== undefined && "tiles" in kept) return { tiles: kept.tiles, from: "cache" };
  try {
    const { tiles } = await tryTiles();
    const problem = folder === undefined ? "the system names no home folder" : await keepTiles(folder, key, tiles);
    const note = problem === undefined ? kept?.problem : `it is not kept (${problem})`;
    return { tiles, from: "trial", ...(note !== undefined && { note }) };
  } catch (error) {
    // Whatever it was: engines work without a trial, and their self-check still stands between them and a run.
    return { tiles: SAFE_TILES, from: "default", note: `the trial failed (${reasonOf(error)})` };
  }
}

function askedFor(): "default" | "trial" | undefined {
  const asked = process.env["POLYRNN_TILES"];
  if (asked === undefined || asked === "") return undefined;
  if (asked === "default" || asked === "trial") return asked;
  throw usageError(
    `POLYRNN_TILES: expected default or trial but received ${JSON.stringify(asked.slice(0, 80))}`,
    "Correct or unset the environment variable.",
  );
}

let fingerprint: string | undefined;

/** Changes whenever the text of a kernel does, and with Dawn, which compiles it. */
export function kernelsVersion(): string {
  return (fingerprint ??= makeFingerprint());
}

function makeFingerprint(): string {
  const { plan, weights } = layersToTry(GRID_SIZE);
  const hash = createHash("sha256").update(dawnVersion());
  for (const tiles of TILE_CANDIDATES) {
    for (const kernel of plan.kernels) hash.update(shaderOf(kernel, weights, tiles).code);
  }
  return hash.digest("hex").slice(0, 16);
}

/** A candidate that was measured. */
export interface Tried {
  readonly tiles: Tiles;
  /** Of the layers, the quickest round. */
  readonly milliseconds: number;
}

export interface Trial {
  readonly tiles: Tiles;
  readonly tried: readonly Tried[];
  /** Candidates left out: for other numbers, or because the time was over. */
  readonly leftOut: readonly Tiles[];
}

export interface TrialOptions {
  /** Milliseconds after which no further candidate begins. */
  readonly budgetMs?: number;
  /** Crops; enough to fill a device. */
  readonly batch?: number;
  /** Rows and columns of the layers' input. */
  readonly side?: number;
  /** Milliseconds that a round takes at least, in runs of the safe tiles: timers and launches vary by tenths. */
  readonly roundMs?: number;
}

const BUDGET_MS = 1000;
const ROUNDS = 3;
/** Most runs of the layers in a round. */
const MOST_RUNS = 64;
/** Share of the safe tiles' time from which others are taken: differences below are noise. */
const WORTH_IT = 0.97;
/** Share of the range by which numbers may differ: they are summed in one order, but drivers fuse as they like. */
const TOLERANCE = 1e-4;

async function tryOnDevice(): Promise<Trial> {
  const gpu = await Gpu.open();
  try {
    return await tryCandidates(gpu);
  } finally {
    gpu.close();
  }
}

/** @param gpu the caller's; an error on it remains */
export async function tryCandidates(gpu: Gpu, options: TrialOptions = {}): Promise<Trial> {
  const { budgetMs = BUDGET_MS, batch = 32, side = GRID_SIZE, roundMs = 2 } = options;
  const outputBytes = 4 * CELL_CHANNELS * side * side * batch;
  const end = performance.now() + budgetMs;
  const { plan, weights } = layersToTry(side);
  const x = gpu.upload(noise(batch * CHANNELS * side * side));
  const tried: Tried[] = [];
  let expected: Float32Array | undefined;
  let runs = 1;
  for (const tiles of TILE_CANDIDATES) {
    if (expected !== undefined && performance.now() > end) break;
    const program = await Program.compile(gpu, plan, weights, tiles);
    const y = gpu.buffer(outputBytes);
    const bound = program.bind(batch, { x: { buffer: x }, y: { buffer: y } });
    /** One value is read: the wait for it is a wait for all. */
    const time = async (): Promise<number> => {
      const began = performance.now();
      submit(gpu, Array(runs).fill(bound));
      await gpu.read(y, 4);
      return performance.now() - began;
    };
    await time(); // the first run of a kernel is slower
    const numbers = await gpu.read(y, outputBytes);
    if (expected === undefined) while (runs < MOST_RUNS && (await time()) < roundMs) runs *= 2;
    expected ??= numbers;
    if (isNear(numbers, expected)) {
      const rounds = [await time()];
      while (rounds.length < ROUNDS && performance.now() < end) rounds.push(await time());
      tried.push({ tiles, milliseconds: Math.min(...rounds) / runs });
    }
    gpu.free([y]);
    program.dispose();
  }
  gpu.free([x]);
  const isTried = new Set(tried.map(({ tiles }) => tiles));
  return { tiles: bestOf(tried), tried, leftOut: TILE_CANDIDATES.filter((tiles) => !isTried.has(tiles)) };
}

/** @param tried the safe tiles first */
export function bestOf(tried: readonly Tried[]): Tiles {
  const [safe] = tried;
  if (safe === undefined) throw new Error("not even the safe tiles gave numbers");
  const best = tried.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
  return best.milliseconds < WORTH_IT * safe.milliseconds ? best.tiles : safe.tiles;
}

function isNear(numbers: Float32Array, expected: Float32Array): boolean {
  let [low, high, worst] = [Infinity, -Infinity, 0];
  expected.forEach((value, at) => {
    low = Math.min(low, value);
    high = Math.max(high, value);
    worst = Math.max(worst, Math.abs(value - numbers[at]!));
  });
  return worst <= TOLERANCE * (high - low) && high > low; // NaN is not
}

const CHANNELS = 32;
const CELL_CHANNELS = 20;

/** One of each kind: 3 x 3, 1 x 1, depthwise in a 1 x 1, and a layer whose gates go into a cell. */
function layersToTry(side: number): { readonly plan: Plan; readonly weights: WeightedNetwork["weights"] } {
  const shapes = {
    wide: [48, CHANNELS, 3, 3],
    point: [64, 48, 1, 1],
    deep: [64, 1, 3, 3],
    project: [CHANNELS, 64, 1, 1],
    gates: [4 * CELL_CHANNELS, CHANNELS, 3, 3],
  } as const;
  const weights: WeightedNetwork["weights"] = new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const [outputs, inputs, height, width] = shape;
      const fanIn = inputs * height * width;
      const values = noise(outputs * fanIn).map((value) => value / Math.sqrt(fanIn));
      return [`${name}.weight`, { shape, values }] as const;
    }),
  );
  const ops = new RecordOps(weights);
  const x = ops.input("x", "float", [CHANNELS, side, side]);
  const wide = ops.relu(ops.conv2d(x, "wide"));
  const deep = ops.relu(ops.conv2d(ops.relu(ops.conv2d(wide, "point")), "deep", { depthwise: true }));
  const [input, forget, cell, output] = ops.splitChannels(ops.conv2d(ops.conv2d(deep, "project"), "gates"), 4);
  const state = ops.add(
    ops.multiply(ops.sigmoid(input!), ops.tanh(cell!)),
    ops.multiply(ops.sigmoid(forget!), output!),
  );
  return { plan: planKernels({ y: ops.tanh(state) }), weights };
}

/** From -1 to 1, the same every time. */
function noise(length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, at) => ((at * 2654435761) % 2 ** 32) / 2 ** 31 - 1);
}
