/**
 * The whole of annotate beside bare onnxruntime (bare.mjs): the same encoder and decoder steps, batch for batch and row
 * for row, on tensors that lie ready and with nothing read, decoded, cropped, chosen or written. What annotate needs
 * beyond that is what it does not overlap.
 *
 * Bare onnxruntime runs twice, on as many threads: one batch after the other with all threads inside each operation,
 * and as annotate does it, a batch per thread.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { predictBatch } from "../dist/predict/predict.js";
import { openEngine } from "../dist/engine/devices.js";
import { loadModel } from "../dist/model/model.js";
import { timeBare, timeBareThreads } from "./bare.mjs";
import { interleaved, limitRow, median, ratio, ratioRow, seconds, timed } from "./harness.mjs";
import { annotateInProcess, readAllCrops, recordCalls, writeBoxes } from "./inputs.mjs";

const BOXES_PER_IMAGE = 6;
const STAGES = ["decode", "crop", "encode", "steps", "write"];

export async function* measure({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    yield await measureModel(folder, {
      name: "mobile",
      model: "mobile",
      instances: quick ? 48 : 360,
      rounds: quick ? 1 : 5,
      maxSteps: MAX_STEPS,
      wanted: 0.85,
      rateWanted: 25,
    });
    yield await measureModel(folder, {
      name: "vgg16",
      model: "vgg16",
      instances: quick ? 6 : 48,
      rounds: quick ? 1 : 3,
      maxSteps: MAX_STEPS,
      wanted: 0.95,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureModel(folder, { name, model: modelPath, instances, rounds, maxSteps, wanted, rateWanted }) {
  const boxes = join(folder, `${name}.json`);
  writeBoxes(boxes, instances, BOXES_PER_IMAGE);
  const out = join(folder, `${name}-out`);
  const model = await loadModel(modelPath);
  // the first run warms up and says the batch size
  const { summary: first } = await annotateInProcess({ boxes, out, model: modelPath, maxSteps });
  const batches = await recordBatches(model, boxes, first.batchSize, maxSteps);
  const runs = await interleaved(
    rounds,
    {
      annotate: () => timed(() => annotateInProcess({ boxes, out, model: modelPath, maxSteps })),
      bare: () => timeBare(model, batches),
      bareThreads: () => timeBareThreads(model, batches),
    },
    { warmUp: false },
  );
  return toResult({ name, instances, wanted, rateWanted, batchSize: first.batchSize, batches, runs });
}

function toResult({ name, instances, wanted, rateWanted, batchSize, batches, runs }) {
  const whole = runs.annotate.map((run) => run.seconds);
  const drawing = runs.annotate.map(({ value }) => value.drawingSeconds);
  const bare = runs.bare.map((run) => run.seconds);
  const bareThreads = runs.bareThreads.map((run) => run.seconds);
  const processor = (way) => median(runs[way].map((run) => run.cpuSeconds));
  const stage = (of) => seconds(median(runs.annotate.map(({ value }) => value.summary.secondsPerStage[of])));
  const row = (what, values, cpu, stages) => [
    what,
    (instances / median(values)).toFixed(1),
    seconds(median(values)),
    cpu,
    ...stages,
  ];
  const steps = batches.reduce((sum, batch) => sum + batch.steps.reduce((rows, { size }) => rows + size, 0), 0);
  return {
    name: `stages-${name}`,
    title: `annotate beside bare onnxruntime: ${name}, ${instances} instances, ${BOXES_PER_IMAGE} to a 640 x 480 JPEG, batches of ${batchSize}`,
    columns: ["What", "Instances/s", "Seconds", "Processor s", ...STAGES.map((of) => `${of}, s`)],
    rows: [
      row("annotate, start and files included", whole, seconds(processor("annotate")), STAGES.map(stage)),
      row(
        "annotate, drawing only",
        drawing,
        "",
        STAGES.map(() => ""),
      ),
      row(
        "bare onnxruntime, one batch at a time",
        bare,
        seconds(processor("bare")),
        STAGES.map(() => ""),
      ),
      row(
        "bare onnxruntime, a batch per thread",
        bareThreads,
        seconds(processor("bareThreads")),
        STAGES.map(() => ""),
      ),
    ],
    ratios: [
      ratioRow("instances/s, drawing / bare, one batch at a time", ratio(bare, drawing), { atLeast: wanted }),
      ratioRow("instances/s, drawing / bare, a batch per thread", ratio(bareThreads, drawing), { atLeast: wanted }),
      ratioRow("instances/s, whole run / bare, one batch at a time", ratio(bare, whole)),
      ratioRow(
        "processor time, whole run / bare",
        ratio(
          runs.annotate.map((run) => run.cpuSeconds),
          runs.bare.map((run) => run.cpuSeconds),
        ),
      ),
    ],
    ...(rateWanted === undefined
      ? {}
      : {
          limits: [
            limitRow("whole run, on 2 cores", instances / median(whole), "instances/s", { atLeast: rateWanted }),
          ],
        }),
    notes: [
      `Decoder rows stepped: ${(steps / instances).toFixed(1)} per instance. Stages overlap and their times include waiting; decode and crop are sums over what runs side by side.`,
    ],
  };
}

/** What the engine is asked for these boxes: pixels of each batch, rows and vertices of each step. */
async function recordBatches(model, boxes, batchSize, maxSteps) {
  const crops = await readAllCrops(boxes, model.card.context);
  const { engine } = await openEngine(model, { device: "cpu" });
  const { engine: recording, batches } = recordCalls(engine);
  for (let start = 0; start < crops.length; start += batchSize) {
    await predictBatch(recording, crops.slice(start, start + batchSize), {
      maxSteps,
      candidates: DEFAULT_CANDIDATES,
      simplify: 0,
    });
  }
  await engine.dispose();
  return batches;
}
