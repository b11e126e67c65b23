/**
 * The whole of annotate beside bare onnxruntime: the same encoder and decoder steps, batch for batch and row for row, on tensors that
 * lie ready and with nothing read, decoded, cropped, chosen or written. What annotate needs beyond that is what it does not overlap.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { DEFAULT_CANDIDATES } from "../dist/predict/decode-best.js";
import { predictBatch } from "../dist/predict/predict.js";
import { createRandom } from "../dist/random.js";
import { openEngine } from "../dist/runtime/devices.js";
import { importVgg16, writeModelFolder } from "../dist/runtime/import-vgg16.js";
import { loadModel } from "../dist/runtime/model.js";
import { onnxSessionOptions } from "../dist/runtime/onnx-engine.js";
import { buildEncoderModel, buildStepModel } from "../dist/runtime/onnx-model.js";
import { serializeSafetensors } from "../dist/runtime/safetensors.js";
import { VGG16_BLOCKS } from "../dist/network/vgg16-trunk.js";
import { interleaved, limitRow, median, ratio, ratioRow, seconds, timed } from "./harness.mjs";
import { annotateInProcess, readAllCrops, recordCalls, writeBoxes } from "./inputs.mjs";

const BOXES_PER_IMAGE = 6;
/** Random weights never say end-of-sequence; they stop at about the length that trained ones draw. */
const VGG16_STEPS = 15;
const STAGES = ["decode", "crop", "encode", "steps", "write"];

