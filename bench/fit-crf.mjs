/**
 * Fits the parameters of the CRF that `polyrnn evaluate --compare crf` runs (src/evaluate/methods/crf.ts): mean IoU of
 * a random sample of training instances, every combination of a small grid. The best ones and those of the program are
 * then tried on as many other instances, beside the map alone: the best of many settings flatters itself where it was
 * chosen.
 *
 *     npm run build && node bench/fit-crf.mjs TRAIN.json IMAGES [INSTANCES]
 */
import { openImage, decodeImage } from "../dist/crop/open-image.js";
import { cutCrop } from "../dist/crop/read-crops.js";
import { openDataset } from "../dist/dataset/open-dataset.js";
import { openMaskEngine } from "../dist/engine/mask-engine.js";
import { bootstrapMean } from "../dist/evaluate/bootstrap.js";
import { bilateralKernel, colorsOf, CRF_PARAMETERS, enlarge, iterate } from "../dist/evaluate/methods/crf.js";
import { maskFromMap, probabilitiesOf } from "../dist/evaluate/methods/mask-from-map.js";
import { iouOfRles, rasterizeTruth } from "../dist/geometry/iou.js";
import { loadModel } from "../dist/model/model.js";
import { createRandom } from "../dist/random.js";

const [boxes, images, size = "40"] = process.argv.slice(2);
const SMALLEST_AREA = 1024;
const GRID = { reach: [3, 4, 6, 9], colorReach: [10, 15, 20, 30], weight: [0.5, 1, 1.5, 2] };
const ITERATIONS = 5;
const RESAMPLES = 1000;

const random = createRandom(1).fork("fit-crf");
const dataset = await openDataset({ boxes, images });
const found = [];
for await (const { image, location, entries } of dataset.groups()) {
  if (location.kind !== "file") continue;
  for (const entry of entries) {
    if (
      entry.kind === "instance" &&
      entry.instance.truth &&
      entry.instance.box.width * entry.instance.box.height >= SMALLEST_AREA
    )
      found.push({ image, path: location.path, instance: entry.instance, place: random.next() });
  }
}
await dataset.close();
const sample = found.sort((a, b) => a.place - b.place).slice(0, 2 * Number(size));

const engine = await openMaskEngine(await loadModel("mobile"));

async function prepare({ image, path, instance }) {
  const opened = await openImage(path, image);
  const decoded = await decodeImage(opened.image);
  const { crop } = await cutCrop(decoded.image, instance, 0.15);
  const maps = await engine.masks(crop.pixels, 1);
  const size = { width: decoded.image.width, height: decoded.image.height };
  return {
    crop: { window: crop.window, bounds: crop.bounds },
    size,
    map: enlarge(probabilitiesOf(maps.get("coarse"))),
    colors: colorsOf(crop.pixels),
    truth: rasterizeTruth(instance.truth, size.height, size.width),
  };
}

const iouOf = ({ crop, size, truth }, map) => {
  const result = maskFromMap(map, crop, size);
  return result.kind === "mask" ? iouOfRles(result.mask, truth) : 0;
};
const settings = GRID.reach.flatMap((reach) =>
  GRID.colorReach.flatMap((colorReach) =>
    GRID.weight.map((weight) => ({ weight, reach, colorReach, iterations: ITERATIONS })),
  ),
);

/** @returns for the map alone and then for each of the settings, the IoU of each of the instances */
async function iousOf(instances, tried) {
  const ious = [[], ...tried.map(() => [])];
  for (const instance of instances) {
    const each = await prepare(instance);
    ious[0].push(iouOf(each, each.map));
    let kernel;
    let kernelOf;
    tried.forEach((parameters, at) => {
      // Settings that differ in their weight alone follow one another and share a kernel.
      const { reach, colorReach } = parameters;
      if (kernelOf?.reach !== reach || kernelOf.colorReach !== colorReach)
        kernel = bilateralKernel(each.colors, parameters);
      kernelOf = parameters;
      ious[at + 1].push(iouOf(each, iterate(each.map, kernel, parameters)));
    });
  }
  return ious;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const signed = (value) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(4)}`;

function print(title, ious, tried) {
  console.log(`${title}: ${ious[0].length} instances, the mask map alone ${mean(ious[0]).toFixed(4)}`);
  tried.forEach((parameters, at) => {
    const gains = Float64Array.from(ious[at + 1], (iou, place) => iou - ious[0][place]);
    const { mean: gain, low, high } = bootstrapMean(gains, RESAMPLES, createRandom("fit-crf"));
    console.log(`${signed(gain)} [${signed(low)}, ${signed(high)}]`, JSON.stringify(parameters));
  });
}

const half = Math.ceil(sample.length / 2);
const fitted = await iousOf(sample.slice(0, half), settings);
print("Fitted on", fitted, settings);
const best = settings
  .map((parameters, at) => ({ parameters, iou: mean(fitted[at + 1]) }))
  .sort((a, b) => b.iou - a.iou)
  .slice(0, 3)
  .map(({ parameters }) => parameters);
const checked = [...best, CRF_PARAMETERS];
print("The best and the program's own, on others", await iousOf(sample.slice(half), checked), checked);
await engine.dispose();
