/**
 * A doubted crop flipped in the first kernel, beside one whose pixels the host exchanges and uploads again: what the
 * thread that judges spends on either, what an upload costs, and whether the kernel is slower for looking up its row.
 *
 *     npm run bench -- flip
 */
import { MessageChannel, Worker } from "node:worker_threads";
import { CROP_BYTES } from "../dist/crop/crop.js";
import { Gpu } from "../dist/engine/webgpu/device.js";
import { planKernels } from "../dist/engine/webgpu/plan.js";
import { Program, submit } from "../dist/engine/webgpu/program.js";
import { RecordOps } from "../dist/engine/webgpu/record.js";
import { CELL_COUNT, CROP_SIZE, FINE_COUNT } from "../dist/geometry/grid.js";
import { loadModel } from "../dist/model/model.js";
import { engineOver } from "../dist/predict/engine-port.js";
import { flipCrops } from "../dist/predict/flip.js";
import { createRandom } from "../dist/random.js";
import { interleaved, mainThreadSeconds, median, ratio, ratioRow, timed } from "./harness.mjs";
import { TINY_MODEL } from "./inputs.mjs";

/** A judge's part of a batch, and the third of it that is doubted. */
const PART = 64;
const DOUBTED = Array.from({ length: 21 }, (_, at) => 3 * at);

export async function* measure({ quick }) {
  const random = createRandom("flip");
  const pixels = Uint8Array.from({ length: PART * CROP_BYTES }, () => random.integer(256));
  yield await judging(pixels, quick);
  yield await kernels(pixels, quick);
}

/** The thread with the kernels answers at once: what is left is the asker's work, and pixels on their way. */
async function judging(pixels, quick) {
  const maps = (cells) => new Float32Array(DOUBTED.length * cells);
  const answer = {
    size: DOUBTED.length,
    firstVertexLogits: maps(CELL_COUNT),
    maskLogits: maps(CELL_COUNT),
    fineMaskLogits: maps(FINE_COUNT),
  };
  const replay = new Worker(new URL("./replay-thread.mjs", import.meta.url), { workerData: { answers: [answer] } });
  const { port1, port2 } = new MessageChannel();
  replay.postMessage(port1, [port1]);
  const engine = engineOver(port2, { name: "wgsl", device: "webgpu", version: "replayed" });
  const encoded = await engine.encode(pixels, PART);
  const times = quick ? 1 : 10;
  const repeated = async (encodeFlipped) => {
    const before = mainThreadSeconds();
    const result = await timed(async () => {
      for (let time = 0; time < times; time++) (await encodeFlipped()).dispose();
    });
    return { ...result, askerSeconds: mainThreadSeconds() - before };
  };
  try {
    const runs = await interleaved(quick ? 1 : 15, {
      pixels: () => repeated(() => engine.encode(flipCrops(pixels, DOUBTED), DOUBTED.length)),
      flag: () => repeated(() => encoded.flipped(DOUBTED)),
    });
    const per = 1e6 / (times * DOUBTED.length);
    const row = (what, name) => [
      what,
      ...["seconds", "askerSeconds", "cpuSeconds"].map((key) =>
        (per * median(runs[name].map((run) => run[key]))).toFixed(0),
      ),
    ];
    const saved = runs.pixels.map(({ askerSeconds }, round) => per * (askerSeconds - runs.flag[round].askerSeconds));
    return {
      name: "flip",
      title: "a doubted crop, encoded flipped for a thread that judges",
      columns: ["What", "us, wall", "us, processor of that thread", "us, processor of both"],
      rows: [
        row("pixels exchanged, copied and handed over", "pixels"),
        row("rows named, crops kept on the device", "flag"),
      ],
      notes: [
        `${DOUBTED.length} of ${PART} crops at once; the other thread answers with maps that lie ready.`,
        `Saved for the thread that judges, round by round: ${median(saved).toFixed(0)} us of its processor time per ` +
          `doubted crop (${Math.min(...saved).toFixed(0)} to ${Math.max(...saved).toFixed(0)}).`,
      ],
    };
  } finally {
    await engine.dispose();
    await replay.terminate();
  }
}