export async function* measure({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    yield await measureModel(folder, { name: "mobile", model: "mobile", instances: quick ? 48 : 360, rounds: quick ? 1 : 5, maxSteps: 71, wanted: 0.85, rateWanted: 25 });
    const vgg16 = await makeVgg16(folder);
    yield await measureModel(folder, { name: "vgg16", model: vgg16, instances: quick ? 6 : 48, rounds: quick ? 1 : 3, maxSteps: VGG16_STEPS, wanted: 0.95 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureModel(folder, { name, model: modelPath, instances, rounds, maxSteps, wanted, rateWanted }) {
  const boxes = join(folder, `${name}.json`);
  writeBoxes(boxes, instances, BOXES_PER_IMAGE);
  const out = join(folder, `${name}-out`);
  const model = await loadModel(modelPath);
  const { summary: first } = await annotateInProcess({ boxes, out, model: modelPath, maxSteps }); // the first run warms up and says the batch size
  const batches = await recordBatches(model, boxes, first.batchSize, maxSteps);
  const runs = await interleaved(rounds, {
    annotate: () => timed(() => annotateInProcess({ boxes, out, model: modelPath, maxSteps })),
    bare: () => timeBare(model, batches),
  }, { warmUp: false });
  return toResult({ name, instances, wanted, rateWanted, batchSize: first.batchSize, batches, runs });
}

function toResult({ name, instances, wanted, rateWanted, batchSize, batches, runs }) {
  const whole = runs.annotate.map((run) => run.seconds);
  const drawing = runs.annotate.map(({ value }) => value.drawingSeconds);
  const bare = runs.bare.map((run) => run.seconds);
  const processor = (way) => median(runs[way].map((run) => run.cpuSeconds));
  const stage = (of) => seconds(median(runs.annotate.map(({ value }) => value.summary.secondsPerStage[of])));
  const row = (what, values, cpu, stages) => [what, (instances / median(values)).toFixed(1), seconds(median(values)), cpu, ...stages];
  const steps = batches.reduce((sum, batch) => sum + batch.steps.reduce((rows, { size }) => rows + size, 0), 0);
  return {
    name: `stages-${name}`,
    title: `annotate beside bare onnxruntime: ${name}, ${instances} instances, ${BOXES_PER_IMAGE} to a 640 x 480 JPEG, batches of ${batchSize}`,
    columns: ["What", "Instances/s", "Seconds", "Processor s", ...STAGES.map((of) => `${of}, s`)],
    rows: [
      row("annotate, start and files included", whole, seconds(processor("annotate")), STAGES.map(stage)),
      row("annotate, drawing only", drawing, "", STAGES.map(() => "")),
      row("bare onnxruntime", bare, seconds(processor("bare")), STAGES.map(() => "")),
    ],
    ratios: [
      ratioRow("instances/s, drawing / bare", ratio(bare, drawing), { atLeast: wanted }),
      ratioRow("instances/s, whole run / bare", ratio(bare, whole)),
      ratioRow("processor time, whole run / bare", ratio(runs.annotate.map((run) => run.cpuSeconds), runs.bare.map((run) => run.cpuSeconds))),
    ],
    ...(rateWanted === undefined ? {} : { limits: [limitRow("whole run, on 2 cores", instances / median(whole), "instances/s", { atLeast: rateWanted })] }),
    notes: [`Decoder rows stepped: ${(steps / instances).toFixed(1)} per instance. Stages overlap and their times include waiting; decode and crop are sums over what runs side by side.`],
  };
}

/** What the engine is asked for these boxes: pixels of each batch, rows and vertices of each step. */
async function recordBatches(model, boxes, batchSize, maxSteps) {
  const crops = await readAllCrops(boxes, model.card.context);
  const { engine } = await openEngine(model, { device: "cpu" });
  const { engine: recording, batches } = recordCalls(engine);
  for (let start = 0; start < crops.length; start += batchSize) {
    await predictBatch(recording, crops.slice(start, start + batchSize), { maxSteps, candidates: DEFAULT_CANDIDATES, simplify: 0 });
  }
  await engine.dispose();
  return batches;
}

/** Opened and released each time, as annotate does: the other's gigabyte of idle arena costs vgg16 a tenth of its time. */
async function timeBare(model, batches) {
  const bare = await openBare(model, batches);
  try {
    return await timed(() => bare.replay());
  } finally {
    await bare.release();
  }
}

/** Two sessions with annotate's own options; inputs and outputs of every size lie ready. */
async function openBare({ network, weights, card }, batches) {
  const options = onnxSessionOptions({ device: "cpu" });
  const encoder = await InferenceSession.create(buildEncoderModel(network, weights, card.normalization, "decoding"), options);
  const stepper = await InferenceSession.create(buildStepModel(network, weights), options);
  const [c1, c2] = network.widths;
  const tensorsOf = (size) => {
    const plane = (channels) => new Tensor("float32", new Float32Array(size * channels * 784).map((_, at) => Math.sin(at) / 2), [size, channels, 28, 28]);
    const state = (prefix) => ({ [`${prefix}h1`]: plane(c1), [`${prefix}c1`]: plane(c1), [`${prefix}h2`]: plane(c2), [`${prefix}c2`]: plane(c2) });
    return { feeds: { hoisted: plane(4 * c1), ...state("") }, fetches: { logits: new Tensor("float32", new Float32Array(size * 785), [size, 785]), ...state("next_") } };
  };
  const ready = new Map();
  for (const { size } of batches.flatMap(({ steps }) => steps)) if (!ready.has(size)) ready.set(size, tensorsOf(size));
  return {
    async replay() {
      for (const { pixels, count, steps } of batches) {
        await encoder.run({ pixels: new Tensor("uint8", pixels, [count, 224, 224, 3]) });
        for (const { size, input } of steps) {
          const { feeds, fetches } = ready.get(size);
          const indices = (values) => new Tensor("int32", values, [size]);
          await stepper.run({ ...feeds, first: indices(input.first), previous: indices(input.previous), before_previous: indices(input.beforePrevious) }, fetches);
        }
      }
    },
    async release() {
      await encoder.release();
      await stepper.release();
    },
  };
}

/** The paper's network with random trunks, by way of the import of torchvision's names. @returns the model's folder */
async function makeVgg16(folder) {
  const random = createRandom("vgg16");
  const tensors = new Map();
  let index = 0;
  let inputs = 3;
  for (const { convolutions, channels } of VGG16_BLOCKS) {
    for (let layer = 0; layer < convolutions; layer++) {
      const deviation = Math.sqrt(2 / (9 * inputs));
      tensors.set(`features.${index}.weight`, { shape: [channels, inputs, 3, 3], values: new Float32Array(channels * inputs * 9).map(() => random.normal() * deviation) });
      tensors.set(`features.${index}.bias`, { shape: [channels], values: new Float32Array(channels) });
      inputs = channels;
      index += 2; // a ReLU follows
    }
    index++; // pooling
  }
  const file = join(folder, "torchvision.safetensors");
  writeFileSync(file, serializeSafetensors(tensors, { dtype: "F32" }));
  const out = join(folder, "vgg16");
  mkdirSync(out);
  await writeModelFolder(out, await importVgg16(file, { name: "vgg16-random", peepholes: false, seed: 1 }));
  return out;
}
