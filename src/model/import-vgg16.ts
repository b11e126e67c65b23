/**
 * Makes a `vgg16` model from ImageNet weights that the user has: both backbones start from them, the rest from seeded
 * random values. The result is a model to be trained, and its card says so.
 *
 * Names understood, in a safetensors file:
 * - torchvision `vgg16`: features.<i>.weight [out, in, 3, 3] (OIHW), features.<i>.bias; input RGB, (value / 255 - mean)
 *   / std.
 * - Keras `VGG16`: block<b>_conv<k>/kernel [3, 3, in, out] (HWIO), block<b>_conv<k>/bias, also with dots for slashes
 *   and with ":0" at the end; input BGR with the ImageNet means removed.
 */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { cannotWrite, EXIT, invalidData, PolyrnnError, reasonOf } from "../errors.js";
import { PARTIAL_SUFFIX, writeAtomic } from "../files/atomic-file.js";
import { LOCK_FILES } from "../files/run-layout.js";
import { DEFAULT_ARCHITECTURES, describeNetwork } from "../network/build.js";
import type { Normalization } from "../network/tensor-ops.js";
import { VGG16_BLOCKS } from "../network/vgg16.js";
import type { ModelCard } from "./card.js";
import { CARD_VERSION } from "./card.js";
import { CARD_FILE } from "./folder.js";
import { initialWeight } from "./initial-weights.js";
import type { SafetensorsFile, WeightTensor } from "./safetensors.js";
import { readSafetensors, serializeSafetensors, tensorValues } from "./safetensors.js";

/**
 * Indices of the convolutions in torchvision's `features`, in order; pooling and ReLU layers take the numbers between.
 */
const TORCHVISION_INDICES = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28] as const;
/** Convolutions of VGG-16 as this program names them, in order: "conv1_1" .. "conv5_3". */
const CONVOLUTIONS = VGG16_BLOCKS.flatMap(({ convolutions }, block) =>
  Array.from({ length: convolutions }, (_, layer) => `conv${block + 1}_${layer + 1}`),
);
const BACKBONES = ["encoder", "first"] as const;
const WEIGHTS_FILE = "model.safetensors";

const NORMALIZATIONS: Readonly<Record<"torchvision" | "Keras", Normalization>> = {
  // ImageNet means and deviations of torchvision are of values 0..1.
  torchvision: {
    channelOrder: "RGB",
    mean: [0.485 * 255, 0.456 * 255, 0.406 * 255],
    std: [0.229 * 255, 0.224 * 255, 0.225 * 255],
  },
  Keras: { channelOrder: "BGR", mean: [103.939, 116.779, 123.68], std: [1, 1, 1] },
};

export interface ImportVgg16Options {
  /** Name on the card, [a-z0-9._-]. */
  readonly name: string;
  readonly peepholes: boolean;
  /** Seed of the weights ImageNet does not have. */
  readonly seed: number;
}

export interface ImportedModel {
  readonly card: ModelCard;
  readonly naming: "torchvision" | "Keras";
  /** Content of the weights file. */
  readonly weights: Uint8Array;
}

/**
 * @param file safetensors file with torchvision or Keras names
 * @throws E_DATA naming the first weight that is missing or has another shape
 */
export async function importVgg16(file: string, options: ImportVgg16Options): Promise<ImportedModel> {
  const source = await readSafetensors(file);
  const { naming, convolutions } = readConvolutions(source, file);
  const architecture = { ...DEFAULT_ARCHITECTURES.vgg16, peepholes: options.peepholes };
  const weights = new Map<string, WeightTensor>();
  for (const [name, shape] of describeNetwork(architecture).weightShapes) {
    weights.set(name, imported(name, shape, convolutions, file) ?? initialWeight(name, shape, options.seed));
  }
  const bytes = serializeSafetensors(weights, { dtype: "F32" });
  const card: ModelCard = {
    formatVersion: CARD_VERSION,
    name: options.name,
    version: "0.0.0",
    description: "Polygon-RNN of the paper with VGG-16 trunks from ImageNet; not trained to draw polygons yet.",
    architecture,
    grid: 28,
    cropSize: 224,
    context: 0.15,
    normalization: NORMALIZATIONS[naming],
    trainingData: "ImageNet for the convolutions of both trunks; none for the rest.",
    recipe:
      `Imported from ${basename(file)} (${naming} names, sha256 ${source.sha256.slice(0, 12)}); ` +
      `other weights random, seed ${options.seed}.`,
    scores: [],
    license: "Terms of the imported ImageNet weights apply.",
    files: { [WEIGHTS_FILE]: { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.byteLength } },
  };
  return { card, naming, weights: bytes };
}

type Convolutions = ReadonlyMap<string, WeightTensor>;

