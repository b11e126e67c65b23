/**
 * What simulating all thresholds and instances together is worth, against one instance and one threshold at a time: the
 * same annotators, the same polygons, click for click.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { closestRule } from "../dist/clicks/rules.js";
import { truthOnGrid } from "../dist/clicks/simulate-batch.js";
import { CURVE_CLICKS } from "../dist/clicks/simulate-batch.js";
import { SimulatedAnnotator } from "../dist/clicks/rules.js";
import { flipCells } from "../dist/geometry/grid.js";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { decodeCorrected } from "../dist/predict/corrected.js";
import { stackPixels } from "../dist/crop/crop.js";
import { openEngine } from "../dist/engine/devices.js";
import { loadModel } from "../dist/model/model.js";
import { ROOT, interleaved, median, ratio, ratioRow, timed } from "./harness.mjs";
import { IMAGES, readAllCrops, recordCalls } from "./inputs.mjs";

const THRESHOLDS = [1, 2, 3, 4];
const BATCH = 16;
/** Real photographs, where they lie beside the checkout. */
const PHOTOGRAPHS = {
  boxes: join(ROOT, "..", "shared", "data", "val.json"),
  images: join(ROOT, "..", "shared", "data", "images"),
};
const SAMPLE = { boxes: join(ROOT, "fixtures", "boxes.json"), images: IMAGES };

export async function measure({ quick }) {
  const isThere = existsSync(PHOTOGRAPHS.boxes) && existsSync(PHOTOGRAPHS.images);
  const { boxes, images } = isThere ? PHOTOGRAPHS : SAMPLE;
  const model = await loadModel("mobile");
  const { engine } = await openEngine(model, { device: "cpu" });
  try {
    const all = (await readAllCrops(boxes, model.card.context, images)).filter(
      ({ instance, window }) => instance.truth !== undefined && truthOnGrid(instance.truth, window) !== undefined,
    );
    const count = Math.min(quick ? 16 : 64, all.length);
    // every source is in the sample
    const crops = Array.from({ length: count }, (_, at) => all[Math.floor((at * all.length) / count)]);
    const together = () => simulate(engine, inBatches(crops, BATCH), THRESHOLDS, -1);
    const alone = async () => {
      let clicks = 0;
      for (const threshold of THRESHOLDS) clicks += await simulate(engine, inBatches(crops, 1), [threshold], -1);
      return clicks;
    };
    const separately = async () => {
      let clicks = 0;
      for (const threshold of THRESHOLDS) clicks += await simulate(engine, inBatches(crops, BATCH), [threshold], -1);
      return clicks;
    };
    const withCurve = () => simulate(engine, inBatches(crops, BATCH), THRESHOLDS, CURVE_CLICKS);
    const took = await interleaved(quick ? 1 : 5, {
      together: () => timed(together),
      separately: () => timed(separately),
      alone: () => timed(alone),
      withCurve: () => timed(withCurve),
    });
    const rows = {
      together: await countRows(engine, (counting) => simulate(counting, inBatches(crops, BATCH), THRESHOLDS, -1)),
      separately: 0,
    };
    for (const threshold of THRESHOLDS)
      rows.separately += await countRows(engine, (counting) =>
        simulate(counting, inBatches(crops, BATCH), [threshold], -1),
      );
    const secondsOf = (name) => took[name].map(({ seconds }) => seconds);
    const cpuOf = (name) => took[name].map(({ cpuSeconds }) => cpuSeconds);
    const perClick = (name) => ((1000 * median(secondsOf(name))) / took[name][0].value).toFixed(2);
    const perInstance = (name) => ((1000 * median(secondsOf(name))) / count).toFixed(1);
    const row = (name, words) => [words, took[name][0].value, perInstance(name), perClick(name)];
    return [
      {
        name: "clicks",
        title: `Click simulation, T = ${THRESHOLDS.join(", ")}: mobile, ${count} instances of ${isThere ? "the photographs of ../shared/data/val.json" : "the drawn scenes of fixtures/ (../shared/data is not there)"}`,
        columns: ["Way", "Clicks", "ms per instance, all thresholds", "ms per click"],
        rows: [
          row("together", `batches of ${BATCH}, all thresholds together`),
          row("separately", `batches of ${BATCH}, a run per threshold`),
          row("alone", "one instance and one threshold at a time"),
          row("withCurve", `together, and the IoU after each of up to ${CURVE_CLICKS} corrections`),
        ],
        ratios: [
          ratioRow("together / a run per threshold", ratio(secondsOf("together"), secondsOf("separately")), {
            atMost: 0.5,
          }),
          ratioRow("together / one at a time", ratio(secondsOf("together"), secondsOf("alone"))),
          ratioRow("processor time, together / a run per threshold", ratio(cpuOf("together"), cpuOf("separately"))),
        ],
        notes: [
          `Encoded ${count} times together, ${THRESHOLDS.length * count} times apart. Decoder rows stepped: ${rows.together} together, ${rows.separately} apart.`,
        ],
      },
    ];
  } finally {
    await engine.dispose();
  }
}

async function countRows(engine, work) {
  const { engine: recording, batches } = recordCalls(engine);
  await work(recording);
  return batches.reduce((sum, { steps }) => sum + steps.reduce((rows, { size }) => rows + size, 0), 0);
}

/** @returns clicks of all annotators */
async function simulate(engine, batches, thresholds, forkUpTo) {
  let clicks = 0;
  for (const crops of batches) {
    const annotatorsOf = (crop, isFlipped) => {
      const cells = truthOnGrid(crops[crop].instance.truth, crops[crop].window);
      const truth = isFlipped ? flipCells(cells) : cells;
      return thresholds.map(
        (threshold, at) =>
          new SimulatedAnnotator({
            run: at,
            rule: closestRule(truth, threshold, "chessboard"),
            budget: Infinity,
            forkUpTo: at === 0 ? forkUpTo : -1,
          }),
      );
    };
    const { polygons } = await decodeCorrected(engine, { pixels: stackPixels(crops), frames: crops }, annotatorsOf, {
      maxSteps: MAX_STEPS,
      candidates: DEFAULT_CANDIDATES,
    });
    for (const { rule } of polygons) if (!rule.isFork) clicks += rule.clicks;
  }
  return clicks;
}

function inBatches(crops, size) {
  return Array.from({ length: Math.ceil(crops.length / size) }, (_, at) => crops.slice(at * size, (at + 1) * size));
}
