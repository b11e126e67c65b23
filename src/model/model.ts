/**
 * A model on disk: its card and its weights, checked before anything runs. A model is a folder with `model.json` and
 * the safetensors files the card lists. Those that come with the program are found by name, others by path.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { count } from "../count.js";
import { PolyrnnError, unavailable } from "../errors.js";
import { describeValue, isJsonObject } from "../foreign.js";
import { describeNetwork } from "../network/build.js";
import type { MaskHeadsOptions } from "../network/mask-heads.js";
import { maskHeadShapes } from "../network/mask-heads.js";
import type { PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import type { HeadsCard, ModelCard } from "./card.js";
import { findModelFolder, isHeadsCard, readAnyCard, readCard } from "./folder.js";
import { widenTensors } from "./quantized.js";
import type { WeightTensor } from "./safetensors.js";
import { firstNotFinite, parseSafetensors, readAndHash, refuseForeign } from "./safetensors.js";

/** A network with all it needs to compute. */
export interface WeightedNetwork {
  readonly network: PolygonRnn;
  /** Exactly the network's weights, in the layout of the files (network/tensor-ops.ts). Not to be written to. */
  readonly weights: ReadonlyMap<string, WeightTensor>;
  readonly normalization: Normalization;
}

export interface Model extends WeightedNetwork {
  readonly card: ModelCard;
  /** See `predictionHash`. */
  readonly hash: string;
  readonly folder: string;
}

/**
 * @param nameOrPath name of a model that comes with the program, a model's folder, or its model.json
 * @throws E_UNAVAILABLE: no such model, a card or file that is not sound, a wrong hash, weights that do not fit the
 *   architecture
 */
export async function loadModel(nameOrPath: string): Promise<Model> {
  const folder = await findModelFolder(nameOrPath);
  const card = await readCard(folder);
  const network = describeNetwork(card.architecture);
  const weights = await readWeights(card, folder, network.weightShapes);
  return { card, network, weights, normalization: card.normalization, hash: predictionHash(card), folder };
}

/** Heads that give masks on the features of one model. */
export interface MaskHeads {
  readonly options: MaskHeadsOptions;
  /** Exactly the heads' weights, as in WeightedNetwork. */
  readonly weights: ReadonlyMap<string, WeightTensor>;
}

/**
 * @param model whose features the heads see
 * @throws E_UNAVAILABLE: as `loadModel`; a card of something else than heads; heads of another model
 */
export async function loadMaskHeads(nameOrPath: string, model: Pick<Model, "hash" | "folder">): Promise<MaskHeads> {
  const folder = await findModelFolder(nameOrPath);
  const card = await readAnyCard(folder);
  if (!isHeadsCard(card)) {
    throw unavailable(
      `${folder}: expected a card of mask-heads but received one of ${card.architecture.name}`,
      "DeepMask and Dilation are in the model called baselines.",
    );
  }
  const options = card.architecture;
  if (options.modelHash !== model.hash) {
    throw unavailable(
      `${folder}: expected heads for the features of ${model.folder} (hash ${model.hash.slice(0, 12)}) but received ` +
        `heads for ${JSON.stringify(options.model)} (hash ${options.modelHash.slice(0, 12)})`,
      "Features and heads were trained together. Fetch models/baselines and the model it names from one version.",
    );
  }
  return { options, weights: await readWeights(card, folder, maskHeadShapes(options)) };
}

/** All files of a model together, checked. */
async function readWeights(
  card: ModelCard | HeadsCard,
  folder: string,
  shapes: ReadonlyMap<string, readonly number[]>,
): Promise<Map<string, WeightTensor>> {
  const weights = new Map<string, WeightTensor>();
  for (const name of Object.keys(card.files)) await addWeights(weights, card, folder, name);
  checkWeights(weights, shapes, whereOf(folder, card));
  return weights;
}

/**
 * Identity of everything in a model that can change a prediction: weights, architecture, normalization; not its name,
 * scores or default context. Equal hashes predict equal polygons from equal crops, so that a run may be resumed.
 * @returns sha256, hex
 */
export function predictionHash(card: ModelCard | HeadsCard): string {
  const { architecture, grid, cropSize, normalization, files } = card;
  const hashes = Object.values(files)
    .map((file) => file.sha256)
    .sort();
  return createHash("sha256")
    .update(canonicalJson({ architecture, grid, cropSize, normalization, hashes }))
    .digest("hex");
}

