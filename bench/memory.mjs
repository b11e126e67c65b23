/** Whether memory and cost per instance stay the same however many instances a run has. Each run is a process of its own. */
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
  const boxesPerImage = quick ? [1, 50] : [1, 500];
  const rounds = quick || full ? 1 : 3;
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const run = (name, instances, perImage) => {
      const boxes = join(folder, `${name}.json`);
      writeBoxes(boxes, instances, perImage);
      return () => annotateOnce(boxes, join(folder, `${name}-out`));
    };
    const byCount = await interleaved(rounds, Object.fromEntries(counts.map((count) => [count, run(`n${count}`, count, 6)])), { warmUp: false });
    yield toResult("memory", "Memory and cost by number of instances", "Instances", byCount);
    const byBoxes = await interleaved(rounds, Object.fromEntries(boxesPerImage.map((boxes) => [boxes, run(`b${boxes}`, counts[0], boxes)])), { warmUp: false });
    yield toResult("memory-boxes", `Memory and cost by boxes per image, ${counts[0]} instances`, "Boxes per image", byBoxes);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function toResult(name, title, column, byVariant) {
  const variants = Object.keys(byVariant);
  const first = variants[0];
  const memory = (variant) => byVariant[variant].map(({ peakMemoryMiB }) => peakMemoryMiB);
  const perInstance = (variant) => byVariant[variant].map(({ drawingSeconds, finishedNow }) => drawingSeconds / finishedNow);
  return {
    name, title,
    columns: [column, "Peak memory, MiB", "Whole run, s", "Drawing, ms per instance"],
    rows: variants.map((variant) => [
      variant, mebibytes(median(memory(variant))), seconds(median(byVariant[variant].map((run) => run.seconds))), (1000 * median(perInstance(variant))).toFixed(2),
    ]),
    ratios: variants.slice(1).flatMap((variant) => [
      ratioRow(`peak memory, ${variant} / ${first}`, ratio(memory(variant), memory(first)), { atMost: 1.1 }),
      ratioRow(`drawing per instance, ${variant} / ${first}`, ratio(perInstance(variant), perInstance(first)), { atMost: 1.1 }),
    ]),
    notes: [`The tiny random network, at most ${MAX_STEPS} steps, overlays off; a process per run.`],
  };
}

async function annotateOnce(boxes, out) {
  const request = JSON.stringify({ boxes, out, model: TINY_MODEL, maxSteps: MAX_STEPS });
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "annotate-once.mjs"), request]);
  rmSync(out, { recursive: true });
  return JSON.parse(stdout);
}
