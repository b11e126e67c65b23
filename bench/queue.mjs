/**
 * What the queue costs and how it scales: 1, 2, 4, 8 workers with the tiny model, each batch made to last 50 ms so that
 * two cores suffice, against one process that draws the same batches without a queue. Everything is real but the length
 * of a batch: a Redis server of the benchmark's own, worker processes, journal, results. Needs redis-server.
 *
 *     npm run build && node bench/run.mjs queue
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import sharp from "sharp";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { annotate } from "../dist/annotate/annotate.js";
import { parseRedisAddress } from "../dist/queue/address.js";
import { openQueuePredictor } from "../dist/queue/coordinator.js";
import { ROOT, interleaved, median, ratio, ratioRow, timed } from "./harness.mjs";
import { connectToQueue } from "../dist/queue/connection.js";
import { JobBoard } from "../dist/queue/job-board.js";
import { loadModel } from "../dist/model/model.js";
import { JOB_VERSION } from "../dist/queue/job.js";
import { IMAGES, TINY_MODEL, readAllCrops, writeBoxes } from "./inputs.mjs";
import { batchPredictor } from "./queue-worker.mjs";

const BATCH_MS = 50;
const BATCH_SIZE = 2;
const WORKERS = [1, 2, 4, 8];
const WORKER = fileURLToPath(new URL("queue-worker.mjs", import.meta.url));
/** Small pictures: what is measured is the queue, not the decoding of photographs. */
const SIDES = { width: 160, height: 120 };

/** One image per batch, as box files of a few boxes per image have it. */
async function makeInput(home, batches) {
  const images = join(home, "images");
  mkdirSync(images, { recursive: true });
  await sharp(join(IMAGES, "street.jpg"))
    .resize({ ...SIDES, fit: "fill" })
    .toFile(join(images, "street.jpg"));
  const boxes = join(home, `boxes-${batches}.json`);
  writeFileSync(
    boxes,
    JSON.stringify({
      images: Array.from({ length: batches }, (_, i) => ({ id: i + 1, file_name: "street.jpg", ...SIDES })),
      categories: [{ id: 1, name: "thing" }],
      annotations: Array.from({ length: batches * BATCH_SIZE }, (_, i) => ({
        id: i + 1,
        image_id: 1 + Math.floor(i / BATCH_SIZE),
        category_id: 1,
        iscrowd: 0,
        bbox: [10 + ((i * 7) % 60), 10 + ((i * 5) % 40), 60, 50],
      })),
    }),
  );
  return { home, images, boxes, batchSize: BATCH_SIZE, instances: batches * BATCH_SIZE };
}

/** Part of a run in which everyone warms up; it is not counted. */
const WARM_UP = 0.25;

/** @returns instances per second in the steady state, and what was written */
async function draw(input, predictor, { model = TINY_MODEL, maxSteps = 3 } = {}) {
  const times = [];
  const out = join(input.home, "out");
  const host = {
    signal: new AbortController().signal,
    note: () => undefined,
    failure: () => undefined,
    data: async () => undefined,
    progress: ({ finishedNow }) => {
      if (finishedNow > 0) times.push({ at: performance.now(), finishedNow, cpu: process.cpuUsage() });
    },
  };
  const summary = await annotate(
    {
      images: input.images,
      boxes: input.boxes,
      out,
      formats: ["coco"],
      model,
      device: "cpu",
      batchSize: input.batchSize,
      maxSteps,
      candidates: DEFAULT_CANDIDATES,
      minScore: 0,
      simplify: 0,
      categories: [],
      existing: "predict",
      overlays: "none",
      resume: false,
      force: true,
    },
    host,
    predictor,
  );
  // Random weights fail at a few boxes: fewer than three vertices.
  if (summary.done + summary.failed !== input.instances)
    throw new Error(`expected ${input.instances} outcomes, received ${summary.done + summary.failed}`);
  const first = times[Math.floor(times.length * WARM_UP)],
    last = times.at(-1);
  const drawn = last.finishedNow - first.finishedNow;
  const cpuMs = (last.cpu.user + last.cpu.system - first.cpu.user - first.cpu.system) / 1000;
  return {
    perSecond: drawn / ((last.at - first.at) / 1000),
    cpuMsPerBatch: cpuMs / (drawn / input.batchSize),
    text: readFileSync(join(out, "annotations.json"), "utf8"),
  };
}

async function startServer(home) {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", home, "--save", ""], {
    stdio: "ignore",
  });
  const client = new Redis({ port, maxRetriesPerRequest: null });
  client.on("error", () => undefined);
  await client.ping();
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    stop: () => {
      client.disconnect();
      child.kill("SIGKILL");
    },
  };
}

const numberIn = (info, name) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)[1]);

