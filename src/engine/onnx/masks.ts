/** Mask maps through onnxruntime: one graph from crops to every map (engine/mask-engine.ts). */
import "./environment.js";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { CROP_SIZE } from "../../geometry/grid.js";
import type { MapName, MaskEngine, MaskNetwork } from "../mask-engine.js";
import { encodeMasks } from "../mask-engine.js";
import { onnxruntimeVersion, onnxSessionOptions } from "./engine.js";
import { OnnxGraphOps } from "./graph-ops.js";
import { encodeOnnxModel } from "./proto.js";

export async function openOnnxMasks(network: MaskNetwork): Promise<MaskEngine> {
  const ops = new OnnxGraphOps("polyrnn_masks", new Map([...network.weights, ...(network.heads?.weights ?? [])]));
  const maps = encodeMasks(ops, network, ops.input("pixels", "uint8", [CROP_SIZE, CROP_SIZE, 3]));
  for (const [name, map] of maps) ops.output(map, name);
  const session = await InferenceSession.create(encodeOnnxModel(ops.build()), onnxSessionOptions({ device: "cpu" }));
  return {
    version: `onnxruntime-node ${onnxruntimeVersion()}`,
    async masks(pixels, count) {
      const outputs = await session.run({ pixels: new Tensor("uint8", pixels, [count, CROP_SIZE, CROP_SIZE, 3]) });
      return new Map<MapName, Float32Array>(maps.map(([name]) => [name, outputs[name]!.data as Float32Array]));
    },
    dispose: () => session.release(),
  };
}
