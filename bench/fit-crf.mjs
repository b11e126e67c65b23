/**
 * Fits the parameters of the CRF that `polyrnn evaluate --compare crf` runs (src/evaluate/methods/crf.ts): mean IoU of
 * a random sample of training instances, every combination of a small grid. Prints the best ones.
 *
 *     npm run build && node bench/fit-crf.mjs TRAIN.json IMAGES [INSTANCES]
 */
import { openImage, decodeImage } from "../dist/crop/open-image.js";
import { cutCrop } from "../dist/crop/read-crops.js";
import { openDataset } from "../dist/dataset/open-dataset.js";
import { openMaskEngine } from "../dist/engine/mask-engine.js";
import { bilateralKernel, colorsOf, enlarge, iterate } from "../dist/evaluate/methods/crf.js";
import { maskFromMap, probabilitiesOf } from "../dist/evaluate/methods/mask-from-map.js";
import { iouOfRles, rasterizeTruth } from "../dist/geometry/iou.js";
import { loadModel } from "../dist/model/model.js";
import { createRandom } from "../dist/random.js";

const [boxes, images, size = "40"] = process.argv.slice(2);
const SMALLEST_AREA = 1024;
const GRID = { reach: [3, 4, 6, 9], colorReach: [10, 15, 20, 30], weight: [0.5, 1, 1.5, 2] };
const ITERATIONS = 5;

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
const sample = found.sort((a, b) => a.place - b.place).slice(0, Number(size));

const engine = await openMaskEngine(await loadModel("mobile"));
const prepared = [];
for (const { image, path, instance } of sample) {
  const opened = await openImage(path, image);
  const decoded = await decodeImage(opened.image);
  const { crop } = await cutCrop(decoded.image, instance, 0.15);
  const maps = await engine.masks(crop.pixels, 1);
  const size = { width: decoded.image.width, height: decoded.image.height };
  prepared.push({
    crop: { window: crop.window, bounds: crop.bounds },
    size,
    map: enlarge(probabilitiesOf(maps.get("coarse"))),
    colors: colorsOf(crop.pixels),
    truth: rasterizeTruth(instance.truth, size.height, size.width),
  });
}
await engine.dispose();

const iouOf = ({ crop, size, truth }, map) => {
  const result = maskFromMap(map, crop, size);
  return result.kind === "mask" ? iouOfRles(result.mask, truth) : 0;
};
const before = prepared.reduce((sum, each) => sum + iouOf(each, each.map), 0) / prepared.length;
console.log(`${prepared.length} instances; the mask map alone ${before.toFixed(4)}`);
const results = [];
for (const reach of GRID.reach) {
  for (const colorReach of GRID.colorReach) {
    const settings = GRID.weight.map((weight) => ({ weight, reach, colorReach, iterations: ITERATIONS }));
    const sums = settings.map(() => 0);
    for (const each of prepared) {
      const kernel = bilateralKernel(each.colors, { reach, colorReach });
      settings.forEach((parameters, at) => {
        sums[at] += iouOf(each, iterate(each.map, kernel, parameters));
      });
    }
    settings.forEach((parameters, at) => {
      results.push({ ...parameters, iou: sums[at] / prepared.length });
      console.log((sums[at] / prepared.length).toFixed(4), JSON.stringify(parameters));
    });
  }
}
console.log("best:");
results.sort((a, b) => b.iou - a.iou);
for (const { iou, ...parameters } of results.slice(0, 5)) console.log(iou.toFixed(4), JSON.stringify(parameters));
