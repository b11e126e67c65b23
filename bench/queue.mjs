/**
 * What the queue costs and how it scales: 1, 2, 4, 8 workers with the tiny model, each batch made to last 50 ms, against one process
 * that draws the same batches without a queue. Needs redis-server and a build.
 *
 *     npm run build && node bench/queue.mjs [batches]
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { annotate } from "../dist/annotate/annotate.js";
import { batchDrawer } from "./queue-worker.mjs";
import { drawOverQueue } from "../dist/queue/draw-over-queue.js";

const BATCH_MS = 50;
const BATCH_SIZE = 2;
const batches = Number(process.argv[2] ?? 400);
const root = fileURLToPath(new URL("..", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));

const coco = JSON.parse(readFileSync(join(root, "fixtures/boxes.json"), "utf8"));
const one = coco.annotations.filter((annotation) => annotation.image_id === coco.images[0].id && !annotation.iscrowd);
// One image: what is measured is the queue, not the decoding of photographs.
const annotations = Array.from({ length: batches * BATCH_SIZE }, (_, i) => ({ ...one[i % one.length], id: i + 1 }));
const boxes = join(home, "boxes.json");
writeFileSync(boxes, JSON.stringify({ ...coco, images: coco.images.slice(0, 1), annotations }));

const options = (out) => ({
  images: join(root, "fixtures/images"), boxes, out: join(home, out), formats: ["coco"], model: join(root, "fixtures/models/tiny-random"), device: "cpu",
  batchSize: BATCH_SIZE, maxSteps: 3, minScore: 0, simplify: 0, categories: [], existing: "predict", overlays: "none", resume: false, force: true,
});
const host = { signal: new AbortController().signal, note: () => undefined, progress: () => undefined, failure: () => undefined, data: async () => undefined };

/** Seconds from the first finished batch to the last, so that starting processes does not count. */
async function measure(out, drawer) {
  const times = [];
  await annotate(options(out), { ...host, progress: ({ finishedNow }) => { if (finishedNow > 0) times.push({ at: performance.now(), finishedNow }); } }, drawer);
  const first = times[Math.floor(times.length * 0.05)], last = times.at(-1);
  return { perSecond: (last.finishedNow - first.finishedNow) / ((last.at - first.at) / 1000), journal: readFileSync(join(home, out, "annotations.json"), "utf8") };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const port = await freePort();
const redis = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", home, "--save", ""], { stdio: "ignore" });
const queue = `redis://127.0.0.1:${port}`;
const client = new Redis({ port, maxRetriesPerRequest: null });
const rows = [];
try {
  const alone = await measure("alone", batchDrawer(BATCH_MS));
  rows.push({ workers: "none (one process)", perSecond: alone.perSecond });
  for (const count of [1, 2, 4, 8]) {
    await client.flushall();
    const workers = Array.from({ length: count }, () => spawn(process.execPath, [join(root, "bench/queue-worker.mjs"), queue, String(BATCH_MS)], { stdio: "ignore" }));
    while ((await client.keys("polyrnn:worker:*")).length < count) await wait(100);
    const before = await client.info("stats");
    const run = await measure(`queue-${count}`, drawOverQueue({ queue, timeoutMs: 60_000, attempts: 3, priority: 0 }));
    const after = await client.info("stats");
    const bytes = (name) => (number(after, name) - number(before, name)) / annotations.length;
    const peak = number(await client.info("memory"), "used_memory_peak");
    rows.push({ workers: count, perSecond: run.perSecond, inBytes: bytes("total_net_input_bytes"), outBytes: bytes("total_net_output_bytes"), peakMiB: peak / 2 ** 20, same: run.journal === alone.journal });
    for (const worker of workers) worker.kill("SIGTERM");
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("close", resolve))));
  }
} finally {
  client.disconnect();
  redis.kill("SIGKILL");
  rmSync(home, { recursive: true, force: true });
}

const single = rows.find(({ workers }) => workers === 1);
for (const { workers, perSecond, inBytes, outBytes, peakMiB, same } of rows) {
  console.log(`${String(workers).padEnd(20)} ${perSecond.toFixed(1)} instances/s  speed-up ${(perSecond / single.perSecond).toFixed(2)}`
    + (inBytes === undefined ? "" : `  Redis: ${inBytes.toFixed(0)} B in, ${outBytes.toFixed(0)} B out per instance, peak ${peakMiB.toFixed(1)} MiB  same file: ${same}`));
}
console.log(`queue overhead per instance with one worker: ${(100 * (rows[0].perSecond / single.perSecond - 1)).toFixed(2)} % of ${(1000 / rows[0].perSecond).toFixed(2)} ms`);

function number(info, name) {
  return Number(new RegExp(`${name}:(\\d+)`).exec(info)[1]);
}
