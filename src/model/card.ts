/**
 * The card of a model, `model.json`: what it computes, where it came from, how good it is, and which bytes belong to
 * it. Unknown fields are allowed, so that adding one is not a new version. An unknown option of the architecture is
 * refused: it would mean another network.
 */
import { CELL_NAMES, KERNEL_SIZES } from "../network/cells.js";
import type { MaskHeadsOptions } from "../network/mask-heads.js";
import type { ArchitectureOptions } from "../network/polygon-rnn.js";
import type { Normalization } from "../network/tensor-ops.js";
import { compileSchema, lazily } from "../validate.js";

/** The version this program reads and writes. */
export const CARD_VERSION = 1;

/** The card of a network that predicts polygons. */
export type ModelCard = CardOf<ArchitectureOptions>;
/** The card of heads that give masks on another model's features (network/mask-heads.ts). */
export type HeadsCard = CardOf<MaskHeadsOptions>;

interface CardOf<A> {
  readonly formatVersion: typeof CARD_VERSION;
  readonly name: string;
  /** Semantic version of the weights. */
  readonly version: string;
  readonly description: string;
  readonly architecture: A;
  /** Cells along one side. */
  readonly grid: 28;
  /** Pixels along one side of a crop. */
  readonly cropSize: 224;
  /** Margin around the box, as a part of its long side: 0.15 for 15 %; default of `--context`. */
  readonly context: number;
  readonly normalization: Normalization;
  readonly trainingData: string;
  readonly recipe: string;
  readonly scores: readonly CardScore[];
  readonly license: string;
  /** By file name, in the card's folder. */
  readonly files: Readonly<Record<string, CardFile>>;
}

export interface CardScore {
  readonly dataset: string;
  readonly split: string;
  /** Part of the data set, or "all". */
  readonly source: string;
  /** Mean over instances, 0..1. */
  readonly meanIoU: number;
  /** Mean IoU of the box itself with the ground truth, 0..1: what doing nothing gives. */
  readonly boxIoU?: number;
  readonly instances: number;
  /** The command that measured it, or a sentence that says who reported it. */
  readonly command: string;
}

export interface CardFile {
  /** Hex. */
  readonly sha256: string;
  readonly bytes: number;
}

const text = { type: "string", minLength: 1, maxLength: 10_000 };
const ratio = { type: "number", minimum: 0, maximum: 1 };
const channels = { type: "integer", minimum: 1, maximum: 4096 };
const three = (items: object): object => ({ type: "array", items, minItems: 3, maxItems: 3 });

/** Options of the architectures; the bounds keep a hostile card from asking for a network of any size. */
const OPTIONS = {
  mobile: { features: channels, skip: channels, rank: channels },
  vgg16: {},
  tiny: { features: channels, rank: channels },
} satisfies Record<ArchitectureOptions["name"], object>;

const CELL_OPTIONS = {
  cell: { enum: CELL_NAMES },
  kernel: { enum: KERNEL_SIZES },
  dilation: { type: "integer", minimum: 1, maximum: 4 },
};
/** Options that a card may leave out, as cards before they existed do. */
const LATER_OPTIONS = {
  mobile: { refine: { type: "boolean" }, ...CELL_OPTIONS },
  vgg16: {},
  tiny: { refine: { type: "boolean" }, ...CELL_OPTIONS },
} satisfies Record<ArchitectureOptions["name"], object>;

const architectures = Object.entries(OPTIONS).map(([name, options]) => {
  const properties = {
    name: { const: name },
    widths: { type: "array", items: channels, minItems: 2, maxItems: 2 },
    ...options,
    peepholes: { type: "boolean" },
  };
  return {
    properties: { ...properties, ...LATER_OPTIONS[name as ArchitectureOptions["name"]] },
    required: Object.keys(properties),
    additionalProperties: false,
  };
});

const headProperties = {
  name: { const: "mask-heads" },
  ...{ features: channels, reduced: channels, rank: channels, context: channels },
  model: { type: "string", minLength: 1, maxLength: 64 },
  modelHash: { type: "string", pattern: "^[0-9a-f]{64}$" },
};
const heads = { properties: headProperties, required: Object.keys(headProperties), additionalProperties: false };

const SCHEMA = {
  type: "object",
  required: [
    "formatVersion",
    "name",
    "version",
    "description",
    "architecture",
    "grid",
    "cropSize",
    "context",
    "normalization",
    "trainingData",
    "recipe",
    "scores",
    "license",
    "files",
  ],
  properties: {
    formatVersion: { const: CARD_VERSION },
    name: { type: "string", pattern: "^[a-z0-9][a-z0-9._-]{0,63}$" },
    version: { type: "string", pattern: "^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?$" },
    description: text,
    architecture: {
      type: "object",
      discriminator: { propertyName: "name" },
      required: ["name"],
      oneOf: [...architectures, heads],
    },
    grid: { const: 28 },
    cropSize: { const: 224 },
    context: ratio,
    normalization: {
      type: "object",
      required: ["channelOrder", "mean", "std"],
      properties: {
        channelOrder: { enum: ["RGB", "BGR"] },
        mean: three({ type: "number", minimum: -1000, maximum: 1000 }),
        std: three({ type: "number", minimum: 1e-3, maximum: 1000 }),
      },
    },
    trainingData: text,
    recipe: text,
    scores: {
      type: "array",
      items: {
        type: "object",
        required: ["dataset", "split", "source", "meanIoU", "instances", "command"],
        properties: {
          dataset: text,
          split: text,
          source: text,
          meanIoU: ratio,
          boxIoU: ratio,
          instances: { type: "integer", minimum: 1 },
          command: text,
        },
      },
    },
    license: text,
    files: {
      type: "object",
      minProperties: 1,
      // A plain name: a card must not reach out of its folder.
      propertyNames: { pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\\.safetensors$" },
      additionalProperties: {
        type: "object",
        required: ["sha256", "bytes"],
        properties: { sha256: { type: "string", pattern: "^[0-9a-f]{64}$" }, bytes: { type: "integer", minimum: 1 } },
      },
    },
  },
};

/** Checks all but the files. @returns undefined for a valid card, else what is wrong with it */
export const checkModelCard = lazily(() => compileSchema(SCHEMA));
