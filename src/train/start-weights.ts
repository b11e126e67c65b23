/** What a run trains and where it starts: a network with its normalization, and weights from a file or at random. */
import { CELL_NAMES, KERNEL_SIZES } from "../network/cells.js";
import { basename } from "node:path";
import { count } from "../count.js";
import { invalidData, usageError } from "../errors.js";
import { findModelFolder, readCard } from "../model/folder.js";
import { initialWeight } from "../model/initial-weights.js";
import { loadModel } from "../model/model.js";
import type { WeightTensor } from "../model/safetensors.js";
import { widenTensors } from "../model/quantized.js";
import { firstNotFinite, readSafetensors } from "../model/safetensors.js";
import { DEFAULT_ARCHITECTURES, describeNetwork } from "../network/build.js";
import type { ArchitectureOptions, PolygonRnn } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import type { Recipe } from "./options.js";

export interface NetworkToTrain {
  readonly architecture: ArchitectureOptions;
  readonly network: PolygonRnn;
  readonly normalization: Normalization;
}

export interface StartWeights {
  readonly weights: ReadonlyMap<string, WeightTensor>;
  /** One sentence for people and for the card. */
  readonly description: string;
  /** sha256 of the file or files they are from; absent when all are random. */
  readonly sha256?: readonly string[];
}

type Source = StartWeights & { readonly where: string };

/** -1..1, as MobileNetV2 was trained. */
const PLAIN: Normalization = { channelOrder: "RGB", mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5] };

/** Architectures by name, where no model says otherwise. */
const DEFAULTS: Readonly<
  Record<
    ArchitectureOptions["name"],
    { readonly architecture: ArchitectureOptions; readonly normalization: Normalization }
  >
> = {
  mobile: {
    architecture: DEFAULT_ARCHITECTURES.mobile,
    normalization: PLAIN,
  },
  // ImageNet statistics of torchvision, for which `polyrnn models import vgg16` takes the weights.
  vgg16: {
    architecture: DEFAULT_ARCHITECTURES.vgg16,
    normalization: { channelOrder: "RGB", mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] },
  },
  tiny: {
    architecture: DEFAULT_ARCHITECTURES.tiny,
    normalization: PLAIN,
  },
};

/**
 * @throws E_UNAVAILABLE when there is no such model, E_USAGE for options that its architecture does not have or that do
 *   not go together
 */
export async function networkToTrain(recipe: NetworkChoice): Promise<NetworkToTrain> {
  const { model } = recipe;
  const { architecture: own, normalization } = Object.hasOwn(DEFAULTS, model)
    ? DEFAULTS[model as keyof typeof DEFAULTS]
    : await readCard(await findModelFolder(model, Object.keys(DEFAULTS)));
  const architecture = withChoices(own, recipe);
  return { architecture, normalization, network: describeNetwork(architecture) };
}

type NetworkChoice = Pick<Recipe, "model" | "cell" | "kernel" | "dilation">;

function withChoices(own: ArchitectureOptions, recipe: NetworkChoice): ArchitectureOptions {
  const { cell, kernel, dilation } = recipe;
  if (own.name === "vgg16") {
    if (cell !== undefined || kernel !== undefined || dilation !== undefined) {
      throw usageError(
        "cell, kernel and dilation: expected a network of architecture mobile or tiny but received vgg16",
        "vgg16 is the network of the paper. Train --model mobile or tiny.",
      );
    }
    return own;
  }
  const size = KERNEL_SIZES.find((known) => known === kernel);
  if (kernel !== undefined && size === undefined)
    throw usageError(`kernel: expected ${KERNEL_SIZES.join(", ")} but received ${kernel}`, "3 is the paper's.");
  if (cell !== undefined && !CELL_NAMES.includes(cell)) {
    throw usageError(
      `cell: expected one of ${CELL_NAMES.join(", ")} but received ${JSON.stringify(cell)}`,
      "convlstm is the paper's.",
    );
  }
  const chosen = {
    ...own,
    ...(cell !== undefined && { cell }),
    ...(size !== undefined && { kernel: size }),
    ...(dilation !== undefined && { dilation }),
  };
  const { cell: kind = "convlstm" } = chosen;
  if (chosen.peepholes && kind !== "convlstm") {
    throw usageError(
      `peepholes: expected a cell of convlstm but received ${kind}`,
      "Only an LSTM has the cell state that peepholes look at.",
    );
  }
  return chosen;
}

