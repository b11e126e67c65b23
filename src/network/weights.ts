/**
 * The weights of a network: all of them, so that a file can be checked before anything runs, and those of the backbone.
 * A backbone's layers usually start from another training (ImageNet) and learn more slowly, or not at all, than what is
 * put on top of them.
 */
import { usageError } from "../errors.js";
import { GRID_SIZE } from "../geometry/grid.js";
import type { StateWidths } from "./polygon-rnn.js";

/** Collects names and shapes in the file's layout. */
export class WeightList {
  readonly shapes = new Map<string, readonly number[]>();

  /** A convolution kernel [outputs, inputs, size, size] and its bias. */
  conv(name: string, outputs: number, inputs: number, size: number): this {
    this.convWithoutBias(name, outputs, inputs, size);
    this.shapes.set(`${name}.bias`, [outputs]);
    return this;
  }

  /** A convolution kernel [outputs, inputs, size, size] alone. */
  convWithoutBias(name: string, outputs: number, inputs: number, size: number): this {
    this.shapes.set(`${name}.weight`, [outputs, inputs, size, size]);
    return this;
  }

  /** A dense layer [outputs, inputs] and its bias. */
  dense(name: string, outputs: number, inputs: number): this {
    this.shapes.set(`${name}.weight`, [outputs, inputs]);
    this.shapes.set(`${name}.bias`, [outputs]);
    return this;
  }

  /** Peephole maps of both decoder layers, [C, 28, 28] each. @param wanted false: none */
  peepholes(widths: StateWidths, wanted: boolean): this {
    if (!wanted) return this;
    widths.forEach((channels, layer) => {
      for (const gate of ["input", "forget", "output"]) {
        this.shapes.set(`decoder.peephole_${layer + 1}.${gate}.weight`, [channels, GRID_SIZE, GRID_SIZE]);
      }
    });
    return this;
  }
}

/**
 * Layers of the encoder, without those that bring its taps to the grid; `first` is the second backbone of the 2017
 * network.
 */
const BACKBONE = /^(?:encoder|first)\.(?!skip\.|fuse\.|edge\.|vertex\.)/;

export function isBackboneWeight(name: string): boolean {
  return BACKBONE.test(name);
}

/** Stands for everything that looks at the image: backbones, fusion and maps. */
const WHOLE_ENCODER = "encoder";

/**
 * Weights of a backbone from its start up to and including a layer; of both backbones where there are two.
 * @param names weights in the order in which the network uses them, as in `PolygonRnn.weightShapes`
 * @param layer its name within the backbone: "block_2", "conv2_2"; "encoder": everything but the decoder
 * @throws E_USAGE when there is no such layer
 */
export function frozenPrefix(names: Iterable<string>, layer: string): ReadonlySet<string> {
  if (layer === WHOLE_ENCODER) return new Set([...names].filter((name) => !name.startsWith("decoder.")));
  const frozen = new Set<string>();
  const pending = new Map<string, string[]>(); // backbone -> weights since the last one of the layer
  const layers = new Set<string>();
  for (const name of names) {
    if (!isBackboneWeight(name)) continue;
    const [backbone, own] = name.split(".") as [string, string];
    layers.add(own);
    const before = pending.get(backbone) ?? [];
    pending.set(backbone, before);
    before.push(name);
    if (own === layer) for (const passed of before.splice(0)) frozen.add(passed);
  }
  if (frozen.size === 0) {
    throw usageError(
      `freeze: expected a layer of the backbone but received ${JSON.stringify(layer.slice(0, 80))}`,
      `Layers are ${[...layers].join(", ")}; encoder is everything but the decoder.`,
    );
  }
  return frozen;
}
