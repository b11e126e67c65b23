/**
 * Options that were tried, each beside what the program does: onnxruntime's threads, graph optimization, memory and
 * number formats, the batch size; and, in options-images.mjs, how images are decoded.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { iouWithTruth } from "../dist/geometry/iou.js";
import { decodeGreedy } from "../dist/predict/decode.js";
import { stackPixels } from "../dist/crop/crop.js";
import { predictBatch } from "../dist/predict/predict.js";
import { loadModel } from "../dist/model/model.js";
import { OnnxDecoding } from "../dist/engine/onnx/decoding.js";
import { onnxSessionOptions } from "../dist/engine/onnx/engine.js";
import { buildEncoderModel, buildStepModel } from "../dist/engine/onnx/models.js";
import { interleaved, median, ratio, timed } from "./harness.mjs";
import { sampleCrops } from "./inputs.mjs";
import { measureImages } from "./options-images.mjs";

const BASE = onnxSessionOptions({ device: "cpu" });
const spinning = (value) => ({ extra: { session: { intra_op: { allow_spinning: value } } } });

/** Session options, each laid over the program's own. */
const SESSIONS = {
  "the program's options": {},
  "1 thread inside an operation": { intraOpNumThreads: 1 },
  "4 threads inside an operation": { intraOpNumThreads: 4 },
  "threads spin while they wait (onnxruntime's default)": spinning("1"),
  "operations side by side, 2 threads between them": { executionMode: "parallel", interOpNumThreads: 2 },
  "graph optimization: disabled": { graphOptimizationLevel: "disabled" },
  "graph optimization: basic": { graphOptimizationLevel: "basic" },
  "graph optimization: extended": { graphOptimizationLevel: "extended" },
  "no memory arena": { enableCpuMemArena: false },
  "no memory pattern": { enableMemPattern: false },
  "denormals as zero": { extra: { session: { ...BASE.extra.session, set_denormal_as_zero: "1" } } },
};

export async function* measure({ quick, quantized }) {
  const model = await loadModel("mobile");
  const { crops, from } = await sampleCrops(model.card.context, quick ? 16 : 300);
  yield await measureSessions(model, crops, quick);
  yield await measureBatchSizes(model, crops, quick);
  yield await measureNumbers(model, crops, from, quick, quantized);
  yield* measureImages(model, quick);
}

/** An engine over two models, which may be files. */
async function openWith({ network }, encoderModel, stepModel, options) {
  const encoder = await InferenceSession.create(encoderModel, { ...BASE, ...options });
  const step = await InferenceSession.create(stepModel, { ...BASE, ...options });
  const zeros = (count, channels) =>
    new Tensor("float32", new Float32Array(count * channels * 784), [count, channels, 28, 28]);
  const [one, two] = network.widths;
  return {
    name: "onnxruntime",
    device: "cpu",
    version: "",
    async encode(pixels, count) {
      const { vertex, hoisted } = await encoder.run({ pixels: new Tensor("uint8", pixels, [count, 224, 224, 3]) }, [
        "vertex",
        "hoisted",
      ]);
      return new OnnxDecoding(
        { step },
        { size: count, firstVertexLogits: vertex.data },
        {
          hoisted,
          h1: zeros(count, one),
          c1: zeros(count, one),
          h2: zeros(count, two),
          c2: zeros(count, two),
        },
      );
    },
    async dispose() {
      await encoder.release();
      await step.release();
    },
  };
}

function openBuilt(model, options) {
  return openWith(model, buildEncoderModel(model, "decoding"), buildStepModel(model), options);
}

/** A table of variants beside the first. @param extra name -> further cells */
function toTable(name, title, what, took, count, { columns = [], cells = () => [], notes = [] } = {}) {
  const [base, ...others] = Object.keys(took);
  const of = (variant, field) => took[variant].map((run) => run[field]);
  const perInstance = (values) => ((1000 * median(values)) / count).toFixed(1);
  const beside = (variant, field) => {
    const { median: middle, low, high } = ratio(of(variant, field), of(base, field));
    return `${middle.toFixed(2)} (${low.toFixed(2)}..${high.toFixed(2)})`;
  };
  return {
    name,
    title,
    columns: [
      what,
      "ms per instance",
      "processor ms per instance",
      "time beside the first",
      "processor time beside the first",
      ...columns,
    ],
    rows: [base, ...others].map((variant) => [
      variant,
      perInstance(of(variant, "seconds")),
      perInstance(of(variant, "cpuSeconds")),
      beside(variant, "seconds"),
      beside(variant, "cpuSeconds"),
      ...cells(variant),
    ]),
    notes,
  };
}

