/**
 * How images are decoded: in worker threads instead of the main one, and reduced while decoding (libjpeg's scaling,
 * sharp's shrink-on-load).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import sharp from "sharp";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { CROP_SIZE } from "../dist/geometry/grid.js";
import { squareWindow } from "../dist/geometry/box.js";
import { iouWithTruth } from "../dist/geometry/iou.js";
import { decodeImage, openImage, prepareImageLibrary } from "../dist/crop/open-image.js";
import { resampleWindow } from "../dist/crop/resample-window.js";
import { decodeGreedy } from "../dist/predict/decode.js";
import { stackPixels } from "../dist/crop/crop.js";
import { predictBatch } from "../dist/predict/predict.js";
import { openEngine } from "../dist/engine/devices.js";
import { interleaved, median, ratio, ratioRow, timed } from "./harness.mjs";
import { IMAGES, cropsOf, photographs, writeBoxes } from "./inputs.mjs";

const BATCH = 16;

export async function* measureImages(model, quick) {
  prepareImageLibrary();
  const { engine } = await openEngine(model, { device: "cpu" });
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    yield await measureWorker(engine, model, folder, quick);
    yield await measureShrinkTime(folder, quick);
    const cost = await measureShrinkCost(engine, model, quick);
    if (cost !== undefined) yield cost;
  } finally {
    await engine.dispose();
    rmSync(folder, { recursive: true });
  }
}

async function measureWorker(engine, model, folder, quick) {
  const boxes = join(folder, "boxes.json");
  const instances = quick ? 32 : 192;
  const perImage = 2;
  writeBoxes(boxes, instances, perImage);
  const { context } = model.card;
  const decodeFrom = (open) =>
    timed(async () => {
      let batch = [];
      for await (const pixels of open()) {
        batch.push({ pixels });
        if (batch.length < BATCH) continue;
        await decodeGreedy(engine, stackPixels(batch), batch.length, MAX_STEPS);
        batch = [];
      }
    });
  const took = await interleaved(quick ? 1 : 5, {
    main: () => decodeFrom(() => pixelsOf(boxes, context)),
    worker: () => decodeFrom(() => fromWorker(boxes, context)),
  });
  const of = (way, field) => took[way].map((run) => run[field]);
  const row = (way, words) => [
    words,
    ((1000 * median(of(way, "seconds"))) / instances).toFixed(1),
    ((1000 * median(of(way, "cpuSeconds"))) / instances).toFixed(1),
  ];
  return {
    name: "options-worker",
    title: `Decoding and cropping in a worker thread: mobile, ${instances} instances, ${perImage} to a 640 x 480 JPEG`,
    columns: ["Way", "ms per instance", "processor ms per instance"],
    rows: [
      row("main", "main thread (sharp's own threads decode)"),
      row("worker", "a worker thread reads, decodes and cuts"),
    ],
    ratios: [
      ratioRow("time, worker / main thread", ratio(of("worker", "seconds"), of("main", "seconds"))),
      ratioRow("processor time, worker / main thread", ratio(of("worker", "cpuSeconds"), of("main", "cpuSeconds"))),
    ],
    notes: ["The worker's start is part of its time."],
  };
}

async function* pixelsOf(boxes, context) {
  for await (const { pixels } of cropsOf(boxes, context, { maxCropsAhead: 2 * BATCH })) yield pixels;
}

/** At most two batches wait, as in the main thread. */
async function* fromWorker(boxes, context) {
  const worker = new Worker(new URL("./crop-worker.mjs", import.meta.url), {
    workerData: { boxes, context, ahead: 2 * BATCH },
  });
  const waiting = [];
  let wake = () => {};
  worker.on("message", (pixels) => {
    waiting.push(pixels);
    wake();
  });
  worker.on("error", (error) => {
    throw error;
  });
  for (;;) {
    while (waiting.length === 0)
      await new Promise((resolve) => {
        wake = resolve;
      });
    const pixels = waiting.shift();
    if (pixels === undefined) return;
    worker.postMessage("taken");
    yield pixels;
  }
}

