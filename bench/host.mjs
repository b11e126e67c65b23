/**
 * What the host does beside a graphics card, measured without one: kernels are recorded and submitted on a device that
 * computes nothing, judging and placing run over what the CPU gave for the same crops, and crops are read and cut. Each
 * says how many instances per second one thread can serve, however fast the card is.
 *
 *     npm run bench -- host
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Cutters } from "../dist/crop/cutters.js";
import { openEngine } from "../dist/engine/devices.js";
import { Gpu } from "../dist/engine/webgpu/device.js";
import { kernelModelOf, openKernels } from "../dist/engine/webgpu/engine.js";
import { Program, submit } from "../dist/engine/webgpu/program.js";
import { SAFE_TILES } from "../dist/engine/webgpu/tiles.js";
import { sharedCopy } from "../dist/asking.js";
import { EOS } from "../dist/geometry/grid.js";
import { loadModel } from "../dist/model/model.js";
import { decodeFrom } from "../dist/predict/decode.js";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { decodeWith, openJudges } from "../dist/predict/judges.js";
import { decodeOutlines } from "../dist/predict/outline.js";
import { stackPixels } from "../dist/crop/crop.js";
import { interleaved, mainThreadSeconds, median, timed } from "./harness.mjs";
import { cropsOf, sampleCrops, writeBoxes } from "./inputs.mjs";
import { replayed } from "./replay-thread.mjs";

const BATCH = 256;
/** Steps of a polygon, about as many as photographs take. */
const STEPS = 15;
const ADAPTER = {
  name: "none, for measuring",
  driver: "records and computes nothing",
  isSoftware: false,
  float16: "absent",
  limits: { bufferBytes: 2 ** 32, bindingBytes: 2 ** 31, buffersPerKernel: 16, workgroupBytes: 2 ** 15 },
  memoryBound: 2 ** 40,
};

export async function* measure({ quick }) {
  const model = await loadModel("mobile");
  const kernels = kernelModelOf(model);
  const { crops, from } = await sampleCrops(model.card.context, quick ? 8 : 64); // one part of a batch
  const frames = crops.map(({ window, bounds }) => ({ window, bounds }));
  const sample = stackPixels(crops);
  const pixels = new Uint8Array((sample.length / crops.length) * BATCH);
  const counts = { dispatches: 0, submits: 0, writes: 0 };
  const gpu = Gpu.over(nullDevice(counts), ADAPTER);
  const engine = await openKernels(kernels, { gpu, tiles: SAFE_TILES });
  const rowsDecoded = await engine.encode(pixels, BATCH);
  const firsts = Array.from({ length: BATCH }, (_, at) => at);
  const step = await bindStep(gpu, kernels);
  const recorded = await recordAnswers(model, sample, frames);
  const boxes = writeSomeBoxes(quick ? 24 : 240);
  const threads = await startThreads(recorded);
  const perRun = {};
  const mainSeconds = {};
  const busy = (name) => (mainSeconds[name] ??= []);
  const counted = async (name, work) => {
    const before = { ...counts };
    const mainBefore = mainThreadSeconds();
    const result = await timed(work);
    busy(name).push(mainThreadSeconds() - mainBefore);
    perRun[name] = Object.fromEntries(Object.entries(counts).map(([what, value]) => [what, value - before[what]]));
    return result;
  };
  try {
    const runs = await interleaved(quick ? 1 : 7, {
      dispatch: () => counted("dispatch", () => recordSteps(gpu, step)),
      encode: () => counted("encode", async () => (await engine.encode(pixels, BATCH)).dispose()),
      decode: () => counted("decode", () => rowsDecoded.decode(firsts, STEPS)),
      outlines: () => timed(() => decodeOutlines(replayed(recorded), sample, frames, OPTIONS)),
      outlines1: () => counted("outlines1", () => judge(threads.judges[1], crops)),
      outlines2: () => counted("outlines2", () => judge(threads.judges[2], crops)),
      crops: () => counted("crops", () => drain(cropsOf(boxes.path, model.card.context))),
      crops1: () => counted("crops1", () => cutBy(threads.cutters[1], boxes, model)),
      crops2: () => counted("crops2", () => cutBy(threads.cutters[2], boxes, model)),
    });
    yield toResult({ runs, perRun, mainSeconds, crops: crops.length, from, cropCount: boxes.count });
  } finally {
    rmSync(boxes.folder, { recursive: true });
    await threads.close();
  }
}