/** One weights file of a model, looked at for `polyrnn models verify`. */
export interface FileCheck {
  readonly name: string;
  readonly problem?: PolyrnnError;
}

export interface ModelCheck {
  readonly card: ModelCard | HeadsCard;
  readonly folder: string;
  readonly files: readonly FileCheck[];
  /** What is wrong with the tensors of all files together; looked at only when every file is sound. */
  readonly weightsProblem?: PolyrnnError;
}

/**
 * Looks at every file of a model and goes on after a fault.
 * @throws E_UNAVAILABLE when there is no such model or its card is bad
 */
export async function verifyModel(nameOrPath: string): Promise<ModelCheck> {
  const folder = await findModelFolder(nameOrPath);
  const card = await readAnyCard(folder);
  const weights = new Map<string, WeightTensor>();
  const files: FileCheck[] = [];
  for (const name of Object.keys(card.files)) {
    const problem = await problemOf(() => addWeights(weights, card, folder, name));
    files.push({ name, ...(problem && { problem }) });
  }
  if (files.some((file) => file.problem)) return { card, folder, files };
  const weightsProblem = await problemOf(() => {
    const shapes = isHeadsCard(card)
      ? maskHeadShapes(card.architecture)
      : describeNetwork(card.architecture).weightShapes;
    checkWeights(weights, shapes, whereOf(folder, card));
  });
  return { card, folder, files, ...(weightsProblem && { weightsProblem }) };
}

async function problemOf(check: () => void | Promise<void>): Promise<PolyrnnError | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (error instanceof PolyrnnError) return error;
    throw error;
  }
}

/** Reads one file, holds it against the card, and adds its tensors. */
async function addWeights(
  weights: Map<string, WeightTensor>,
  card: ModelCard | HeadsCard,
  folder: string,
  name: string,
): Promise<void> {
  const path = join(folder, name);
  const expected = card.files[name]!;
  const { bytes, sha256 } = await readAndHash(path);
  refuseForeign(bytes, path);
  if (sha256 !== expected.sha256 || bytes.byteLength !== expected.bytes) {
    throw unavailable(
      `${path}: expected sha256 ${expected.sha256.slice(0, 12)} (${count(expected.bytes, "byte")}) ` +
        `but received ${sha256.slice(0, 12)} (${count(bytes.byteLength, "byte")})`,
      "The file is damaged or belongs to another model. Fetch it again.",
    );
  }
  for (const [tensor, widened] of widenTensors(parseSafetensors(bytes, path).tensors, path)) {
    if (weights.has(tensor)) throw misfit(path, `tensor ${tensor} in one file only`, "it twice");
    weights.set(tensor, widened);
  }
}

/** @throws E_UNAVAILABLE unless the weights are exactly the expected ones, all values finite */
export function checkWeights(
  weights: ReadonlyMap<string, WeightTensor>,
  expected: ReadonlyMap<string, readonly number[]>,
  where: string,
): void {
  const missing = [...expected.keys()].filter((name) => !weights.has(name));
  if (missing.length > 0) throw misfit(where, count(expected.size, "tensor"), `a model without ${listed(missing)}`);
  const extra = [...weights.keys()].filter((name) => !expected.has(name));
  if (extra.length > 0)
    throw misfit(where, count(expected.size, "tensor"), `a model with ${listed(extra)} besides them`);
  for (const [name, shape] of expected) {
    const tensor = weights.get(name)!;
    if (shape.join() !== tensor.shape.join()) {
      throw misfit(`${where}: tensor ${name}`, `shape ${describeValue(shape)}`, describeValue(tensor.shape));
    }
    const at = firstNotFinite(tensor.values);
    if (at >= 0) throw misfit(`${where}: tensor ${name}`, "finite values", `${tensor.values[at]!} at position ${at}`);
  }
}

/** Names the options too: one of them may be what does not fit. */
function whereOf(folder: string, { architecture }: ModelCard | HeadsCard): string {
  const options = Object.entries(architecture).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${folder} (${options.join(", ")})`;
}

function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => name.slice(0, 80))
    .join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

function misfit(where: string, expected: string, received: string): PolyrnnError {
  return unavailable(
    `${where}: expected ${expected} but received ${received}`,
    "The weights do not belong to the architecture in model.json. Use the pair that was written together.",
  );
}

/** JSON with sorted keys: the same content gives the same text, however the file was laid out. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    isJsonObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
