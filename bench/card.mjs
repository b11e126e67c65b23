/**
 * What a graphics card does with the kernels of our own, in at most six minutes: times, numbers beside the CPU, a trial
 * of tile sizes, annotate from files to files, and PyTorch on the same card where there is one (bench/card_torch.py).
 *
 *     npm run build && node bench/card.mjs                 on a card
 *     npm run build && node bench/card.mjs --quick         that every part runs, also on a software driver
 *     npm run build && node bench/card.mjs --numbers       only numbers beside the CPU; --model, --crops, --precision
 *     npm run build && node bench/card.mjs --profile       only the time of each kernel; --model, --crops
 *
 * A part that would begin after its minute is left out, and says so.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeAdapter } from "../dist/engine/webgpu/adapter.js";
import { Gpu } from "../dist/engine/webgpu/device.js";
import { encoderPlan, kernelModelOf, openKernels, openWebGpuEngine, stepPlan } from "../dist/engine/webgpu/engine.js";
import { Program } from "../dist/engine/webgpu/program.js";
import { SAFE_TILES } from "../dist/engine/webgpu/tiles.js";
import { tilesFor, tryCandidates } from "../dist/engine/webgpu/trial.js";
import { checkAgainst, referenceOf } from "../dist/engine/self-check.js";
import { loadModel } from "../dist/model/model.js";
import { decodeGreedy } from "../dist/predict/decode.js";
import { decodeOutlines } from "../dist/predict/outline.js";
import { MAX_STEPS } from "../dist/predict/options.js";
import { stackPixels } from "../dist/crop/crop.js";
import { describeMachine, interleaved, machineLines, markdownTable, median, ratio, timed } from "./harness.mjs";
import { TINY_MODEL, annotateInProcess, readAllCrops, sampleCrops, writeBoxes } from "./inputs.mjs";
import { compareWithCpu } from "./numbers.mjs";
import { giga, profileKernels, profileTable, tera } from "./profile.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    numbers: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    model: { type: "string" },
    crops: { type: "string" },
    precision: { type: "string", default: "float32" },
  },
});
/** Seconds after which no further part begins. A software driver may take longer: there every part has to run. */
const BUDGET_S = options.quick ? Infinity : 300;
const ROUNDS = options.quick ? 1 : 5;
/** Rounds before, which are not counted. */
const WARM_UPS = options.quick ? 0 : 1;
const BATCH = options.quick ? 2 : 256;
const STEPS = options.quick ? 2 : MAX_STEPS;
const CANDIDATES = options.quick ? 1 : 4;
const began = performance.now();

const folder = mkdtempSync(join(tmpdir(), "polyrnn-card-"));
const rows = [];
/** Printed after the rows. */
const tables = [];
const row = (what, value) => {
  rows.push([what, value]);
  process.stderr.write(`${what}: ${value}\n`);
};
const milliseconds = (seconds) => `${(1000 * seconds).toFixed(3)} ms`;

try {
  if (options.numbers) await compareNumbers(await loadModel(options.model ?? "mobile"));
  else if (options.profile) await profile(await loadModel(options.model ?? (options.quick ? TINY_MODEL : "mobile")));
  else await allParts();
} finally {
  rmSync(folder, { recursive: true });
}
process.stdout.write(
  [...machineLines(describeMachine()), "", ...markdownTable(["What", "Measured"], rows), ...tables, ""].join("\n"),
);

