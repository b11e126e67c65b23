/**
 * TensorFlow.js on its WebAssembly kernels: the same library and graph as plain JavaScript, some thirty times faster on
 * convolutions. For tests of inference; it has no gradients of convolutions.
 */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";

/** @throws where the kernels do not load: a test would quietly run on another backend */
export async function wasmTensorFlow(): Promise<typeof tf> {
  if (!(await tf.setBackend("wasm"))) throw new Error("the WebAssembly kernels of TensorFlow.js did not load");
  await tf.ready();
  return tf;
}
