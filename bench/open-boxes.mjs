/**
 * Opens boxes of one format in a process of its own, or only reads their bytes, and prints time, processor time and peak
 * memory.
 */
import { Buffer } from "node:buffer";
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { openDataset } from "../dist/dataset/open-dataset.js";

const [way, boxes] = process.argv.slice(2);
const cpu = process.cpuUsage();
const start = performance.now();
const found = way === "open" ? await open() : way === "walk" ? await walk() : plain();
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
const peakMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(JSON.stringify({ ...found, seconds, cpuSeconds: (user + system) / 1e6, peakMiB }));

async function open() {
  const dataset = await openDataset({ boxes });
  await dataset.close();
  return { images: dataset.imageCount, annotations: dataset.annotationCount };
}

/** What annotate does with boxes: opens the data set, then visits every annotation. */
async function walk() {
  const dataset = await openDataset({ boxes });
  let annotations = 0;
  for await (const { entries } of dataset.groups()) annotations += entries.length;
  await dataset.close();
  return { images: dataset.imageCount, annotations };
}

/** The same bytes without looking at them. */
function plain() {
  let bytes = 0;
  if (statSync(boxes).isDirectory())
    for (const name of readdirSync(boxes)) bytes += readFileSync(join(boxes, name)).length;
  else bytes = readInPieces(boxes);
  return { bytes };
}

function readInPieces(path) {
  const file = openSync(path, "r");
  const piece = Buffer.allocUnsafe(1 << 20);
  let bytes = 0;
  for (let read = -1; read !== 0; bytes += read) read = readSync(file, piece);
  closeSync(file);
  return bytes;
}
