/**
 * Mask maps of crops, without polygons: those of a network's own encoder, and those of heads of other systems on its
 * features. Serves comparisons; prediction asks engine/engine.ts.
 */
import type { MaskHeads, WeightedNetwork } from "../model/model.js";
import { deepMask, dilationContext } from "../network/mask-heads.js";
import type { TensorOps } from "../network/tensor-ops.js";
import { openFirst } from "./devices.js";

/** coarse and fine are the network's own, 28 x 28 and 112 x 112; deepmask has 56 x 56 cells, dilation 28 x 28. */
export type MapName = "coarse" | "fine" | "deepmask" | "dilation";

/** A network and, where they are asked for, heads on its features. */
export interface MaskNetwork extends WeightedNetwork {
  readonly heads?: MaskHeads;
}

export interface MaskEngine {
  /** Library and version, as of an Engine. */
  readonly version: string;
  /**
   * @param pixels [count, 224, 224, 3] uint8 RGB
   * @returns logits by name, [count, cells], each map row-major
   */
  masks(pixels: Uint8Array, count: number): Promise<ReadonlyMap<MapName, Float32Array>>;
  dispose(): Promise<void>;
}

/** Every map there is: [B, 1, side, side], or [B, side * side] of deepmask. */
export function encodeMasks<T>(
  ops: TensorOps<T>,
  { network, normalization, heads }: MaskNetwork,
  pixels: T,
): (readonly [name: MapName, map: T])[] {
  const { mask, fineMask, features } = network.encode(ops, pixels, normalization);
  const maps: (readonly [MapName, T])[] = [];
  if (mask !== undefined) maps.push(["coarse", mask]);
  if (fineMask !== undefined) maps.push(["fine", fineMask]);
  if (heads !== undefined)
    maps.push(["deepmask", deepMask(ops, features)], ["dilation", dilationContext(ops, features)]);
  return maps;
}

/**
 * On the CPU, where the same crops give the same masks every time.
 * @throws E_UNAVAILABLE when no engine works
 */
export async function openMaskEngine(network: MaskNetwork): Promise<MaskEngine> {
  const { taken } = await openFirst<MaskEngine>({ device: "cpu" }, async ({ engine }) => {
    if (engine === "onnxruntime") return (await import("./onnx/masks.js")).openOnnxMasks(network);
    const [{ loadFoundTfjs }, { openTfjsMasks }] = await Promise.all([
      import("./tfjs/load.js"),
      import("./tfjs/masks.js"),
    ]);
    const { tf, version } = loadFoundTfjs("cpu");
    return openTfjsMasks(tf, network, version);
  });
  return taken;
}