const OPTIONS = { maxSteps: MAX_STEPS, candidates: DEFAULT_CANDIDATES };

/** Threads that cut and judge, one and two of each. */
async function startThreads(answers) {
  const replay = new Worker(new URL("./replay-thread.mjs", import.meta.url), { workerData: { answers } });
  const cutters = { 1: new Cutters(1), 2: new Cutters(2) };
  const serve = async (port) => replay.postMessage(port, [port]);
  const judges = Object.fromEntries([1, 2].map((count) => [count, openJudges(KNOWN, count, serve)]));
  await Promise.all(Object.values(judges).flatMap((some) => some.map(({ opened }) => opened)));
  return {
    cutters,
    judges,
    async close() {
      const askers = Object.values(judges).flatMap((some) => some.map(({ thread }) => thread));
      await Promise.all([...Object.values(cutters), ...askers].map((one) => one.close()));
      await replay.terminate();
    },
  };
}

const KNOWN = { name: "wgsl", device: "webgpu", version: "replayed" };

/** The crops are one part of a batch: each judge gets them once. */
function judge(judges, crops) {
  const shared = crops.map((crop) => ({ ...crop, pixels: sharedCopy(crop.pixels) }));
  return Promise.all(judges.map((one) => decodeWith([one])(shared, OPTIONS)));
}

function cutBy(maker, { path }, model) {
  return drain(cropsOf(path, model.card.context, { maker }));
}

function toResult({ runs, perRun, mainSeconds, crops, from, cropCount }) {
  const perInstance = (name, per) => `${microseconds(median(mainSeconds[name]) / per)} us`;
  const ratio = (name, to) => (wall(to) / wall(name)).toFixed(2);
  const cpu = (name) => median(runs[name].map(({ cpuSeconds }) => cpuSeconds));
  const wall = (name) => median(runs[name].map(({ seconds }) => seconds));
  const microseconds = (value) => (1e6 * value).toFixed(value < 1e-5 ? 2 : 0);
  const row = (what, name, per, unit, cap) => [
    what,
    unit,
    microseconds(wall(name) / per),
    microseconds(cpu(name) / per),
    cap === undefined ? "" : Math.round(cap).toString(),
  ];
  const rowSteps = BATCH * STEPS;
  return {
    name: "host",
    title: "what the host does beside a card that takes no time",
    columns: ["What", "per", "us, wall", "us, processor", "instances/s"],
    rows: [
      row("a kernel recorded and submitted", "dispatch", perRun.dispatch.dispatches, "dispatch"),
      row(`a batch of ${BATCH} encoded: upload, kernels, maps back`, "encode", BATCH, "crop", BATCH / wall("encode")),
      row(`slots: ${BATCH} polygons of ${STEPS} steps`, "decode", rowSteps, "row and step", BATCH / wall("decode")),
      row("judging and placing, answers ready", "outlines", crops, "instance", crops / wall("outlines")),
      row("the same by 1 thread beside", "outlines1", crops, "instance", crops / wall("outlines1")),
      row("the same by 2 threads beside", "outlines2", 2 * crops, "instance", (2 * crops) / wall("outlines2")),
      row(
        "crops: 640 x 480 JPEGs decoded, 6 windows cut of each",
        "crops",
        cropCount,
        "crop",
        cropCount / wall("crops"),
      ),
      row("the same by 1 thread beside", "crops1", cropCount, "crop", cropCount / wall("crops1")),
      row("the same by 2 threads beside", "crops2", cropCount, "crop", cropCount / wall("crops2")),
    ],
    notes: [
      `The main thread, processor time per instance: ${perInstance("crops", cropCount)} of its own cutting, ` +
        `${perInstance("crops1", cropCount)} and ${perInstance("crops2", cropCount)} beside 1 and 2 threads; ` +
        `${perInstance("outlines1", crops)} and ${perInstance("outlines2", 2 * crops)} beside 1 and 2 judges.`,
      `Times as many crops as one thread: ${ratio("crops1", "crops")} and ${ratio("crops2", "crops")}. ` +
        `Judged: ${ratio("outlines1", "outlines")} and ${(2 * ratio("outlines2", "outlines")).toFixed(2)}.`,
      `A batch of ${BATCH} encoded: ${perRun.encode.dispatches} dispatches, ${perRun.encode.submits} submissions. ` +
        `Its polygons: ${perRun.decode.dispatches} dispatches, ${perRun.decode.submits} submissions, ${perRun.decode.writes} writes.`,
      `Judging and placing: ${crops} crops, ${from}; choice of first vertices included. Doubted crops are flipped on the device.`,
      "The device records and computes nothing; Dawn's own part of a dispatch comes on top (bench/card.mjs).",
    ],
  };
}

