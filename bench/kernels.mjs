/**
 * What a step of the decoder costs by the kernels that see its state, with random weights and one thread: larger ones,
 * in one layer alone, apart into depthwise and pointwise, and wider layers for comparison. The table in
 * docs/ablations.md comes from here.
 *
 *     npm run bench -- kernels
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { onnxSessionOptions } from "../dist/engine/onnx/engine.js";
import { OnnxGraphOps } from "../dist/engine/onnx/graph-ops.js";
import { encodeOnnxModel } from "../dist/engine/onnx/proto.js";
import { describeNetwork } from "../dist/network/build.js";
import { createRandom } from "../dist/random.js";
import { interleaved, median, ratio, ratioRow, timed } from "./harness.mjs";

const MOBILE = { name: "mobile", widths: [24, 16], features: 128, skip: 64, rank: 128, peepholes: false };
const BATCH = 16;

/** Sides of the kernels of both layers; `depthwise`: a 5 x 5 kernel per channel before them. */
const VARIANTS = {
  "3 x 3": { sides: [3, 3] },
  "5 x 5": { sides: [5, 5] },
  "7 x 7": { sides: [7, 7] },
  "5 x 5 in layer one": { sides: [5, 3] },
  "5 x 5 in layer two": { sides: [3, 5] },
  "depthwise 5 x 5, then 3 x 3": { sides: [3, 3], depthwise: true },
  "depthwise 5 x 5, then 1 x 1": { sides: [1, 1], depthwise: true },
  "the same, 48 and 32 channels": { sides: [1, 1], depthwise: true, widths: [48, 32] },
  "3 x 3, 32 and 24 channels": { sides: [3, 3], widths: [32, 24] },
};
const [BASE] = Object.keys(VARIANTS);

export async function* measure({ quick }) {
  const steps = {};
  for (const [name, variant] of Object.entries(VARIANTS)) {
    const step = await openStep(variant);
    steps[name] = () => timed(step);
  }
  const took = await interleaved(quick ? 1 : 15, steps);
  const cpu = (name) => took[name].map((run) => run.cpuSeconds);
  yield {
    name: "kernels",
    title: `A step of the decoder by its kernels, batch ${BATCH}, one thread`,
    columns: ["Kernels", "Processor time per instance, ms"],
    rows: Object.keys(VARIANTS).map((name) => [name, ((1000 * median(cpu(name))) / BATCH).toFixed(2)]),
    ratios: Object.keys(VARIANTS)
      .filter((name) => name !== BASE)
      .map((name) => ratioRow(`processor time, ${name} / ${BASE}`, ratio(cpu(name), cpu(BASE)))),
  };
}

/** Puts a depthwise kernel before those of the state where the weights have one. */
class ApartOps extends OnnxGraphOps {
  conv2d(x, name, options) {
    const depthwise = `${name}.depthwise`;
    const seen = this.weights.has(`${depthwise}.weight`) ? super.conv2d(x, depthwise, { depthwise: true }) : x;
    return super.conv2d(seen, name, options);
  }
}

async function openStep({ sides, depthwise = false, widths = MOBILE.widths }) {
  const network = describeNetwork({ ...MOBILE, widths });
  const random = createRandom("kernels");
  const numbers = (count) => new Float32Array(count).map(() => 0.05 * random.normal());
  const weights = new Map();
  const put = (name, shape) => weights.set(name, { shape, values: numbers(shape.reduce((a, b) => a * b)) });
  for (const [name, shape] of network.weightShapes) {
    if (!name.startsWith("decoder.")) continue;
    const layer = ["decoder.gates_1.weight", "decoder.gates_2.weight"].indexOf(name);
    put(name, layer < 0 ? shape : [shape[0], shape[1], sides[layer], sides[layer]]);
    if (layer >= 0 && depthwise) put(name.replace(".weight", ".depthwise.weight"), [shape[1], 1, 5, 5]);
  }
  const ops = new ApartOps("step", weights);
  const plane = (name, channels) => ops.input(name, "float", [channels, 28, 28]);
  const state = widths.map((channels, layer) => ({
    h: plane(`h${layer + 1}`, channels),
    c: plane(`c${layer + 1}`, channels),
  }));
  const vertex = (name) => ops.input(name, "int32", []);
  const vertices = { first: vertex("first"), previous: vertex("previous"), beforePrevious: vertex("before_previous") };
  const next = network.step(ops, plane("hoisted", 4 * widths[0]), vertices, state);
  ops.output(next.logits, "logits");
  next.state.forEach(({ h, c }, layer) => {
    ops.output(h, `next_h${layer + 1}`);
    ops.output(c, `next_c${layer + 1}`);
  });
  const session = await InferenceSession.create(
    encodeOnnxModel(ops.build()),
    onnxSessionOptions({ device: "cpu", threads: 1 }),
  );
  const tensor = (channels) => new Tensor("float32", numbers(BATCH * channels * 784), [BATCH, channels, 28, 28]);
  const cells = (from) =>
    new Tensor(
      "int32",
      Int32Array.from({ length: BATCH }, (_, row) => (from + 37 * row) % 784),
      [BATCH],
    );
  const feeds = {
    hoisted: tensor(4 * widths[0]),
    ...{ h1: tensor(widths[0]), c1: tensor(widths[0]), h2: tensor(widths[1]), c2: tensor(widths[1]) },
    ...{ first: cells(10), previous: cells(200), before_previous: cells(400) },
  };
  return () => session.run(feeds);
}
