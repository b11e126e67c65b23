/**
 * What the decoder's arrangements are worth, each against doing without: larger batches, letting finished instances go,
 * and hoisting the image's part of layer one's gates out of the steps.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describeNetwork } from "../dist/network/build.js";
import { decodeGreedy } from "../dist/predict/decode.js";
import { MAX_STEPS } from "../dist/predict/options.js";
import { createRandom } from "../dist/random.js";
import { openEngine } from "../dist/engine/devices.js";
import { loadModel } from "../dist/model/model.js";
import { onnxSessionOptions } from "../dist/engine/onnx/engine.js";
import { buildStepModel } from "../dist/engine/onnx/models.js";
import { OnnxGraphOps } from "../dist/engine/onnx/graph-ops.js";
import { encodeOnnxModel } from "../dist/engine/onnx/proto.js";
import { interleaved, median, ratio, ratioRow, timed } from "./harness.mjs";
import { sampleCrops } from "./inputs.mjs";

const NO_VERTEX = 784;

export async function* measure({ quick }) {
  const model = await loadModel("mobile");
  const { engine } = await openEngine(model, { device: "cpu" });
  try {
    const { crops, from } = await sampleCrops(model.card.context, quick ? 32 : 256);
    yield await measureBatch(engine, crops, quick);
    yield await measureDropping(engine, crops, from, quick);
    yield await measureGates(quick);
    yield await measureHoisting(quick);
  } finally {
    await engine.dispose();
  }
}

/** [count, 224, 224, 3] */
function stack(crops) {
  const pixels = new Uint8Array(crops.length * crops[0].pixels.length);
  crops.forEach((crop, at) => {
    pixels.set(crop.pixels, at * crop.pixels.length);
  });
  return pixels;
}

async function measureBatch(engine, crops, quick) {
  const sizes = [1, 2, 4, 8, 16, 32];
  const rowSteps = quick ? 64 : 192;
  const variants = {};
  const decodings = [];
  for (const size of sizes) {
    const decoding = await engine.encode(stack(crops.slice(0, size)), size);
    decodings.push(decoding);
    const at = (cell) => new Int32Array(size).fill(cell);
    const input = { first: at(300), previous: at(310), beforePrevious: at(305) };
    variants[size] = async () => {
      const { seconds, cpuSeconds } = await timed(async () => {
        for (let row = 0; row < rowSteps; row += size) await decoding.step(input);
      });
      return { wall: (1000 * seconds) / rowSteps, cpu: (1000 * cpuSeconds) / rowSteps };
    };
  }
  const took = await interleaved(quick ? 3 : 15, variants);
  for (const decoding of decodings) decoding.dispose();
  const of = (size, field) => took[size].map((run) => run[field]);
  return {
    name: "decoder-batch",
    title: "Decoder step by batch size: mobile",
    columns: ["Batch", "Step, ms per instance", "Processor, ms per instance"],
    rows: sizes.map((size) => [size, median(of(size, "wall")).toFixed(3), median(of(size, "cpu")).toFixed(3)]),
    ratios: [
      ratioRow("step per instance, batch 32 / batch 1", ratio(of(32, "wall"), of(1, "wall")), { atMost: 0.3 }),
      ratioRow("processor time per instance, batch 32 / batch 1", ratio(of(32, "cpu"), of(1, "cpu"))),
    ],
    notes: [
      "A step is arithmetic, 41 million multiply-adds per instance: on a CPU a batch gains the other cores and little else.",
    ],
  };
}

