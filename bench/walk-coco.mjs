/**
 * Reads one COCO file in a process of its own, as a stream or with JSON.parse, and prints what it found, its time and
 * peak memory.
 */
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";

const [way, path] = process.argv.slice(2);
const start = performance.now();
const found = way === "stream" ? await walk(path) : parse(path);
const seconds = (performance.now() - start) / 1000;
process.stdout.write(JSON.stringify({ ...found, seconds, peakMiB: process.resourceUsage().maxRSS / 1024 }));

/** What annotate does: opens the data set, then visits every annotation. */
async function walk(boxes) {
  const { openDataset } = await import("../dist/dataset/open-dataset.js");
  const dataset = await openDataset({ boxes });
  const opened = performance.now();
  let annotations = 0;
  let vertices = 0;
  for await (const { entries } of dataset.groups()) {
    for (const entry of entries) {
      annotations++;
      if (entry.kind === "instance" && entry.instance.truth?.kind === "polygon")
        for (const ring of entry.instance.truth.polygon) vertices += ring.length;
    }
  }
  await dataset.close();
  return { annotations, vertices, openSeconds: (opened - start) / 1000 };
}

function parse(boxes) {
  const { annotations } = JSON.parse(readFileSync(boxes, "utf8"));
  let vertices = 0;
  for (const { segmentation } of annotations) for (const ring of segmentation) vertices += ring.length / 2;
  return { annotations: annotations.length, vertices };
}