/**
 * @throws E_UNAVAILABLE or E_MISSING when the start cannot be read, E_DATA when not one of its tensors fits the network
 */
export async function startWeights(
  { network }: NetworkToTrain,
  { init, seed }: Pick<Recipe, "init" | "seed">,
): Promise<StartWeights> {
  if (init === undefined)
    return { weights: complete(network, new Map(), seed), description: `random weights from seed ${seed}` };
  const source = init.endsWith(".safetensors") ? await fromFile(init) : await fromModel(init);
  const fitting = new Map<string, WeightTensor>();
  let wider = 0;
  for (const [name, weight] of source.weights) {
    const wanted = network.weightShapes.get(name);
    const grown = wanted && inLargerKernel(weight, wanted);
    if (wanted?.join() === weight.shape.join()) fitting.set(name, weight);
    else if (grown) {
      fitting.set(name, grown);
      wider++;
    }
  }
  if (fitting.size === 0) {
    const [example] = network.weightShapes;
    throw invalidData(
      `${source.where}: expected tensors of the network, such as ${example![0]} [${example![1].join(", ")}], ` +
        `but none of its ${source.weights.size} fits by name and shape`,
      "Start from a model of the same architecture, or from its backbone's weights under these names.",
    );
  }
  const missing = network.weightShapes.size - fitting.size;
  const unused = source.weights.size - fitting.size;
  return {
    weights: complete(network, fitting, seed),
    ...(source.sha256 && { sha256: source.sha256 }),
    description:
      `${count(fitting.size, "tensor")} of ${source.description}` +
      (wider === 0 ? "" : `, ${count(wider, "kernel")} of them with zeros around`) +
      (missing === 0 ? "" : `, ${missing} random from seed ${seed}`) +
      (unused === 0 ? "" : `; ${count(unused, "tensor")} of the file without a place left out`),
  };
}

/**
 * A square kernel in the middle of a larger one, zeros around it: the network computes what it did and can learn more.
 * @returns undefined where the wanted shape is no such kernel
 */
function inLargerKernel({ shape, values }: WeightTensor, wanted: readonly number[]): WeightTensor | undefined {
  const [outputs, inputs, size, width] = shape;
  const side = wanted[2];
  if (shape.length !== 4 || wanted.length !== 4 || size === undefined || side === undefined) return undefined;
  if (size !== width || side !== wanted[3] || outputs !== wanted[0] || inputs !== wanted[1]) return undefined;
  if (side <= size || (side - size) % 2 !== 0) return undefined;
  const border = (side - size) / 2;
  const grown = new Float32Array((values.length / (size * size)) * side * side);
  values.forEach((value, at) => {
    const [kernel, row, column] = [Math.floor(at / (size * size)), Math.floor(at / size) % size, at % size];
    grown[(kernel * side + border + row) * side + border + column] = value;
  });
  return { shape: wanted, values: grown };
}

async function fromFile(path: string): Promise<Source> {
  const { tensors, sha256 } = await readSafetensors(path);
  const weights = new Map<string, WeightTensor>();
  for (const [name, { shape, values }] of widenTensors(tensors, path)) {
    const at = firstNotFinite(values);
    if (at >= 0)
      throw invalidData(
        `${path}: tensor ${name}: expected finite values but received ${values[at]!} at position ${at}`,
        "Start from sound weights.",
      );
    weights.set(name, { shape, values });
  }
  return { weights, where: path, description: `${basename(path)} (sha256 ${sha256.slice(0, 12)})`, sha256: [sha256] };
}

async function fromModel(nameOrPath: string): Promise<Source> {
  const { weights, card, folder } = await loadModel(nameOrPath);
  const sha256 = Object.values(card.files).map((file) => file.sha256);
  return {
    weights,
    where: folder,
    description: `model ${card.name} ${card.version} (sha256 ${sha256.map((hash) => hash.slice(0, 12)).join(", ")})`,
    sha256,
  };
}

function complete(
  network: PolygonRnn,
  given: ReadonlyMap<string, WeightTensor>,
  seed: number,
): Map<string, WeightTensor> {
  return new Map(
    [...network.weightShapes].map(([name, shape]) => [name, given.get(name) ?? initialWeight(name, shape, seed)]),
  );
}