/** The encoder as it is, whose first kernel looks up the crop of each row, beside one that reads them in order. */
async function kernels(pixels, quick) {
  const gpu = await Gpu.open();
  try {
    const { isSoftware } = gpu.adapter;
    const count = isSoftware ? 2 : PART;
    const model = await loadModel(isSoftware ? TINY_MODEL : "mobile");
    const crops = gpu.upload(pixels.slice(0, count * CROP_BYTES));
    const views = gpu.upload(Int32Array.from({ length: count }, (_, row) => row));
    const build = {
      layer: (ops, seen) => ({
        y: ops.relu6(ops.conv2d(ops.normalize(seen, model.normalization), "w", { stride: 2 })),
      }),
      encoder: (ops, seen) => model.network.encode(ops, seen, model.normalization),
    };
    const variants = {};
    for (const [what, outputsOf] of Object.entries(build)) {
      for (const isViewed of [false, true]) {
        const program = await compile(gpu, model, outputsOf, isViewed);
        const times = what === "layer" ? 10 : 1;
        variants[`${what}${isViewed ? "Viewed" : ""}`] = await repeatedRun(gpu, program, {
          count,
          crops,
          views,
          times,
        });
      }
    }
    const bytes = pixels.slice(0, DOUBTED.length * CROP_BYTES);
    variants.upload = () =>
      timed(async () => {
        const buffer = gpu.upload(bytes);
        await gpu.read(buffer, 4);
        gpu.free([buffer]);
      });
    const runs = await interleaved(quick ? 1 : 25, variants);
    const cpu = (name) => runs[name].map(({ cpuSeconds }) => cpuSeconds);
    const wall = (name) => runs[name].map(({ seconds }) => seconds);
    const perUpload = (1e6 * median(cpu("upload"))) / DOUBTED.length;
    return {
      name: "flip-kernels",
      title: `the first kernel through an index per row, ${gpu.adapter.name}, ${count} crops`,
      columns: ["What", "ms, wall, per crop", "ms, processor, per crop"],
      rows: Object.keys(build).flatMap((what) =>
        [what, `${what}Viewed`].map((name) => {
          const per = 1000 / (count * (what === "layer" ? 10 : 1));
          const title = `${what}${name === what ? ", rows in order" : ", rows looked up"}`;
          return [title, (per * median(wall(name))).toFixed(2), (per * median(cpu(name))).toFixed(2)];
        }),
      ),
      ratios: Object.keys(build).flatMap((what) => [
        ratioRow(`processor time, ${what}, looked up / in order`, ratio(cpu(`${what}Viewed`), cpu(what))),
        ratioRow(`wall time, ${what}, looked up / in order`, ratio(wall(`${what}Viewed`), wall(what))),
      ]),
      notes: [
        `The layer: 3 x 3, stride 2, 16 channels. The encoder: ${model.card.name}.`,
        `An upload of ${DOUBTED.length} crops, which a flip on the device saves the thread with the kernels: ` +
          `${perUpload.toFixed(0)} us of processor time per crop.`,
      ],
    };
  } finally {
    gpu.close();
  }
}

async function compile(gpu, model, outputsOf, isViewed) {
  const random = createRandom("layer");
  const noise = (...shape) => ({
    shape,
    values: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
  });
  const weights = new Map([...model.weights, ["w.weight", noise(16, 3, 3, 3)], ["w.bias", noise(16)]]);
  const ops = new RecordOps(weights);
  const pixels = ops.input("pixels", "pixels", [3, CROP_SIZE, CROP_SIZE]);
  const outputs = outputsOf(ops, isViewed ? ops.view(pixels, ops.input("views", "view", [1, 1, 1])) : pixels);
  const { features, edge, ...used } = outputs; // as the engine, which leaves these in the device
  return Program.compile(gpu, planKernels(used), weights);
}

async function repeatedRun(gpu, program, { count, crops, views, times }) {
  const bindings = { pixels: { buffer: crops }, views: { buffer: views } };
  for (const [name, { shape }] of Object.entries(program.plan.outputs))
    bindings[name] = { buffer: gpu.buffer(4 * count * shape.reduce((a, b) => a * b)) };
  const bound = program.bind(count, bindings, program.allocate(count));
  const [{ buffer }] = Object.keys(program.plan.outputs).map((name) => bindings[name]);
  return () =>
    timed(async () => {
      for (let time = 0; time < times; time++) submit(gpu, [bound]);
      await gpu.read(buffer, 4);
    });
}
