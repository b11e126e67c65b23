/**
 * Training of `mobile` on the CPU: instances per second and where a step's time goes, with and without its first blocks
 * frozen. Rings of 14 vertices, about the mean of the photographs the model is trained on. Needs TensorFlow.js with its
 * native library.
 */
import process from "node:process";
import { frozenPrefix } from "../dist/network/weights.js";
import { createRandom } from "../dist/random.js";
import { loadModel } from "../dist/model/model.js";
import { openTrainingDevice } from "../dist/engine/open-trainer.js";
import { interleaved, median, ratio, ratioRow, seconds, timed } from "./harness.mjs";

const RING = 14;
const PARTS = ["upload", "encoder", "decoder", "backward", "update"];
const OPTIONS = {
  weights: { steps: 1, edge: 1, vertex: 1, mask: 1 },
  smoothing: 0.5,
  weightDecay: 1e-4,
  clipNorm: 5,
  ema: 0.999,
};

export async function* measure({ quick }) {
  const model = await loadModel("mobile");
  let device;
  try {
    device = await openTrainingDevice("cpu");
  } catch (error) {
    process.stdout.write(`train: skipped: ${error.message}\n\n`);
    return;
  }
  const trainers = new Map();
  const variants = {};
  for (const [size, freeze] of [
    [8, "block_2"],
    [16, "block_2"],
    [8, undefined],
  ]) {
    const frozen = freeze === undefined ? new Set() : frozenPrefix(model.network.weightShapes.keys(), freeze);
    const name = `batch ${size}, ${freeze === undefined ? "nothing frozen" : `frozen to ${freeze}`}`;
    const trainer = device.openTrainer(model, { ...OPTIONS, frozen });
    trainers.set(name, trainer);
    const batch = randomBatch(size);
    variants[name] = async () => ({
      size,
      ...(await timed(() => trainer.step(batch, { head: 1e-4, backbone: 1e-4 }))),
    });
  }
  const results = await interleaved(quick ? 2 : 12, variants);
  for (const trainer of trainers.values()) trainer.dispose();
  const rows = Object.entries(results).map(([name, steps]) => {
    const middle = (of) => median(steps.map(of));
    return [
      name,
      middle(({ size, seconds: wall }) => size / wall).toFixed(1),
      seconds(middle((step) => step.seconds)),
      seconds(middle((step) => step.cpuSeconds)),
      ...PARTS.map((part) => seconds(middle((step) => step.value.seconds[part]))),
    ];
  });
  const perInstance = (name) => results[name].map((step) => step.cpuSeconds / step.size);
  const [small, large, free] = Object.keys(results);
  yield {
    name: "train",
    title: `Training of mobile, rings of ${RING} vertices (${device.version})`,
    columns: ["", "Instances/s", "Step s", "Processor s", ...PARTS.map((part) => `${part} s`)],
    rows,
    ratios: [
      ratioRow("processor time per instance, batch 16 to batch 8", ratio(perInstance(large), perInstance(small))),
      ratioRow("processor time per instance, frozen to nothing frozen", ratio(perInstance(small), perInstance(free))),
    ],
    notes: [
      "Medians of steps; processor time counts all threads and suffers less from whatever else the machine does.",
    ],
  };
}

function randomBatch(size) {
  const random = createRandom("train bench");
  const bytes = (count, below) => new Uint8Array(count).map(() => random.integer(below));
  const cells = new Int32Array(size * (RING + 1)).map((_, at) =>
    at % (RING + 1) === RING ? 784 : random.integer(784),
  );
  return {
    size,
    steps: RING,
    crops: bytes(size * 224 * 224 * 3, 256),
    cells,
    edge: bytes(size * 784, 2),
    mask: bytes(size * 784, 2),
  };
}