/** The kernels of 400 steps, four steps a submission. */
function recordSteps(gpu, step) {
  for (let round = 0; round < 100; round++) submit(gpu, [step, step, step, step]);
}

/** A decoder step that is bound to its buffers. */
async function bindStep(gpu, { step: plan, weights }) {
  const step = await Program.compile(gpu, plan, weights, SAFE_TILES);
  const inputs = [...plan.stored].flatMap(({ operation }) => (operation.kind === "input" ? [operation.name] : []));
  const names = [...inputs, ...Object.keys(plan.outputs)];
  return step.bind(1, Object.fromEntries(names.map((name) => [name, { buffer: gpu.buffer(16) }])));
}

/** Counts what it is told; what is read of it is zeros: class 0 with a log-probability of 0. */
function nullDevice(counts) {
  let zeros = new ArrayBuffer(0);
  const made = () => ({ getBindGroupLayout: made });
  const pass = {
    setPipeline() {},
    setBindGroup() {},
    dispatchWorkgroups() {
      counts.dispatches++;
    },
    end() {},
  };
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer() {}, clearBuffer() {}, finish: made };
  return {
    limits: { maxStorageBuffersPerShaderStage: 16, maxStorageBufferBindingSize: 2 ** 31 },
    lost: new Promise(() => {}),
    queue: {
      submit() {
        counts.submits++;
      },
      writeBuffer() {
        counts.writes++;
      },
    },
    createBuffer: ({ size }) => ({
      size,
      destroy() {},
      mapAsync: async () => {},
      getMappedRange: () => (zeros.byteLength >= size ? zeros : (zeros = new ArrayBuffer(size))),
    }),
    createBindGroupLayout: made,
    createPipelineLayout: made,
    createShaderModule: made,
    createComputePipelineAsync: async () => made(),
    createBindGroup: made,
    createCommandEncoder: () => encoder,
    destroy() {},
  };
}

/** What the CPU answers to everything that `decodeOutlines` asks for these crops, in order. */
async function recordAnswers(model, pixels, frames) {
  const { engine } = await openEngine(model, { device: "cpu" });
  const answers = [];
  const recording = (encoded) => ({
    size: encoded.size,
    firstVertexLogits: encoded.firstVertexLogits,
    maskLogits: encoded.maskLogits,
    fineMaskLogits: encoded.fineMaskLogits,
    async decode(firsts, maxSteps) {
      const sequences = await decodeFrom(encoded.select(firsts.map((_, row) => row)), firsts, maxSteps);
      const rows = sequences.map(({ cells, ended, logProbability }) => ({
        chosen: [...cells.slice(1), ...(ended ? [EOS] : [])],
        logProbability,
      }));
      answers.push(rows);
      return rows;
    },
    select: (rows) => recording(encoded.select(rows)),
    dispose: () => encoded.dispose(),
  });
  const recorder = {
    ...engine,
    async encode(crops, count) {
      const encoded = await engine.encode(crops, count);
      const { firstVertexLogits, maskLogits, fineMaskLogits } = encoded;
      answers.push({ size: count, firstVertexLogits, maskLogits, fineMaskLogits });
      return recording(encoded);
    },
  };
  await decodeOutlines(recorder, pixels, frames, OPTIONS);
  await engine.dispose();
  return answers;
}

function writeSomeBoxes(count) {
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  const path = join(folder, "boxes.json");
  writeBoxes(path, count);
  return { folder, path, count };
}

async function drain(crops) {
  let count = 0;
  for await (const { pixels } of crops) count += pixels.length > 0 ? 1 : 0;
  return count;
}
