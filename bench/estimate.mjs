/**
 * What many instances take over a queue: a reckoning on paper from the figures that `npm run bench -- queue` measured
 * and kept. Prices and the deadline are assumptions of whoever asks; a GPU's instances per second are those of
 * `annotate` on an NVIDIA H100 through WebGPU at batch 256 (bench/README.md); the formulas are beside the numbers.
 *
 *     node bench/estimate.mjs --instances 100000000 --hours 24 --core-hour 0.04 --gpu-hour 2.5 --gpu-per-second 150
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { markdownTable } from "./harness.mjs";

const { values } = parseArgs({
  options: Object.fromEntries(
    Object.entries({
      instances: "100000000",
      hours: "24",
      "core-hour": "0.04",
      "gpu-hour": "2.5",
      "gpu-per-second": "150",
    }).map(([name, value]) => [name, { type: "string", default: value }]),
  ),
});
const asked = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]));
const wrong = Object.entries(asked).find(([, value]) => !(value > 0));
if (wrong !== undefined) {
  process.stderr.write(`estimate: expected a positive number for --${wrong[0]}\n`);
  process.exit(2);
}
let kept;
try {
  kept = JSON.parse(readFileSync(join(import.meta.dirname, "results", "queue-costs.json"), "utf8"));
} catch {
  process.stderr.write(
    "estimate: expected measured figures in bench/results/queue-costs.json; run npm run bench -- queue first\n",
  );
  process.exit(66);
}

const { figures, machine } = kept;
const { instances: N, hours: H, "core-hour": coreHour, "gpu-hour": gpuHour, "gpu-per-second": G } = asked;
/**
 * Measured per job, here per instance: processor milliseconds of worker, coordinator, Redis, decoding and cropping
 * alone; bytes.
 */
const [w, c, r, f, i, o, b, p] = [
  "workerMs",
  "coordinatorMs",
  "redisMs",
  "feedMs",
  "inBytes",
  "outBytes",
  "writtenBytes",
  "imageBytes",
].map((name) => figures[name] / figures.batchSize);
const rate = N / (3600 * H);
const cores = (rate * w) / 1000;
/** As in src/queue/coordinator.ts: 16 per worker, between 128 and 8192. */
const openJobs = Math.min(8192, Math.max(128, 16 * Math.ceil(cores)));
const coordinators = Math.ceil((rate * c) / 1000);
const gpus = rate / G;
const feeders = (rate * f) / 1000;

const two = (value) => Number(value.toPrecision(2)).toLocaleString("en");
const rows = [
  ["rate", "R = N / (3600 H)", `${two(rate)} instances/s`],
  ["workers of one core", "R w", two(Math.ceil(cores))],
  ["processor time", "N (w + c + r)", `${two((N * (w + c + r)) / 3.6e6)} core-hours`],
  [
    "coordinator",
    "R c of one core, which must stay below 1",
    `${two((rate * c) / 1000)}${coordinators > 1 ? `: ${coordinators} runs side by side (--shard)` : ""}`,
  ],
  ["Redis", "R r of one core, which must stay below 1", two((rate * r) / 1000)],
  [
    "Redis memory",
    "open jobs (waiting + result); 16 jobs per worker, at most 8192",
    `${two((openJobs * (figures.waitingBytes + figures.resultBytes)) / 1e6)} MB`,
  ],
  ["network of Redis", "N (i + o)", `${two((N * (i + o)) / 1e9)} GB, ${two((8 * rate * (i + o)) / 1e6)} Mbit/s`],
  ["network of the images", "N p", `${two((N * p) / 1e12)} TB, ${two((8 * rate * p) / 1e6)} Mbit/s`],
  ["annotations.json", "N b", `${two((N * b) / 1e9)} GB`],
  [
    "cost per million",
    `10^6 (w + c + r) at ${coreHour} per core-hour`,
    (((1e6 * (w + c + r)) / 3.6e6) * coreHour).toFixed(2),
  ],
  ["cost in all", "", two(((N * (w + c + r)) / 3.6e6) * coreHour)],
  ["GPUs", `R / G, G = ${G} instances/s`, gpus.toFixed(1)],
  ["cores beside them", "R (f + c + r)", two(Math.ceil(feeders + (rate * (c + r)) / 1000))],
  [
    "cost per million on GPUs",
    `10^6 (1/G at ${gpuHour} per GPU-hour + (f + c + r) at ${coreHour} per core-hour)`,
    ((1e6 / G / 3600) * gpuHour + ((1e6 * (f + c + r)) / 3.6e6) * coreHour).toFixed(2),
  ],
];
const measured = Object.entries({ w, c, r, f })
  .map(([name, ms]) => `${name} = ${ms.toFixed(3)} ms`)
  .concat(Object.entries({ i, o, b, p }).map(([name, bytes]) => `${name} = ${two(bytes)} B`));
process.stdout.write(
  `${[
    `# ${N.toLocaleString("en")} instances in ${H} hours`,
    "",
    `Measured per instance on ${machine.processor}, ${machine.date.slice(0, 10)}: ${measured.join(", ")}.`,
    "",
    ...markdownTable(["What", "Formula", "Result"], rows),
  ].join("\n")}\n`,
);