async function allParts() {
  const modelName = options.model ?? (options.quick ? TINY_MODEL : "mobile");
  const model = await loadModel(modelName);
  const boxes = join(folder, "boxes.json");
  writeBoxes(boxes, BATCH);
  const crops = await readAllCrops(boxes, model.card.context);
  const pixels = stackPixels(crops);

  await part("open, and self-check", async () => {
    const { value: engine, seconds } = await timed(() => openWebGpuEngine(model));
    row("adapter", engine.version);
    const { from, note } = await tilesFor(await describeAdapter());
    row("tiles", `${tileName(engine.tiles)} (${from}${note === undefined ? "" : `: ${note}`})`);
    row("kernels of a run: encoder, step", `${engine.dispatches.encoder}, ${engine.dispatches.step} and the choice`);
    row("open, all shaders compiled", milliseconds(seconds));
    const { value: reference, seconds: onCpu } = await timed(() => referenceOf(model));
    row("self-check: the CPU's numbers, while shaders compile", milliseconds(onCpu));
    row("self-check: on the device", milliseconds((await timed(() => checkAgainst(engine, reference))).seconds));
    await engine.dispose();
  });
  await withEngine(model, {}, async (engine) => {
    await part("encoder and loop", () => loopTimes(engine, model, crops, pixels));
    await part("batch 1", () => singleTimes(engine, pixels));
    row("memory on the device, most, such crops in it", `${Math.round(engine.memory.peak / 2 ** 20)} MiB`);
  });
  await part("depthwise", () => depthwiseTimes(model, pixels, BATCH));
  await part("profile", () => profile(model));
  await part("host", () => hostTimes(model));
  await part("numbers", () => compareNumbers(model));
  await part("tiles", () => tileTrial(model, pixels));
  await part("vgg16", vggTimes);
  await part("annotate", () => annotateTimes(modelName));
  await part("PyTorch", torchTimes);
}

/** One part fails or is left out without the others. */
async function part(name, work) {
  if (performance.now() - began > 1000 * BUDGET_S) {
    row(name, "left out: the time is used up");
    return;
  }
  try {
    await work();
  } catch (error) {
    row(name, `failed: ${error instanceof Error ? error.message : error}`);
  }
}

async function withEngine(model, engineOptions, work) {
  const engine = await openWebGpuEngine(model, engineOptions);
  try {
    await work(engine);
  } finally {
    await engine.dispose();
  }
}

/** Median over the rounds. */
async function medianOf(work) {
  const each = [];
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    const result = await timed(work);
    if (round >= 0) each.push(result);
  }
  return {
    seconds: median(each.map(({ seconds }) => seconds)),
    cpuSeconds: median(each.map(({ cpuSeconds }) => cpuSeconds)),
  };
}

async function loopTimes(engine, model, crops, pixels) {
  const encoded = await medianOf(async () => (await engine.encode(pixels, BATCH)).dispose());
  row(`encoder at ${BATCH}, per instance`, milliseconds(encoded.seconds / BATCH));
  const whole = await medianOf(() => decodeGreedy(engine, pixels, BATCH, STEPS));
  row(`encoder and loop at ${BATCH}, instances/s`, (BATCH / whole.seconds).toFixed(1));
  const two = await medianOf(() => Promise.all([1, 2].map(() => decodeGreedy(engine, pixels, BATCH, STEPS))));
  row("the same, two batches in the slots", ((2 * BATCH) / two.seconds).toFixed(1));
  // All rows take all steps: a limit of two numbers of steps leaves the steps between them.
  const batch = await engine.encode(pixels, BATCH);
  const firsts = Array.from({ length: BATCH }, (_, at) => at % 784);
  const input = {
    first: Int32Array.from(firsts),
    previous: Int32Array.from(firsts),
    beforePrevious: new Int32Array(BATCH).fill(784),
  };
  const stepped = await medianOf(() => batch.step(input));
  row(`a step at ${BATCH} that gives logits, per instance`, milliseconds(stepped.seconds / BATCH));
  batch.dispose();
  const fresh = await engine.encode(pixels, BATCH);
  row(`crops of a batch of ${BATCH} that stay on the device`, `${(engine.memory.crops / 2 ** 20).toFixed(1)} MiB`);
  let steps = 0;
  const slots = await medianOf(async () => {
    const decoded = await fresh.decode(firsts, STEPS);
    steps = decoded.reduce((sum, { chosen }) => sum + chosen.length, 0);
  });
  row(`a step in slots at ${BATCH}, per row and step that counts`, milliseconds(slots.seconds / steps));
  row("processor time of that, all threads of the process", milliseconds(slots.cpuSeconds / steps));
  fresh.dispose();
  const frames = crops.map(({ window, bounds }) => ({ window, bounds }));
  const judged = await medianOf(() =>
    decodeOutlines(engine, pixels, frames, { maxSteps: STEPS, candidates: CANDIDATES }),
  );
  row(`judged and placed as annotate does, at ${BATCH}, instances/s`, (BATCH / judged.seconds).toFixed(1));
  row("processor time of that, per instance", milliseconds(judged.cpuSeconds / BATCH));
}

