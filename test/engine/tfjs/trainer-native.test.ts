/**
 * Training over libtensorflow, with the backbone of `mobile`. Needs @tensorflow/tfjs-node (or the package
 * POLYRNN_TFJS_NODE points to) with its native library; skipped with the reason where there is none.
 */
import { describe } from "vitest";
import { loadTfjs } from "../../../src/engine/tfjs/load.js";
import { describeTraining } from "../training-cases.js";

const loaded = loadTfjs("cpu");
if (!("tf" in loaded)) {
  console.log(
    `native training tests skipped: ${loaded.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );
}

describe.skipIf(!("tf" in loaded))("native TensorFlow.js", () => {
  const { tf } = loaded as Extract<typeof loaded, { tf: unknown }>;
  describeTraining(tf, "mobile", "short");
  describeTraining(tf, "tiny", "all");
});
