/**
 * Imported before TensorFlow.js: tfjs-node 4.22 calls util.isNullOrUndefined, which Node 23 removed
 * (tensorflow/tfjs#8609). Defined only where it is missing.
 */
import util from "node:util";

if (!("isNullOrUndefined" in util)) {
  Object.defineProperty(util, "isNullOrUndefined", {
    value: (value: unknown): boolean => value === null || value === undefined,
    configurable: true,
  });
}