async function measureDropping(engine, crops, from, quick) {
  const batches = [];
  for (let start = 0; start + 32 <= crops.length; start += 32) batches.push(stack(crops.slice(start, start + 32)));
  const lengths = [];
  const dropping = async () => {
    let milliseconds = 0;
    lengths.length = 0;
    for (const pixels of batches) {
      const { sequences, times } = await decodeGreedy(engine, pixels, 32, MAX_STEPS);
      milliseconds += times.stepsMs;
      lengths.push(...sequences.map(({ steps }) => steps));
    }
    return milliseconds / 1000;
  };
  const toTheEnd = async () => {
    let milliseconds = 0;
    for (const pixels of batches) {
      const { engine: withoutDropping } = keepRows(engine);
      milliseconds += (await decodeGreedy(withoutDropping, pixels, 32, MAX_STEPS)).times.stepsMs;
    }
    return milliseconds / 1000;
  };
  const took = await interleaved(quick ? 1 : 5, { dropping, toTheEnd });
  return {
    name: "decoder-dropping",
    title: `Finished instances let go: mobile, ${batches.length * 32} instances, batches of 32, ${from}`,
    columns: ["Way", "Steps, ms per instance"],
    rows: [
      ["let go when a quarter is idle", ((1000 * median(took.dropping)) / lengths.length).toFixed(2)],
      ["all stepped to the batch's end", ((1000 * median(took.toTheEnd)) / lengths.length).toFixed(2)],
    ],
    ratios: [ratioRow("steps, let go / stepped to the end", ratio(took.dropping, took.toTheEnd), { atMost: 0.65 })],
    notes: [
      `Steps per instance: mean ${(lengths.reduce((sum, length) => sum + length, 0) / lengths.length).toFixed(1)}, median ${median(lengths)}, longest ${Math.max(...lengths)}.`,
    ],
  };
}

/** The same engine, but whatever rows are selected, all are stepped. */
function keepRows(engine) {
  const keep = (decoding, rows) => ({
    size: rows.length,
    firstVertexLogits: decoding.firstVertexLogits,
    async step(input) {
      const spread = (values) => {
        const all = new Int32Array(decoding.size).fill(NO_VERTEX);
        rows.forEach((row, at) => {
          all[row] = values[at];
        });
        return all;
      };
      const logits = await decoding.step({
        first: spread(input.first),
        previous: spread(input.previous),
        beforePrevious: spread(input.beforePrevious),
      });
      const width = logits.length / decoding.size;
      const taken = new Float32Array(rows.length * width);
      rows.forEach((row, at) => {
        taken.set(logits.subarray(row * width, (row + 1) * width), at * width);
      });
      return taken;
    },
    select: (chosen) =>
      keep(
        decoding,
        chosen.map((at) => rows[at]),
      ),
    dispose() {}, // one state for all: the garbage collector has it
  });
  return {
    engine: {
      ...engine,
      encode: async (pixels, count) =>
        keep(
          await engine.encode(pixels, count),
          Array.from({ length: count }, (_, row) => row),
        ),
    },
  };
}

/** The networks' real widths, random decoder weights; the time does not depend on them. */
const HOISTED = {
  vgg16: { architecture: { name: "vgg16", widths: [16, 16], peepholes: false }, features: 128, planes: 3 },
  mobile: {
    architecture: { name: "mobile", widths: [24, 16], features: 128, skip: 64, rank: 128, peepholes: false },
    features: 131,
    planes: 9,
  },
};

/** A polygon of usual length, and the batch that annotate draws on a CPU. */
const SIZE = 16,
  STEPS = 20;

