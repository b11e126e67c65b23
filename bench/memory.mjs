/**
 * Whether memory and cost per instance stay the same however many instances a run, or an image, has. Each run is a
 * process of its own.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { interleaved, mebibytes, median, ratio, ratioRow, seconds } from "./harness.mjs";
import { TINY_MODEL, writeBoxes } from "./inputs.mjs";

/** The random network wanders to the step limit; the point here is everything around it. */
const MAX_STEPS = 20;

export async function* measure({ quick, full }) {
  const counts = quick ? [200, 1000] : full ? [1000, 10_000, 100_000] : [1000, 10_000];
  const boxesPerImage = quick ? [1, 50] : [1, 6, 50, 500];
  const rounds = quick || full ? 1 : 3;
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const run = (name, instances, perImage, environment) => {
      const boxes = join(folder, `${name}.json`);
      writeBoxes(boxes, instances, perImage);
      return () =>
        annotateOnce({ boxes, out: join(folder, `${name}-out`), model: TINY_MODEL, maxSteps: MAX_STEPS }, environment);
    };
    const byCount = await interleaved(
      rounds,
      Object.fromEntries(counts.map((count) => [count, run(`n${count}`, count, 6)])),
      { warmUp: false },
    );
    yield toResult("memory", "Memory and cost by number of instances, 6 boxes per image", "Instances", byCount, TINY);
    const twoArenas = await interleaved(
      rounds,
      Object.fromEntries(counts.map((count) => [count, run(`n${count}`, count, 6, TWO_ARENAS)])),
      { warmUp: false },
    );
    yield toResult(
      "memory-two-arenas",
      "The same, with MALLOC_ARENA_MAX=2 in the environment",
      "Instances",
      twoArenas,
      TINY,
    );
    const byBoxes = await interleaved(
      rounds,
      Object.fromEntries(boxesPerImage.map((boxes) => [boxes, run(`b${boxes}`, counts[0], boxes)])),
      { warmUp: false },
    );
    yield toResult("memory-boxes", `Memory by boxes per image, ${counts[0]} instances`, "Boxes per image", byBoxes, {
      ...TINY,
      isCostMeant: false,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * glibc gives each thread heaps of its own, up to eight per core, and a program with as many threads as this one fills
 * them slowly.
 */
const TWO_ARENAS = { MALLOC_ARENA_MAX: "2" };

const TINY = {
  note: `The tiny random network, at most ${MAX_STEPS} steps, overlays off; a process per run. An image is decoded once for all its boxes.`,
  isCostMeant: true,
};

/**
 * @param isCostMeant whether a limit on the cost says something: the tiny network takes less time than decoding an
 *   image
 */
export function toResult(name, title, column, byVariant, { note, isCostMeant }) {
  const variants = Object.keys(byVariant);
  const memory = (variant) => byVariant[variant].map(({ peakMemoryMiB }) => peakMemoryMiB);
  const perInstance = (variant) =>
    byVariant[variant].map(({ drawingSeconds, finishedNow }) => drawingSeconds / finishedNow);
  const processor = (variant) => byVariant[variant].map(({ cpuSeconds, finishedNow }) => cpuSeconds / finishedNow);
  const milliseconds = (values) => (1000 * median(values)).toFixed(2);
  const wanted = isCostMeant ? { atMost: 1.1 } : {};
  return {
    name,
    title,
    columns: [column, "Peak memory, MiB", "Whole run, s", "Drawing, ms per instance", "Processor, ms per instance"],
    rows: variants.map((variant) => [
      variant,
      mebibytes(median(memory(variant))),
      seconds(median(byVariant[variant].map((run) => run.seconds))),
      milliseconds(perInstance(variant)),
      milliseconds(processor(variant)),
    ]),
    ratios: [
      ratioRow("peak memory, most / least", spread(variants.map(memory)), { atMost: 1.1 }),
      ratioRow("drawing per instance, most / least", spread(variants.map(perInstance)), wanted),
      ratioRow("processor time per instance, most / least", spread(variants.map(processor)), wanted),
    ],
    notes: [note],
  };
}

/**
 * How flat a figure is over the variants, whichever way it leans: that with the largest median over that with the
 * least.
 */
function spread(columns) {
  const sorted = [...columns].sort((one, other) => median(one) - median(other));
  return ratio(sorted.at(-1), sorted[0]);
}

/** @param request as annotateInProcess (inputs.mjs) takes it */
export async function annotateOnce(request, environment = {}) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, "annotate-once.mjs"), JSON.stringify(request)],
    { env: { ...process.env, ...environment } },
  );
  rmSync(request.out, { recursive: true });
  return JSON.parse(stdout);
}
