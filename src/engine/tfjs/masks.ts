/** Mask maps through TensorFlow.js (engine/mask-engine.ts). */
import type * as tfjs from "@tensorflow/tfjs";
import { CROP_SIZE } from "../../geometry/grid.js";
import type { MapName, MaskEngine, MaskNetwork } from "../mask-engine.js";
import { encodeMasks } from "../mask-engine.js";
import { headRoles, toTfjsLayout, weightRoles } from "./layout.js";
import type { Tfjs } from "./ops.js";
import { TfjsOps } from "./ops.js";

/** @param version for people: "@tensorflow/tfjs-node 4.22.0" */
export function openTfjsMasks(tf: Tfjs, network: MaskNetwork, version: string): MaskEngine {
  const roles = new Map([
    ...weightRoles(network.network),
    ...(network.heads === undefined ? [] : headRoles(network.heads.options)),
  ]);
  const weights = new Map([...network.weights, ...(network.heads?.weights ?? [])]);
  const tensors = new Map<string, tfjs.Tensor>();
  for (const [name, role] of roles) {
    const { shape, values } = toTfjsLayout(weights.get(name)!, role);
    tensors.set(name, tf.tensor(values, [...shape]));
  }
  const ops = new TfjsOps(tf, (name) => tensors.get(name), false);
  return {
    version,
    async masks(pixels, count) {
      const maps = tf.tidy(() => {
        const crops = tf.tensor4d(pixels, [count, CROP_SIZE, CROP_SIZE, 3], "int32");
        return encodeMasks(ops, network, crops).map(([name, map]): [MapName, tfjs.Tensor] => [name, map]);
      });
      // One channel each, so that the order of the values is the map's.
      const read = maps.map(async ([name, tensor]): Promise<[MapName, Float32Array]> => {
        try {
          return [name, await tensor.data<"float32">()];
        } finally {
          tensor.dispose();
        }
      });
      return new Map(await Promise.all(read));
    },
    dispose() {
      tf.dispose([...tensors.values()]);
      ops.dispose();
      return Promise.resolve();
    },
  };
}