/** Layer one's gates alone: what is hoisted, beside the convolution it replaces. */
async function measureGates(quick) {
  const rows = [];
  const ratios = [];
  for (const [name, { architecture, features, planes }] of Object.entries(HOISTED)) {
    const weights = decoderWeights(describeNetwork(architecture), features);
    const seen = planes + architecture.widths[0];
    const open = (build) =>
      InferenceSession.create(
        encodeOnnxModel(build(new OnnxGraphOps("gates", weights)).build()),
        onnxSessionOptions({ device: "cpu" }),
      );
    const plane = (ops, of, channels) => ops.input(of, "float", [channels, 28, 28]);
    const once = await InferenceSession.create(
      buildHoistModel(weights, features),
      onnxSessionOptions({ device: "cpu" }),
    );
    const hoistedStep = await open((ops) => {
      ops.output(
        ops.add(
          plane(ops, "hoisted", 4 * architecture.widths[0]),
          ops.conv2d(plane(ops, "seen", seen), "decoder.gates_1"),
        ),
        "gates",
      );
      return ops;
    });
    const plainStep = await open((ops) => {
      ops.output(
        ops.conv2d(
          ops.concatChannels([plane(ops, "features", features), plane(ops, "seen", seen)]),
          "decoder.gates_plain",
        ),
        "gates",
      );
      return ops;
    });
    const random = createRandom("gates");
    const tensor = (channels) =>
      new Tensor(
        "float32",
        new Float32Array(SIZE * channels * 784).map(() => random.normal()),
        [SIZE, channels, 28, 28],
      );
    const image = { features: tensor(features) },
      state = { seen: tensor(seen) };
    const ways = {
      hoisted: async (steps) => {
        const fixed = await once.run(image);
        let gates;
        for (let step = 0; step < steps; step++) ({ gates } = await hoistedStep.run({ ...fixed, ...state }));
        return gates.data;
      },
      plain: async (steps) => {
        let gates;
        for (let step = 0; step < steps; step++) ({ gates } = await plainStep.run({ ...image, ...state }));
        return gates.data;
      },
    };
    const difference = largestDifference(await ways.hoisted(1), await ways.plain(1));
    if (!(difference < 1e-4))
      throw new Error(`${name}: expected the same gates both ways, received a difference of ${difference}`);
    const took = await interleaved(quick ? 2 : 9, {
      hoisted: () => timed(() => ways.hoisted(STEPS)),
      plain: () => timed(() => ways.plain(STEPS)),
    });
    const of = (way, field) => took[way].map((run) => run[field]);
    const perStep = (way) => ((1000 * median(of(way, "seconds"))) / (SIZE * STEPS)).toFixed(3);
    rows.push([name, features + seen, seen, perStep("hoisted"), perStep("plain"), difference.toExponential(1)]);
    ratios.push(
      ratioRow(`${name}: gates, hoisted / plain`, ratio(of("hoisted", "seconds"), of("plain", "seconds")), {
        atMost: 0.4,
      }),
    );
    ratios.push(
      ratioRow(
        `${name}: gates, processor time, hoisted / plain`,
        ratio(of("hoisted", "cpuSeconds"), of("plain", "cpuSeconds")),
      ),
    );
  }
  return {
    name: "decoder-gates",
    title: `Layer one's gates, hoisted beside the plain convolution: batch ${SIZE}, ${STEPS} steps, the hoisting itself included`,
    columns: [
      "Network",
      "Input channels, plain",
      "Input channels, hoisted",
      "Hoisted, ms per step",
      "Plain, ms per step",
      "Largest difference",
    ],
    rows,
    ratios,
  };
}

function largestDifference(a, b) {
  return a.reduce((largest, value, at) => Math.max(largest, Math.abs(value - b[at])), 0);
}

/** The whole step with and without hoisting: layer two and the head cost the same both ways. */
async function measureHoisting(quick) {
  const rows = [];
  const ratios = [];
  const size = SIZE,
    steps = STEPS;
  for (const [name, shape] of Object.entries(HOISTED)) {
    const { hoisted, plain, difference } = await openBothWays(shape, size);
    if (!(difference < 1e-4))
      throw new Error(`${name}: expected the same logits both ways, received a difference of ${difference}`);
    const took = await interleaved(quick ? 2 : 9, {
      hoisted: () => timed(() => hoisted(steps)),
      plain: () => timed(() => plain(steps)),
    });
    const of = (way, field) => took[way].map((run) => run[field]);
    const perStep = (way) => ((1000 * median(of(way, "seconds"))) / (size * steps)).toFixed(3);
    rows.push([name, shape.features + shape.planes, perStep("hoisted"), perStep("plain"), difference.toExponential(1)]);
    ratios.push(
      ratioRow(`${name}: whole step, hoisted / plain`, ratio(of("hoisted", "seconds"), of("plain", "seconds")), {}),
    );
    ratios.push(
      ratioRow(
        `${name}: whole step, processor time, hoisted / plain`,
        ratio(of("hoisted", "cpuSeconds"), of("plain", "cpuSeconds")),
      ),
    );
  }
  return {
    name: "decoder-hoisting",
    title: `A whole step, gates hoisted beside the plain convolution: batch ${size}, ${steps} steps, the hoisting itself included`,
    columns: [
      "Network",
      "Input channels without state",
      "Hoisted, ms per step",
      "Plain, ms per step",
      "Largest difference of logits",
    ],
    rows,
    ratios,
  };
}

/**
 * Graph operations that compute layer one's gates as the paper writes them: one convolution over features, vertices and
 * state.
 */
class PlainGraphOps extends OnnxGraphOps {
  conv2d(x, name, options) {
    return name === "decoder.gates_1"
      ? super.conv2d(this.concatChannels([this.features, x]), "decoder.gates_plain", options)
      : super.conv2d(x, name, options);
  }

  /** The features stand where the hoisted gates would be added. */
  add(a, b) {
    return a === this.features ? b : super.add(a, b);
  }
}

