/**
 * What the measures work on: the drawn scenes of fixtures/images (640 x 480 JPEG), as often as a measure asks for them.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { openDataset } from "../dist/dataset/open-dataset.js";
import { readCrops } from "../dist/crop/read-crops.js";
import { annotate } from "../dist/annotate/annotate.js";
import { ROOT } from "./harness.mjs";

export const IMAGES = join(ROOT, "fixtures", "images");
export const TINY_MODEL = join(ROOT, "fixtures", "models", "tiny-random");
/** Real photographs, where they lie beside the checkout. */
export const PHOTOGRAPHS = {
  boxes: join(ROOT, "..", "shared", "data", "val.json"),
  images: join(ROOT, "..", "shared", "data", "images"),
};
const BOXES = join(ROOT, "fixtures", "boxes.json");

/** Boxes of a COCO file, those of the drawn scenes for example, by image file, crowds left out. */
function boxesByImage(file) {
  const { images, annotations, categories } = JSON.parse(readFileSync(file, "utf8"));
  const scenes = images.map(({ id, file_name, width, height }) => ({
    file_name,
    width,
    height,
    boxes: annotations.filter((annotation) => annotation.image_id === id && annotation.iscrowd !== 1),
  }));
  return { scenes, categories };
}

/**
 * Writes a COCO file of so many instances: the scenes in turn, each time as a new image record, the same number of
 * boxes on each.
 * @param isOneScene only the scene with the most boxes, which come in turn: the same crops however they are dealt to
 *   images, since some are doubted and drawn again
 * @param from COCO file the scenes are of
 */
export function writeBoxes(path, instances, boxesPerImage = 6, { isOneScene = false, from = BOXES } = {}) {
  const { scenes: all, categories } = boxesByImage(from);
  const scenes = isOneScene
    ? [all.reduce((most, scene) => (scene.boxes.length > most.boxes.length ? scene : most))]
    : all;
  const images = [];
  const annotations = [];
  for (let imageId = 1; annotations.length < instances; imageId++) {
    const { boxes, ...scene } = scenes[(imageId - 1) % scenes.length];
    images.push({ id: imageId, ...scene });
    for (let at = 0; at < boxesPerImage && annotations.length < instances; at++) {
      const { bbox, category_id, area } = boxes[(isOneScene ? annotations.length : at) % boxes.length];
      annotations.push({ id: annotations.length + 1, image_id: imageId, category_id, bbox, area, iscrowd: 0 });
    }
  }
  writeFileSync(path, JSON.stringify({ images, annotations, categories }));
}

/** Every crop of a box file, in input order. */
export async function readAllCrops(boxes, context, images = IMAGES) {
  const crops = [];
  for await (const crop of cropsOf(boxes, context, { images })) crops.push(crop);
  return crops;
}

/** The same, one at a time. @param more of the crop stage's own options */
export async function* cropsOf(boxes, context, { images = IMAGES, ...more } = {}) {
  const dataset = await openDataset({ images, boxes });
  try {
    for await (const result of readCrops(sources(dataset), { context, ...more }))
      if (result.kind === "crop") yield result.crop;
  } finally {
    await dataset.close();
  }
}

/**
 * Crops spread evenly over the photographs, so that every source of them is in the sample; over the drawn scenes where
 * they are not there.
 */
export async function sampleCrops(context, count) {
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const boxes = join(folder, "boxes.json");
    if (!existsSync(PHOTOGRAPHS.boxes) || !existsSync(PHOTOGRAPHS.images)) {
      writeBoxes(boxes, count);
      return {
        crops: await readAllCrops(boxes, context),
        from: "the drawn scenes of fixtures/ (../shared/data is not there)",
      };
    }
    const { images, annotations, categories } = JSON.parse(readFileSync(PHOTOGRAPHS.boxes, "utf8"));
    const taken = Array.from({ length: count }, (_, at) => annotations[Math.floor((at * annotations.length) / count)]);
    writeFileSync(boxes, JSON.stringify({ images, annotations: taken, categories }));
    return {
      crops: await readAllCrops(boxes, context, PHOTOGRAPHS.images),
      from: "photographs of ../shared/data/val.json",
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The photographs with their instances; nothing where they are not there. */
export async function* photographs() {
  if (!existsSync(PHOTOGRAPHS.boxes) || !existsSync(PHOTOGRAPHS.images)) return;
  const dataset = await openDataset(PHOTOGRAPHS);
  try {
    for await (const { location, instances } of sources(dataset))
      if (location.kind === "file") yield { path: location.path, instances };
  } finally {
    await dataset.close();
  }
}

async function* sources(dataset) {
  for await (const { image, location, entries } of dataset.groups()) {
    yield {
      image,
      location,
      instances: entries.flatMap((entry) => (entry.kind === "instance" ? [entry.instance] : [])),
    };
  }
}

/**
 * The command's main path in this process, on the CPU unless told otherwise, into a run folder that is replaced.
 * @returns the summary, and the seconds and processor seconds from the first batch's beginning to the last one's end
 */
export async function annotateInProcess({
  boxes,
  out,
  model,
  batchSize,
  maxSteps = MAX_STEPS,
  candidates = DEFAULT_CANDIDATES,
  device = "cpu",
  images = IMAGES,
}) {
  const clock = () => {
    const { user, system } = process.cpuUsage();
    return { wall: performance.now() / 1000, cpu: (user + system) / 1e6 };
  };
  let began;
  let ended;
  const host = {
    signal: new AbortController().signal,
    note() {},
    failure() {},
    data: async () => {},
    progress() {
      ended = clock();
      began ??= ended;
    },
  };
  const summary = await annotate(
    {
      images,
      boxes,
      out,
      formats: ["coco"],
      model,
      device,
      maxSteps,
      candidates,
      minScore: 0,
      simplify: 0,
      categories: [],
      existing: "predict",
      overlays: "none",
      resume: false,
      force: true,
      ...(batchSize === undefined ? {} : { batchSize }),
    },
    host,
  );
  return { summary, drawingSeconds: ended.wall - began.wall, drawingCpuSeconds: ended.cpu - began.cpu };
}

/**
 * An engine that also writes down what it was asked: one entry per encoded batch, with the size and input of each step.
 */
export function recordCalls(engine) {
  const batches = [];
  const recorded = (decoding, steps) => ({
    size: decoding.size,
    firstVertexLogits: decoding.firstVertexLogits,
    ...(decoding.maskLogits !== undefined && { maskLogits: decoding.maskLogits }),
    step(input) {
      steps.push({ size: decoding.size, input });
      return decoding.step(input);
    },
    select: (rows) => recorded(decoding.select(rows), steps),
    dispose: () => decoding.dispose(),
  });
  return {
    batches,
    engine: {
      ...engine,
      async encode(pixels, count) {
        const steps = [];
        batches.push({ pixels, count, steps });
        return recorded(await engine.encode(pixels, count), steps);
      },
    },
  };
}