async function measureSessions(model, crops, quick) {
  const engines = {};
  for (const [name, options] of Object.entries(SESSIONS)) engines[name] = await openBuilt(model, options);
  const [size, pixels] = [16, stackPixels(crops.slice(0, 16))];
  const took = await interleaved(
    quick ? 1 : 7,
    Object.fromEntries(
      Object.entries(engines).map(([name, engine]) => [
        name,
        () => timed(() => decodeGreedy(engine, pixels, size, MAX_STEPS)),
      ]),
    ),
  );
  for (const engine of Object.values(engines)) await engine.dispose();
  return toTable(
    "options-sessions",
    `onnxruntime's options: mobile, encoder and decode loop, a batch of ${size}`,
    "Option",
    took,
    size,
  );
}

async function measureBatchSizes(model, crops, quick) {
  const engine = await openBuilt(model, {});
  const count = quick ? 16 : 64;
  const some = crops.slice(0, count);
  const draw = async (size) => {
    for (let start = 0; start < count; start += size) {
      const batch = some.slice(start, start + size);
      await decodeGreedy(engine, stackPixels(batch), batch.length, MAX_STEPS);
    }
  };
  const took = await interleaved(
    quick ? 1 : 5,
    Object.fromEntries(
      [16, 1, 4, 8, 32, 64].map((size) => [
        `batches of ${size}${size === 16 ? ", the program's on a CPU" : ""}`,
        () => timed(() => draw(size)),
      ]),
    ),
  );
  await engine.dispose();
  return toTable(
    "options-batch",
    `Batch size: mobile, encoder and decode loop, ${count} instances`,
    "Batch",
    took,
    count,
  );
}

/** What quantize.py makes, in the order of its names; see there. */
const NUMBERS = ["float16", "int8-dynamic-dense", "int8-dynamic", "int8-static", "int8-static-encoder"];

async function measureNumbers(model, crops, from, quick, folder) {
  const engines = { float32: await openBuilt(model, {}) };
  const notes = [];
  for (const name of NUMBERS) {
    const files = folder === undefined ? [] : ["encoder", "step"].map((part) => join(folder, `${part}.${name}.onnx`));
    if (files.length === 0 || !files.every((file) => existsSync(file))) {
      notes.push(`Not measured: ${name}; make it with quantize.py and name its folder with --quantized.`);
      continue;
    }
    try {
      engines[name] = await openWith(model, ...files.map((file) => readFileSync(file)), {});
    } catch (error) {
      notes.push(`${name} does not run: ${error.message.split("\n")[0]}`);
    }
  }
  const size = 16;
  const drawn = {};
  const work = (name) => async () => {
    const polygons = [];
    const result = await timed(async () => {
      for (let start = 0; start < crops.length; start += size) {
        polygons.push(
          ...(
            await predictBatch(engines[name], crops.slice(start, start + size), {
              maxSteps: MAX_STEPS,
              candidates: DEFAULT_CANDIDATES,
              simplify: 0,
            })
          ).predictions,
        );
      }
    });
    drawn[name] = polygons;
    return result;
  };
  const took = await interleaved(
    quick ? 1 : 3,
    Object.fromEntries(Object.keys(engines).map((name) => [name, work(name)])),
    { warmUp: false },
  );
  for (const engine of Object.values(engines)) await engine.dispose();
  const ious = (name) => drawn[name].map((prediction) => iouOf(prediction));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const base = ious("float32");
  const sameShare = (name) =>
    drawn[name].filter((prediction, at) => JSON.stringify(prediction.ring) === JSON.stringify(drawn.float32[at].ring))
      .length / crops.length;
  return toTable(
    "options-numbers",
    `Number formats: mobile, ${crops.length} instances of ${from}`,
    "Weights and arithmetic",
    took,
    crops.length,
    {
      columns: ["mean IoU", "IoU lost", "polygons unchanged"],
      cells: (name) => [
        mean(ious(name)).toFixed(4),
        (mean(base) - mean(ious(name))).toFixed(4),
        `${(100 * sameShare(name)).toFixed(0)} %`,
      ],
      notes: [
        ...notes,
        `bf16: onnxruntime offers it on CPUs only for ARM (a session option of its matrix products); this is ${process.arch}.`,
      ],
    },
  );
}

/** 0 where nothing was drawn. */
function iouOf({ kind, ring, crop }) {
  if (kind !== "polygon" || crop.instance.truth === undefined) return 0;
  return iouWithTruth([ring], crop.instance.truth, { height: crop.imageHeight, width: crop.imageWidth });
}