/** One large photograph, one large box. */
async function measureShrinkTime(folder, quick) {
  const path = join(folder, "large.jpg");
  await sharp(join(IMAGES, "street.jpg")).resize(4000, 3000, { fit: "fill" }).jpeg({ quality: 90 }).toFile(path);
  const { image } = await openImage(path, {});
  const variants = { "in full, as the program does": () => timed(() => decodeImage(image)) };
  for (const factor of [2, 4, 8]) variants[`at 1/${factor}`] = () => timed(() => decodeReduced(path, image, factor));
  const took = await interleaved(quick ? 1 : 9, variants);
  const [full] = Object.keys(took);
  const seconds = (way) => took[way].map((run) => run.seconds);
  return {
    name: "options-shrink",
    title: "Shrink-on-load: a JPEG of 4000 x 3000 decoded",
    columns: ["Decoded", "ms"],
    rows: Object.keys(took).map((way) => [way, (1000 * median(seconds(way))).toFixed(1)]),
    ratios: Object.keys(took)
      .slice(1)
      .map((way) => ratioRow(`${way} / in full`, ratio(seconds(way), seconds(full)))),
  };
}

async function decodeReduced(path, { width, height }, factor) {
  const size = { width: Math.ceil(width / factor), height: Math.ceil(height / factor) };
  const { data } = await sharp(path, { failOn: "warning", autoOrient: true })
    .resize(size.width, size.height, { fit: "fill", fastShrinkOnLoad: true })
    .flatten({ background: "#000" })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { path, ...size, pixels: data };
}

/** Photographs whose box is large enough to be cut from the half image: the same windows both ways, on even pixels. */
async function measureShrinkCost(engine, model, quick) {
  const crops = { full: [], half: [] };
  for await (const { path, instances } of photographs()) {
    const { image } = await openImage(path, {});
    const windows = instances
      .map((instance) => ({ instance, window: onEvenPixels(squareWindow(instance.box, model.card.context)) }))
      .filter(({ instance, window }) => window.side >= 2 * CROP_SIZE && instance.truth !== undefined);
    if (windows.length === 0 || image.width % 2 === 1 || image.height % 2 === 1) continue;
    const decoded = await decodeImage(image);
    if (decoded.kind === "failed") continue;
    const reduced = await decodeReduced(path, image, 2);
    for (const { instance, window } of windows) {
      const crop = { instance, window, clipped: false, imageWidth: image.width, imageHeight: image.height };
      crops.full.push({ ...crop, pixels: await resampleWindow(decoded.image, window, CROP_SIZE) });
      crops.half.push({
        ...crop,
        pixels: await resampleWindow(
          reduced,
          { left: window.left / 2, top: window.top / 2, side: window.side / 2 },
          CROP_SIZE,
        ),
      });
    }
    if (quick && crops.full.length >= 8) break;
  }
  if (crops.full.length === 0) return undefined;
  const rings = {};
  for (const way of ["full", "half"]) {
    rings[way] = [];
    for (let start = 0; start < crops[way].length; start += BATCH)
      rings[way].push(
        ...(
          await predictBatch(engine, crops[way].slice(start, start + BATCH), {
            maxSteps: MAX_STEPS,
            candidates: DEFAULT_CANDIDATES,
            simplify: 0,
          })
        ).predictions,
      );
  }
  const iou = (way) =>
    rings[way].reduce(
      (sum, { kind, ring, crop }) =>
        sum +
        (kind === "polygon"
          ? iouWithTruth([ring], crop.instance.truth, { height: crop.imageHeight, width: crop.imageWidth })
          : 0),
      0,
    ) / rings[way].length;
  const same = rings.half.filter(({ ring }, at) => JSON.stringify(ring) === JSON.stringify(rings.full[at].ring)).length;
  return {
    name: "options-shrink-cost",
    title: `Shrink-on-load: ${crops.full.length} instances of ../shared/data/val.json whose window is at least ${2 * CROP_SIZE} pixels wide`,
    columns: ["Image decoded", "mean IoU", "polygons unchanged"],
    rows: [
      ["in full", iou("full").toFixed(4), ""],
      ["at 1/2", iou("half").toFixed(4), `${same} of ${crops.full.length}`],
    ],
  };
}

function onEvenPixels({ left, top, side }) {
  return { left: 2 * Math.floor(left / 2), top: 2 * Math.floor(top / 2), side: 2 * Math.ceil(side / 2) };
}
