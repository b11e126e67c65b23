/**
 * Kernels stored as whole numbers: a tensor `NAME` of int8 and `NAME|scale`, one number for each output channel. A
 * value is the whole number times the scale of its channel. A quarter of F32's bytes.
 */
import { unavailable } from "../errors.js";
import type { PolyrnnError } from "../errors.js";
import type { StoredTensor, WeightTensor } from "./safetensors.js";
import { tensorValues } from "./safetensors.js";

const SCALE = "|scale";
/** Times -128 it is far from the end of float32; no layer has such weights. */
const LARGEST_SCALE = 1e30;

/**
 * Every weight of a file in float32, whole numbers multiplied with their scales.
 * @throws E_UNAVAILABLE for int8 without scales, scales without int8, scales that are not one positive number for each
 *   output channel
 */
export function widenTensors(tensors: ReadonlyMap<string, StoredTensor>, path: string): Map<string, WeightTensor> {
  const weights = new Map<string, WeightTensor>();
  for (const [name, stored] of tensors) {
    const where = `${path}: tensor ${name.slice(0, 80)}`;
    if (name.endsWith(SCALE)) {
      const kernel = tensors.get(name.slice(0, -SCALE.length));
      if (kernel?.dtype !== "I8")
        throw bad(where, "a tensor of I8 that these scales belong to", kernel?.dtype ?? "none");
      continue;
    }
    const values =
      stored.dtype === "I8"
        ? widen(stored, scalesOf(tensors.get(name + SCALE), stored, where))
        : tensorValues(stored, where);
    weights.set(name, { shape: stored.shape, values });
  }
  return weights;
}

/** @returns one scale for each output channel */
function scalesOf(stored: StoredTensor | undefined, { shape }: StoredTensor, where: string): Float32Array {
  const channels = shape[0];
  if (channels === undefined) throw bad(where, "an output channel for each scale", "a single number of I8");
  if (stored === undefined) throw bad(where, `${SCALE} beside it, as it is of I8`, "none");
  if (!["F32", "F16", "BF16"].includes(stored.dtype)) throw bad(where, "scales of F32, F16 or BF16", stored.dtype);
  if (stored.shape.join() !== `${channels}`) {
    throw bad(where, `scales of shape [${channels}]`, JSON.stringify(stored.shape));
  }
  const scales = tensorValues(stored, `${where}${SCALE}`);
  const at = scales.findIndex((scale) => !(scale > 0 && scale <= LARGEST_SCALE));
  if (at >= 0) {
    throw bad(where, `scales above 0, at most ${LARGEST_SCALE}`, `${scales[at]!} for output channel ${at}`);
  }
  return scales;
}

function widen(stored: StoredTensor, scales: Float32Array): Float32Array {
  const { buffer, byteOffset, byteLength } = stored.bytes;
  const whole = new Int8Array(buffer, byteOffset, byteLength);
  const values = new Float32Array(whole.length);
  const perChannel = whole.length / scales.length;
  for (let channel = 0, at = 0; channel < scales.length; channel++) {
    const scale = scales[channel]!;
    for (const end = at + perChannel; at < end; at++) values[at] = whole[at]! * scale;
  }
  return values;
}

function bad(where: string, expected: string, received: string): PolyrnnError {
  return unavailable(
    `${where}: expected ${expected} but received ${received}`,
    "The file is damaged or was not written for polyrnn. Fetch or write it again.",
  );
}