async function singleTimes(engine, pixels) {
  const one = pixels.subarray(0, pixels.length / BATCH);
  const { seconds } = await medianOf(async () => {
    const encoded = await engine.encode(one, 1);
    await encoded.decode([400], options.quick ? 2 : 20);
    encoded.dispose();
  });
  row("batch 1: encode and 20 steps, or to its end", milliseconds(seconds));
}

/** What it is worth to compute depthwise convolutions within the pointwise ones after them. In turn. */
async function depthwiseTimes(model, pixels, count) {
  const kernels = kernelModelOf(model);
  const engines = {
    joined: await openKernels(kernels),
    apart: await openKernels({ ...kernels, encoder: encoderPlan(model, { joinsDepthwise: false }) }),
  };
  const encode = (engine) => () => timed(async () => (await engine.encode(pixels, count)).dispose());
  const took = await interleaved(ROUNDS, { joined: encode(engines.joined), apart: encode(engines.apart) });
  const secondsOf = (name) => took[name].map(({ seconds }) => seconds);
  for (const [name, engine] of Object.entries(engines)) {
    const each = milliseconds(median(secondsOf(name)) / count);
    row(`encoder, depthwise ${name}: kernels, per instance`, `${engine.dispatches.encoder}, ${each}`);
    await engine.dispose();
  }
  const { median: half, low, high } = ratio(secondsOf("joined"), secondsOf("apart"));
  row("the same, joined / apart", `${half.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`);
}

/** Which kernels a batch waits for. The encoder takes crops in pieces, as many as an engine gives it at once. */
async function profile(model) {
  const gpu = await Gpu.open();
  try {
    const { tiles } = await tilesFor(gpu.adapter);
    const most = Number(options.crops ?? BATCH);
    const sizes = { encoderRows: Math.min(most, 32), stepRows: most };
    const { peak, parts } = await profileKernels(gpu, model, { ...sizes, tiles, quick: options.quick });
    row("most float32 multiply-adds of this device, TFLOP/s", tera(peak.flops));
    row("most bytes copied by it, read and written, GB/s", giga(peak.bytes));
    for (const one of parts) {
      const { columns, rows: lines } = profileTable(one, peak);
      tables.push("", `${model.card.name}, ${one.title}`, "", ...markdownTable(columns, lines));
    }
  } finally {
    gpu.close();
  }
}

/** What the host spends on kernels, whatever the device does meanwhile. */
async function hostTimes(model) {
  const gpu = await Gpu.open();
  try {
    const step = await Program.compile(gpu, stepPlan(model), model.weights);
    const plane = ({ shape: [channels, height, width] }) => gpu.buffer(4 * channels * height * width);
    const bindings = {};
    for (const node of step.plan.stored) {
      if (node.operation.kind === "input") bindings[node.operation.name] = { buffer: plane(node) };
    }
    for (const [name, node] of Object.entries(step.plan.outputs)) bindings[name] = { buffer: plane(node) };
    const bound = step.bind(1, bindings);
    const bind = [];
    const each = [];
    for (let round = 0; round < (options.quick ? 5 : 50); round++) {
      bind.push((await timed(() => step.bind(1, bindings))).seconds);
      const started = performance.now();
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let steps = 0; steps < 4; steps++) bound.record(pass);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
      each.push((performance.now() - started) / 1000 / (4 * step.dispatches));
      await gpu.read(bindings.logits.buffer, 4);
    }
    row("host: a kernel recorded and submitted, 4 steps at once", `${(1e6 * median(each)).toFixed(1)} us`);
    row("host: a step's kernels bound to their buffers, once per engine", `${(1e6 * median(bind)).toFixed(0)} us`);
  } finally {
    gpu.close();
  }
}

