/**
 * Learning as such: a tiny network learns four drawn shapes by heart. Runs over libtensorflow and is skipped with the
 * reason where it is not there: the JavaScript backend needs minutes for what takes half of one natively.
 */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Crop } from "../../src/crop/crop.js";
import { cellToImagePoint } from "../../src/geometry/grid.js";
import { iouWithTruth } from "../../src/geometry/iou.js";
import { describeNetwork } from "../../src/network/build.js";
import { createRandom } from "../../src/random.js";
import { initialWeight } from "../../src/model/initial-weights.js";
import { trainingDevice } from "../../src/engine/open-trainer.js";
import { loadTfjs } from "../../src/engine/tfjs/load.js";
import { packBatch } from "../../src/train/data/batches.js";
import { startAt, targetCells } from "../../src/train/data/targets.js";
import type { ValidationSet } from "../../src/train/validate.js";
import { openValidationSet, validate } from "../../src/train/validate.js";
import type { GridCell, Ring } from "../../src/types.js";
import { NORMALIZATION } from "../engine/network-runner.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const LIMITS = { simplifyCells: 0.45, maxVertices: 24 };
const COUNT = 4;
/** What the cells themselves reach; IoU above 0.9 is asked of what is drawn. */
const LEAST_CEILING = 0.93;
const MOST_STEPS = 200;
const RATE = 0.01;

const loaded = loadTfjs("cpu");
if (!("tf" in loaded))
  console.log(
    `overfit test skipped: ${loaded.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; ")}`,
  );

interface Shape {
  readonly crop: Crop;
  readonly cells: readonly GridCell[];
  /** 0..1 in the crop. */
  readonly outline: Ring;
}

/** The four instances with the fewest vertices among those the grid can show. */
async function easyShapes(set: ValidationSet): Promise<Shape[]> {
  const shapes: Shape[] = [];
  for await (const result of set.crops()) {
    if (result.kind !== "crop") throw new Error(result.failure.message);
    const { crop } = result;
    const { truth } = crop.instance;
    if (truth?.kind !== "polygon") continue;
    const cells = targetCells(truth.polygon[0]!, crop.window, LIMITS);
    if (typeof cells === "string") continue;
    const ceiling = iouWithTruth([cells.map((cell) => cellToImagePoint(cell, crop.window))], truth, {
      height: crop.imageHeight,
      width: crop.imageWidth,
    });
    if (ceiling > LEAST_CEILING) {
      const { left, top, side } = crop.window;
      const outline = truth.polygon[0]!.map(({ x, y }) => ({ x: (x - left) / side, y: (y - top) / side }));
      shapes.push({ crop, cells, outline });
    }
  }
  return shapes.sort((a, b) => a.cells.length - b.cells.length).slice(0, COUNT);
}

describe.skipIf(!("tf" in loaded))("native TensorFlow.js", () => {
  test("a tiny network learns four crops of the fixtures to a mean IoU above 0.9 in 200 steps", async () => {
    const { tf } = loaded as Extract<typeof loaded, { tf: unknown }>;
    const set = await openValidationSet({
      boxes: join(FIXTURES, "boxes.json"),
      images: join(FIXTURES, "images"),
      seed: 0,
      filter: { ...LIMITS, minAreaPx: 1500 },
    });
    const shapes = await easyShapes(set);
    expect(shapes).toHaveLength(COUNT);
    const crops = new Uint8Array(Buffer.concat(shapes.map(({ crop }) => crop.pixels)));
    const network = describeNetwork({ name: "tiny", widths: [12, 12], features: 16, rank: 32, peepholes: false });
    const weights = new Map([...network.weightShapes].map(([name, shape]) => [name, initialWeight(name, shape, 1)]));
    const device = await trainingDevice(tf, "cpu", "");
    const trainer = device.openTrainer(
      { network, weights, normalization: NORMALIZATION },
      {
        frozen: new Set(),
        weights: { steps: 1, edge: 0.2, vertex: 1, mask: 0.2 },
        smoothing: 0,
        weightDecay: 0,
        clipNorm: 5,
        ema: 0,
      },
    );
    const learned: ValidationSet = {
      ...set,
      instances: COUNT,
      // eslint-disable-next-line @typescript-eslint/require-await -- an async generator is asked for, the crops are there already
      crops: async function* () {
        for (const { crop } of shapes) yield { kind: "crop", crop };
      },
    };
    const random = createRandom(3);
    const began = process.cpuUsage();
    let [iou, taken] = [0, 0];
    for (let step = 1; step <= MOST_STEPS && iou <= 0.9; step++) {
      taken = step;
      const batch = packBatch(
        crops,
        shapes.map(({ cells, outline }) => ({ cells: startAt(cells, random.integer(cells.length)), outline })),
      ); // any vertex may be the first
      const rate = RATE * Math.min(1, step / 10) * (step > 100 ? 0.3 : 1);
      expect((await trainer.step(batch, { head: rate, backbone: rate })).applied).toBe(true);
      if (step < 30 || step % 5 !== 0) continue;
      const engine = device.openEngine({ network, weights: await trainer.weights(), normalization: NORMALIZATION });
      iou = (await validate(engine, learned, { batchSize: COUNT, maxSteps: 30 })).line.all.iou;
      await engine.dispose();
    }
    const { user, system } = process.cpuUsage(began);
    trainer.dispose();
    console.log(
      `overfit: mean IoU ${iou.toFixed(3)} after ${taken} steps, ${((user + system) / 1e6).toFixed(1)} s of processor time`,
    );
    expect(iou).toBeGreaterThan(0.9);
  }, 300_000);
});
