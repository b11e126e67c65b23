/**
 * Which weights belong to a network's trunk: the layers that usually start from another training (ImageNet) and learn more slowly, or
 * not at all, than what is put on top of them.
 */
import { usageError } from "../errors.js";

/** Layers of the encoder but not those that bring its taps to the grid; `first` is the second trunk of the 2017 network. */
const TRUNK = /^(?:encoder|first)\.(?!skip\.|fuse\.|edge\.|vertex\.)/;

export function isTrunkWeight(name: string): boolean {
  return TRUNK.test(name);
}

/**
 * Weights of the trunk from its start up to and including a layer; of both trunks where there are two.
 * @param names weights in the order in which the network uses them, as in `PolygonRnn.weightShapes`
 * @param layer its name within the trunk: "block_2", "conv2_2"
 * @throws E_USAGE when there is no such layer
 */
export function frozenPrefix(names: Iterable<string>, layer: string): ReadonlySet<string> {
  const frozen = new Set<string>();
  const open = new Map<string, string[]>(); // trunk -> weights since the last one of the layer
  const layers = new Set<string>();
  for (const name of names) {
    if (!isTrunkWeight(name)) continue;
    const [trunk, first] = name.split(".") as [string, string];
    layers.add(first);
    const before = open.get(trunk) ?? [];
    open.set(trunk, before);
    before.push(name);
    if (first === layer) for (const passed of before.splice(0)) frozen.add(passed);
  }
  if (frozen.size === 0) {
    throw usageError(
      `freeze: expected a layer of the trunk but received ${JSON.stringify(layer.slice(0, 80))}`,
      `Layers are ${[...layers].join(", ")}.`,
    );
  }
  return frozen;
}