/** On photographs where they lie beside the checkout, else on the drawn scenes. */
async function compareNumbers(model) {
  const wanted = Number(options.crops ?? (options.quick ? BATCH : 200));
  const { crops, from } = await sampleCrops(model.card.context, wanted);
  row("numbers", `${model.card.name}, ${options.precision}, ${crops.length} of ${from}`);
  await withEngine(model, { precision: options.precision }, async (engine) => {
    const progress = (done, { steps, sameSteps }) =>
      process.stderr.write(`${done} crops, ${sameSteps} of ${steps} steps\n`);
    const found = await compareWithCpu(engine, model, crops, { maxSteps: STEPS, progress });
    for (const [name, share] of Object.entries(found.tensors))
      row(`${name}: largest difference, share of the range`, share.toExponential(1));
    const of = (same, all) => `${same} of ${all} (${((100 * same) / all).toFixed(3)} %)`;
    row("first vertices as on the CPU", of(found.sameFirsts, found.polygons));
    row("steps that choose the CPU's class, each from the CPU's vertices", of(found.sameSteps, found.steps));
    row("polygons with the CPU's cells, chosen on the device", of(found.samePolygons, found.polygons));
  });
}

/** The trial as an engine makes it, without its limit of time; then whether its choice is right for the network. */
async function tileTrial(model, pixels) {
  const gpu = await Gpu.open();
  const { seconds, value } = await timed(() =>
    tryCandidates(gpu, options.quick ? { budgetMs: 0, batch: 1, side: 4, roundMs: 0 } : { budgetMs: 10_000 }),
  ).finally(() => gpu.close());
  for (const { tiles, milliseconds: each } of value.tried)
    row(`trial, ${tileName(tiles)}: its layers`, `${each.toFixed(3)} ms`);
  if (value.leftOut.length > 0) row("trial: left out", value.leftOut.map(tileName).join("; "));
  row("trial: taken, after", `${tileName(value.tiles)}, ${milliseconds(seconds)}`);
  const byTime = [...value.tried].sort((a, b) => a.milliseconds - b.milliseconds).map(({ tiles }) => tiles);
  for (const tiles of options.quick ? [SAFE_TILES] : new Set([SAFE_TILES, ...byTime.slice(0, 2), byTime.at(-1)])) {
    await withEngine(model, { tiles }, async (engine) => {
      const encoded = await medianOf(async () => (await engine.encode(pixels, BATCH)).dispose());
      const whole = await medianOf(() => decodeGreedy(engine, pixels, BATCH, STEPS));
      row(
        `${tileName(tiles)}: encoder, encoder and loop, per instance`,
        `${milliseconds(encoded.seconds / BATCH)}, ${milliseconds(whole.seconds / BATCH)}`,
      );
    });
  }
}

function tileName({ columns, groups, threads }) {
  return `${columns} x ${4 * groups} values per thread, ${threads} threads`;
}

async function vggTimes() {
  if (options.quick) {
    row("vgg16", "left out of --quick: a software driver takes minutes for one crop");
    return;
  }
  const model = await loadModel("vgg16");
  const boxes = join(folder, "vgg16.json");
  writeBoxes(boxes, 64);
  const pixels = stackPixels(await readAllCrops(boxes, model.card.context));
  await withEngine(model, {}, async (engine) => {
    const { seconds } = await medianOf(() => decodeGreedy(engine, pixels, 64, STEPS));
    row("vgg16: encoder and loop at 64, instances/s", (64 / seconds).toFixed(1));
  });
}

async function annotateTimes(model) {
  const count = options.quick ? BATCH : 3072;
  for (const device of ["webgpu", "cpu"]) {
    const instances = device === "cpu" ? Math.min(count, 768) : count;
    const boxes = join(folder, `annotate-${device}.json`);
    writeBoxes(boxes, instances);
    const out = join(folder, `out-${device}`);
    const batchSize = device === "cpu" ? 8 : BATCH;
    const { summary } = await annotateInProcess({ boxes, out, model, device, batchSize, maxSteps: STEPS });
    row(`annotate on ${device}, ${instances} boxes, 6 per image, instances/s`, summary.instancesPerSecond.toFixed(1));
  }
}

function torchTimes() {
  const { status, stdout, stderr, error } = spawnSync(
    "python3",
    [join(import.meta.dirname, "card_torch.py"), String(BATCH), String(ROUNDS)],
    { encoding: "utf8", timeout: 90_000 },
  );
  if (status !== 0) {
    row("PyTorch", `not measured: ${(error?.message ?? stderr.trim().split("\n").at(-1)).slice(0, 120)}`);
    return;
  }
  for (const line of stdout.trim().split("\n")) row(...line.split("\t"));
}
