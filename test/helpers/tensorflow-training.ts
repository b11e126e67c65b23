/**
 * A TensorFlow.js with every gradient: libtensorflow where it is there (@tensorflow/tfjs-node, or the package that
 * POLYRNN_TFJS_NODE points to), else plain JavaScript, which takes a minute for what the other does in two seconds.
 */
import type { Tfjs } from "../../src/engine/tfjs/ops.js";
import { loadTfjs } from "../../src/engine/tfjs/load.js";

export async function trainingTensorFlow(): Promise<{ tf: Tfjs; isNative: boolean }> {
  const loaded = loadTfjs("cpu");
  if ("tf" in loaded) return { tf: loaded.tf, isNative: true };
  const reasons = loaded.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`);
  console.log(`native training tests skipped, JavaScript takes their place: ${reasons.join("; ")}`);
  const tf = await import("@tensorflow/tfjs");
  await tf.setBackend("cpu");
  return { tf, isNative: false };
}