/** @returns "conv1_1.weight" (OIHW), "conv1_1.bias", ... by this program's names, whatever the file called them */
function readConvolutions(
  source: SafetensorsFile,
  file: string,
): { naming: "torchvision" | "Keras"; convolutions: Convolutions } {
  const torchvision = new Map<string, WeightTensor>();
  const keras = new Map<string, WeightTensor>();
  for (const [name, stored] of source.tensors) {
    const tensor = (): WeightTensor => ({ shape: stored.shape, values: tensorValues(stored, `${file}: ${name}`) });
    const ours = /^(?:module\.)?features\.(\d+)\.(weight|bias)$/.exec(name);
    const index = ours === null ? -1 : TORCHVISION_INDICES.findIndex((at) => at === Number(ours[1]));
    if (index >= 0) torchvision.set(`${CONVOLUTIONS[index]!}.${ours![2]!}`, tensor());
    const theirs = /(?:^|[/.])block(\d)_conv(\d)[/.](kernel|bias)(?::0)?$/.exec(name);
    if (theirs !== null) {
      const isKernel = theirs[3] === "kernel";
      keras.set(
        `conv${theirs[1]!}_${theirs[2]!}.${isKernel ? "weight" : "bias"}`,
        isKernel ? toOihw(tensor(), `${file}: ${name}`) : tensor(),
      );
    }
  }
  if (torchvision.size === 0 && keras.size === 0) {
    const names = [...source.tensors.keys()].slice(0, 3).join(", ");
    throw invalidData(
      `${file}: expected VGG-16 weights named features.0.weight (torchvision) or block1_conv1/kernel (Keras), ` +
        `received ${names || "no tensor"}`,
      "Save the ImageNet weights of torchvision's vgg16 or Keras' VGG16 as safetensors.",
    );
  }
  return torchvision.size > 0
    ? { naming: "torchvision", convolutions: torchvision }
    : { naming: "Keras", convolutions: keras };
}

/** [height, width, in, out] -> [out, in, height, width] */
function toOihw({ shape, values }: WeightTensor, where: string): WeightTensor {
  if (shape.length !== 4)
    throw invalidData(
      `${where}: expected a kernel of four dimensions, received [${shape.join(", ")}]`,
      "Save Keras' VGG16 as it is.",
    );
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const permuted = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const o = at % outputs;
    const i = Math.floor(at / outputs) % inputs;
    const pixel = Math.floor(at / (outputs * inputs)); // y * width + x
    permuted[(o * inputs + i) * height * width + pixel] = values[at]!;
  }
  return { shape: [outputs, inputs, height, width], values: permuted };
}

/** The imported weight for a name of ours, or undefined where ImageNet has none. */
function imported(
  name: string,
  shape: readonly number[],
  convolutions: Convolutions,
  file: string,
): WeightTensor | undefined {
  const backbone = BACKBONES.find((prefix) => name.startsWith(`${prefix}.conv`));
  if (backbone === undefined) return undefined;
  const wanted = name.slice(backbone.length + 1);
  const found = convolutions.get(wanted);
  if (found === undefined || found.shape.join() !== shape.join()) {
    throw invalidData(
      `${file}: ${wanted} of VGG-16: expected shape [${shape.join(", ")}], ` +
        `received ${found === undefined ? "nothing" : `[${found.shape.join(", ")}]`}`,
      "The file must hold all 13 convolutions of VGG-16 (configuration D) with their biases.",
    );
  }
  return found;
}

/** What a killed import leaves: the card comes last, and makes a model of the folder. */
const OWN_LEFTOVERS = [WEIGHTS_FILE + PARTIAL_SUFFIX, CARD_FILE + PARTIAL_SUFFIX, ...LOCK_FILES];

/** @param out an existing folder, empty but for what a killed import left @throws E_OUT_NOT_EMPTY; E_WRITE */
export async function writeModelFolder(
  out: string,
  { card, weights }: Pick<ImportedModel, "card" | "weights">,
): Promise<void> {
  try {
    const names = (await readdir(out)).filter((name) => !OWN_LEFTOVERS.includes(name));
    if (names.length > 0) {
      throw new PolyrnnError(
        `--out ${out}: expected an empty folder, received one with ${names[0]!}`,
        "E_OUT_NOT_EMPTY",
        EXIT.cannotWrite,
        "Name another folder with --out.",
      );
    }
    await writeAtomic(join(out, WEIGHTS_FILE), weights);
    await writeAtomic(join(out, CARD_FILE), `${JSON.stringify(card, null, 2)}\n`);
  } catch (error) {
    if (error instanceof PolyrnnError) throw error;
    throw cannotWrite(
      `--out ${out}: cannot write the model: ${reasonOf(error)}`,
      "Name a folder that can be written.",
      error,
    );
  }
}
