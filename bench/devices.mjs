/**
 * Every engine and device that works here, from the CPU to the GPUs, at batch sizes up to 256: encoder, single decoder
 * steps, several steps in one call, the whole decode loop, and annotate from files to files.
 *
 *     npm run bench -- devices                       what `auto` would consider
 *     npm run bench -- devices --device webgpu       this one, also on a software driver
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeGreedy } from "../dist/predict/decode.js";
import { MAX_STEPS } from "../dist/predict/options.js";
import { stackPixels } from "../dist/crop/crop.js";
import { openEngine, probeDevices } from "../dist/engine/devices.js";
import { loadModel } from "../dist/model/model.js";
import { interleaved, median, ratio, ratioRow, timed } from "./harness.mjs";
import { TINY_MODEL, annotateInProcess, readAllCrops, writeBoxes } from "./inputs.mjs";

export async function* measure({ quick, device: asked }) {
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const reports = asked === undefined ? await probeDevices() : [{ device: asked, works: true }];
    const devices = [...new Set(reports.filter(({ works }) => works).map(({ device }) => device))];
    const absent = reports
      .filter(({ works }) => !works)
      .map(({ engine, device, reason }) => `${engine} on ${device}: ${reason}`);
    for (const device of devices) yield await measureDevice(folder, device, quick, absent);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureDevice(folder, device, quick, absent) {
  const modelName = quick ? TINY_MODEL : "mobile";
  const sizes = quick ? [1, 4] : device === "cpu" ? [1, 16, 64] : [1, 16, 64, 128, 256];
  const rounds = quick ? 1 : 3;
  const model = await loadModel(modelName);
  const boxes = join(folder, "boxes.json");
  writeBoxes(boxes, Math.max(...sizes));
  const crops = await readAllCrops(boxes, model.card.context);
  const { engine } = await openEngine(model, { device });
  const rows = [];
  const ratios = [];
  try {
    for (const size of sizes) {
      const took = await measureBatch(engine, stackPixels(crops.slice(0, size)), size, rounds, quick ? 8 : MAX_STEPS);
      const perInstance = (name) => (took[name] === undefined ? "" : ((1000 * median(took[name])) / size).toFixed(3));
      const annotated = await annotateRate(
        join(folder, `out-${size}`),
        boxes,
        modelName,
        device,
        size,
        quick ? 8 : MAX_STEPS,
      );
      rows.push([
        size,
        perInstance("encode"),
        perInstance("step"),
        perInstance("steps"),
        perInstance("single"),
        perInstance("whole"),
        annotated.toFixed(1),
      ]);
      if (took.steps === undefined) continue;
      ratios.push(
        ratioRow(`batch ${size}: a step among several in one call / a step on its own`, ratio(took.steps, took.step)),
      );
      ratios.push(
        ratioRow(
          `batch ${size}: decode loop, several steps in one call / one at a time`,
          ratio(took.whole, took.single),
        ),
      );
    }
    return {
      name: `devices-${engine.name}-${device}`,
      title: `${engine.version} on ${device}: ${model.card.name}`,
      columns: [
        "Batch",
        "Encoder, ms per instance",
        "Step, ms",
        "Step among several in one call, ms",
        "Decode loop, one step at a time, ms",
        "Decode loop, ms",
        "annotate, instances/s",
      ],
      rows,
      ratios,
      notes: [...absent.map((line) => `Not measured, ${line}`), "Decode loops include the encoder."],
    };
  } finally {
    await engine.dispose();
  }
}

/** Seconds per batch; a step of several is the call's time over its steps. */
async function measureBatch(engine, pixels, size, rounds, maxSteps) {
  const at = (cell) => new Int32Array(size).fill(cell);
  const input = { first: at(300), previous: at(310), beforePrevious: at(305) };
  const decoding = await engine.encode(pixels, size);
  try {
    return await interleaved(rounds, {
      encode: async () => {
        const { value, seconds } = await timed(() => engine.encode(pixels, size));
        value.dispose();
        return seconds;
      },
      step: async () => {
        const steps = 8;
        const { seconds } = await timed(async () => {
          for (let step = 0; step < steps; step++) await decoding.step(input);
        });
        return seconds / steps;
      },
      ...(decoding.steps !== undefined && {
        steps: async () => {
          const { value, seconds } = await timed(() => decoding.steps(input));
          return seconds / value.length;
        },
        single: async () => (await timed(() => decodeGreedy(withoutSteps(engine), pixels, size, maxSteps))).seconds,
      }),
      whole: async () => (await timed(() => decodeGreedy(engine, pixels, size, maxSteps))).seconds,
    });
  } finally {
    decoding.dispose();
  }
}

/** The same engine, asked for one step at a time. */
function withoutSteps(engine) {
  const single = (decoding) => ({
    size: decoding.size,
    firstVertexLogits: decoding.firstVertexLogits,
    step: (input) => decoding.step(input),
    select: (rows) => single(decoding.select(rows)),
    dispose: () => decoding.dispose(),
  });
  return { ...engine, encode: async (pixels, count) => single(await engine.encode(pixels, count)) };
}

/** Instances per second of a whole run, model and files included. */
async function annotateRate(out, boxes, model, device, batchSize, maxSteps) {
  const { summary } = await annotateInProcess({ boxes, out, model, device, batchSize, maxSteps });
  return summary.instancesPerSecond;
}