async function openBothWays({ architecture, features }, size) {
  const network = describeNetwork(architecture);
  const weights = decoderWeights(network, features);
  const options = onnxSessionOptions({ device: "cpu" });
  const open = (bytes) => InferenceSession.create(bytes, options);
  const hoist = await open(buildHoistModel(weights, features));
  const hoistedStep = await open(buildStepModel({ network, weights }));
  const plainStep = await open(buildPlainStepModel(network, weights, features));
  const random = createRandom("features");
  const image = new Tensor(
    "float32",
    new Float32Array(size * features * 784).map(() => Math.max(0, random.normal())),
    [size, features, 28, 28],
  );
  const cells = (from) =>
    new Tensor(
      "int32",
      Int32Array.from({ length: size }, (_, row) => (from + 37 * row) % 784),
      [size],
    );
  const vertices = { first: cells(10), previous: cells(200), before_previous: cells(400) };
  const run = async (stepper, fixed, steps) => {
    let state = zeroState(network, size);
    let logits;
    for (let step = 0; step < steps; step++) {
      const next = await stepper.run({ ...fixed, ...state, ...vertices });
      state = { h1: next.next_h1, c1: next.next_c1, h2: next.next_h2, c2: next.next_c2 };
      logits = next.logits.data;
    }
    return logits;
  };
  const hoisted = async (steps) => run(hoistedStep, { hoisted: (await hoist.run({ features: image })).hoisted }, steps);
  const plain = (steps) => run(plainStep, { features: image }, steps);
  const [a, b] = [await hoisted(3), await plain(3)];
  return { hoisted, plain, difference: largestDifference(a, b) };
}

/** Random weights of the decoder, and the plain kernel made of the two parts it is hoisted into. */
function decoderWeights(network, features) {
  const random = createRandom("decoder");
  const weights = new Map();
  for (const [name, shape] of network.weightShapes) {
    if (!name.startsWith("decoder.")) continue;
    const inputs = shape.slice(1).reduce((product, side) => product * side, 1);
    const values = new Float32Array(inputs * shape[0]).map(() => random.normal() / Math.sqrt(inputs));
    weights.set(name, { shape, values });
  }
  const image = weights.get("decoder.gates_features.weight");
  const rest = weights.get("decoder.gates_1.weight");
  const [outputs, channels] = [image.shape[0], features + rest.shape[1]];
  const values = new Float32Array(outputs * channels * 9);
  for (let output = 0; output < outputs; output++) {
    values.set(image.values.subarray(output * features * 9, (output + 1) * features * 9), output * channels * 9);
    values.set(
      rest.values.subarray(output * rest.shape[1] * 9, (output + 1) * rest.shape[1] * 9),
      (output * channels + features) * 9,
    );
  }
  weights.set("decoder.gates_plain.weight", { shape: [outputs, channels, 3, 3], values });
  weights.set("decoder.gates_plain.bias", weights.get("decoder.gates_features.bias"));
  return weights;
}

function buildHoistModel(weights, features) {
  const ops = new OnnxGraphOps("hoist", weights);
  ops.output(ops.conv2d(ops.input("features", "float", [features, 28, 28]), "decoder.gates_features"), "hoisted");
  return encodeOnnxModel(ops.build());
}

function buildPlainStepModel(network, weights, features) {
  const ops = new PlainGraphOps("plain_step", weights);
  const [c1, c2] = network.widths;
  const plane = (name, channels) => ops.input(name, "float", [channels, 28, 28]);
  ops.features = plane("features", features);
  const state = [
    { h: plane("h1", c1), c: plane("c1", c1) },
    { h: plane("h2", c2), c: plane("c2", c2) },
  ];
  const vertices = {
    first: ops.input("first", "int32", []),
    previous: ops.input("previous", "int32", []),
    beforePrevious: ops.input("before_previous", "int32", []),
  };
  const next = network.step(ops, ops.features, vertices, state);
  ops.output(next.logits, "logits");
  next.state.forEach((cell, layer) => {
    ops.output(cell.h, `next_h${layer + 1}`);
    ops.output(cell.c, `next_c${layer + 1}`);
  });
  return encodeOnnxModel(ops.build());
}

function zeroState({ widths: [c1, c2] }, size) {
  const zeros = (channels) => new Tensor("float32", new Float32Array(size * channels * 784), [size, channels, 28, 28]);
  return { h1: zeros(c1), c1: zeros(c1), h2: zeros(c2), c2: zeros(c2) };
}