/** One run with so many workers: speed, bytes, processor time and memory of everyone involved. */
async function drawWithWorkers(input, server, count, settings = {}) {
  const { batchMs = BATCH_MS, model = TINY_MODEL } = settings;
  const { client, url } = server;
  await client.flushall();
  const workers = Array.from({ length: count }, () =>
    spawn(process.execPath, [WORKER, url, input.images, String(batchMs), model], {
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  const words = workers.map(async ({ stdout }) => {
    let text = "";
    for await (const piece of stdout.setEncoding("utf8")) text += piece;
    return text;
  });
  try {
    while ((await client.keys("polyrnn:worker:*")).length < count) await wait(50);
    await wait(300); // they also begin to listen
    for (const worker of workers) worker.kill("SIGUSR2");
    await client.config("RESETSTAT");
    const idle = await client.info();
    const run = await draw(
      input,
      openQueuePredictor({ queue: parseRedisAddress(url), timeoutMs: 60_000, attempts: 3, priority: 0 }),
      settings,
    );
    const busy = await client.info();
    const batches = input.instances / input.batchSize;
    const grown = (name) => (numberIn(busy, name) - numberIn(idle, name)) / batches;
    for (const worker of workers) worker.kill("SIGTERM");
    const cpuMs = (await Promise.all(words)).map((text) => JSON.parse(text).cpuMs);
    return {
      ...run,
      inBytes: grown("total_net_input_bytes"),
      outBytes: grown("total_net_output_bytes"),
      redisMs: 1000 * (grown("used_cpu_user") + grown("used_cpu_sys")),
      workerMs: cpuMs.reduce((sum, value) => sum + value, 0) / batches,
      peakMiB: numberIn(busy, "used_memory_peak") / 2 ** 20,
    };
  } finally {
    for (const worker of workers) worker.kill("SIGKILL");
  }
}

/** @returns the harness's result, with the figures the paper estimate is made of (estimate.mjs) */
export async function* measure({ quick, full }) {
  if (spawnSync("redis-server", ["--version"]).status !== 0)
    throw new Error("redis-server is not installed (apt-get install redis-server)");
  const [batchesEach, rounds] = quick ? [40, 1] : full ? [400, 5] : [120, 3];
  const home = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  const server = await startServer(home);
  try {
    // As long for many workers as for one: each has the same number of batches to draw.
    const inputs = new Map();
    for (const count of WORKERS) inputs.set(count, await makeInput(home, count * batchesEach));
    const runs = await interleaved(
      rounds,
      {
        0: () => draw(inputs.get(1), batchPredictor(BATCH_MS)),
        ...Object.fromEntries(WORKERS.map((count) => [count, () => drawWithWorkers(inputs.get(count), server, count)])),
      },
      { warmUp: false },
    );
    yield toResult(runs, batchesEach, rounds);
    yield await measureCosts(home, server, quick ? 4 : 24);
  } finally {
    server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

function toResult(runs, batchesEach, rounds) {
  const of = (count, name) => median(runs[count].map((run) => run[name]));
  const speeds = (count) => runs[count].map(({ perSecond }) => perSecond);
  const row = (count) => [
    count === 0 ? "none: one process" : String(count),
    of(count, "perSecond").toFixed(1),
    (of(count, "perSecond") / of(1, "perSecond")).toFixed(2),
    ...(count === 0
      ? ["", of(0, "cpuMsPerBatch").toFixed(1), "", ""]
      : [
          of(count, "workerMs").toFixed(1),
          of(count, "cpuMsPerBatch").toFixed(1),
          of(count, "redisMs").toFixed(2),
          of(count, "peakMiB").toFixed(1),
        ]),
  ];
  const isSame = runs[1].every(({ text }, round) => text === runs[0][round].text);
  return {
    name: "queue",
    title: `Workers over a queue: batches of ${BATCH_SIZE} that last ${BATCH_MS} ms`,
    columns: [
      "Workers",
      "Instances/s",
      "Speed-up",
      "Worker, CPU ms/job",
      "Coordinator, CPU ms/job",
      "Redis, CPU ms/job",
      "Redis, peak MiB",
    ],
    rows: [0, ...WORKERS].map(row),
    ratios: [
      ...WORKERS.slice(1).map((count) =>
        ratioRow(
          `speed with ${count} workers over 1`,
          ratio(speeds(count), speeds(1)),
          count === 8 ? { atLeast: 7 } : {},
        ),
      ),
      ratioRow("time per instance, 1 worker over one process without a queue", ratio(speeds(0), speeds(1)), {
        atMost: 1.02,
      }),
    ],
    notes: [
      `${batchesEach} batches per worker, the first quarter not counted; ${rounds} rounds that take turns`,
      `annotations.json with one worker and without a queue: ${isSame ? "the same bytes" : "DIFFERENT"}`,
    ],
  };
}

const REAL_BATCH = 16;
const BOXES_PER_IMAGE = 6;

function meanImageBytes() {
  const sizes = readdirSync(IMAGES).map((name) => statSync(join(IMAGES, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

/**
 * What a job of the usual size costs everyone, with the real model and nothing simulated: the figures estimate.mjs
 * reckons with.
 */
async function measureCosts(home, server, batches) {
  const boxes = join(home, "boxes-real.json");
  writeBoxes(boxes, batches * REAL_BATCH, BOXES_PER_IMAGE);
  const input = { home, images: IMAGES, boxes, batchSize: REAL_BATCH, instances: batches * REAL_BATCH };
  const run = await drawWithWorkers(input, server, 1, { model: "mobile", maxSteps: MAX_STEPS, batchMs: 0 });
  const { workerMs, cpuMsPerBatch, redisMs, inBytes, outBytes, text } = run;
  const reading = await timed(() => readAllCrops(boxes, 0.15));
  const figures = {
    batchSize: REAL_BATCH,
    workerMs,
    coordinatorMs: cpuMsPerBatch,
    redisMs,
    inBytes,
    outBytes,
    ...(await memoryOfJobs(server, input)),
    // What stays on processors when the network moves to a GPU.
    feedMs: (1000 * reading.cpuSeconds) / batches,
    writtenBytes: text.length / batches,
    imageBytes: (REAL_BATCH / BOXES_PER_IMAGE) * meanImageBytes(),
  };
  const row = (what, value, unit) => [
    what,
    value.toFixed(value < 10 ? 2 : 0),
    (value / REAL_BATCH).toFixed(value < 100 ? 3 : 1),
    unit,
  ];
  return {
    name: "queue-costs",
    title: `A job of ${REAL_BATCH} instances, mobile, 640 x 480 JPEGs with ${BOXES_PER_IMAGE} boxes each`,
    columns: ["What", "Per job", "Per instance", ""],
    rows: [
      row("worker, processor time", workerMs, "ms"),
      row("coordinator, processor time", cpuMsPerBatch, "ms"),
      row("Redis, processor time", redisMs, "ms"),
      row("into Redis", inBytes, "bytes"),
      row("out of Redis", outBytes, "bytes"),
      row("of the worker's: decoding and cropping", figures.feedMs, "ms"),
      row("annotations.json", figures.writtenBytes, "bytes"),
      row("images, each read once", figures.imageBytes, "bytes"),
      row("Redis memory, job that waits", figures.waitingBytes, "bytes"),
      row("Redis memory, result until it is journaled", figures.resultBytes, "bytes"),
    ],
    ratios: [
      ratioRow(
        "processor time of coordinator and Redis over the worker's",
        ratio([cpuMsPerBatch + redisMs], [workerMs]),
        { atMost: 0.02 },
      ),
    ],
    notes: [
      `${batches} jobs with one worker; the memory of waiting jobs is what 2,000 more of them add, that of a result its length with polygons of 20 vertices`,
    ],
    figures,
  };
}

/** What one more job, and one more result, adds to the memory of Redis. */
async function memoryOfJobs({ client, url }, { boxes }) {
  await client.flushall();
  const { hash } = await loadModel("mobile");
  const { images: records, annotations } = JSON.parse(readFileSync(boxes, "utf8"));
  const some = annotations.slice(0, REAL_BATCH);
  const job = {
    type: "polyrnn-job",
    version: JOB_VERSION,
    run: "0".repeat(16),
    model: hash,
    options: { context: 0.15, maxSteps: MAX_STEPS, candidates: DEFAULT_CANDIDATES, minScore: 0, simplify: 0 },
    attempts: 3,
    images: [...new Set(some.map(({ image_id }) => image_id))].map((imageId) => ({
      path: records[imageId - 1].file_name,
      width: 640,
      height: 480,
      instances: some
        .filter(({ image_id }) => image_id === imageId)
        .map(({ id, bbox }, ordinal) => ({ ordinal, annotationId: id, imageId, box: bbox })),
    })),
  };
  const connection = await connectToQueue({ queue: parseRedisAddress(url), timeoutMs: 60_000 });
  const board = await JobBoard.open(connection, hash, 0, { ended: () => undefined });
  const used = async () => numberIn(await client.info("memory"), "used_memory");
  const put = (count, from) =>
    board.enqueue(
      Array.from({ length: count }, (_, i) => ({
        id: `${"0".repeat(16)}-${from + i}`,
        job,
        instances: new Map(),
        settled: [],
      })),
    );
  await put(1000, 0);
  const before = await used();
  await put(2000, 1000);
  const waitingBytes = ((await used()) - before) / 2000;
  board.close();
  connection.close();
  // A result: polygons of about 20 vertices with the fields a worker sends.
  const outcome = (ordinal) => ({
    ordinal,
    status: "done",
    ring: Array.from({ length: 20 }, (_, i) => ({ x: 100.25 + i, y: 200.5 + i })),
    score: 0.9123,
    ended: true,
    clipped: false,
    imageWidth: 640,
    imageHeight: 480,
  });
  const result = JSON.stringify({
    type: "polyrnn-result",
    version: JOB_VERSION,
    model: hash,
    engine: "onnxruntime",
    device: "cpu",
    engineVersion: "onnxruntime-node 1.30.0",
    milliseconds: { decode: 1, crop: 1, encode: 1, steps: 1 },
    outcomes: Array.from({ length: REAL_BATCH }, (_, i) => outcome(i)),
  });
  return { waitingBytes, resultBytes: result.length };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { status } = spawnSync(process.execPath, [join(ROOT, "bench", "run.mjs"), "queue", ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}
