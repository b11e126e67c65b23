/**
 * What merging rests on: on the CPU, a crop's polygon and score do not depend on what else is in its batch, to the last
 * bit. A shard cuts batches out of other neighbors than the whole run does.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Crop } from "../../src/crop/crop.js";
import type { CropSource } from "../../src/crop/read-crops.js";
import { readCrops } from "../../src/crop/read-crops.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { stackPixels } from "../../src/crop/crop.js";
import { createRandom } from "../../src/random.js";
import { openEngine } from "../../src/engine/devices.js";
import type { Engine } from "../../src/engine/engine.js";
import { loadModel } from "../../src/model/model.js";
import { BOXES, IMAGES } from "./runs.js";

const CROPS = 14;
/** Every step computes alike. */
const STEPS = 6;
let engine: Engine;
let crops: Crop[];
let alone: readonly (readonly [string, number])[];

async function* sources(): AsyncGenerator<CropSource> {
  const dataset = await openDataset({ images: IMAGES, boxes: BOXES });
  for await (const { image, location, entries } of dataset.groups()) {
    yield {
      image,
      location,
      instances: entries.flatMap((entry) => (entry.kind === "instance" ? [entry.instance] : [])),
    };
  }
  await dataset.close();
}

/** Cells and log-probability of each crop, drawn in batches of the order given. */
async function draw(order: readonly number[], size: number): Promise<(readonly [string, number])[]> {
  const drawn: (readonly [string, number])[] = [];
  for (let start = 0; start < order.length; start += size) {
    const batch = order.slice(start, start + size);
    const { sequences } = await decodeGreedy(engine, stackPixels(batch.map((at) => crops[at]!)), batch.length, STEPS);
    batch.forEach((at, i) => {
      drawn[at] = [sequences[i]!.cells.join(" "), sequences[i]!.logProbability];
    });
  }
  return drawn;
}

beforeAll(async () => {
  const model = await loadModel("mobile");
  ({ engine } = await openEngine(model, { device: "cpu" }));
  crops = [];
  for await (const result of readCrops(sources(), {
    context: model.card.context,
    maxCropsAhead: 64,
    onTime: () => undefined,
  })) {
    if (result.kind === "crop" && crops.length < CROPS) crops.push(result.crop);
  }
  alone = await draw(
    crops.map((_, at) => at),
    1,
  );
});
afterAll(async () => {
  await engine.dispose();
});

test.each([3, 8, 14])("in batches of %i, each crop gets the bits it gets alone", async (size) => {
  expect(
    await draw(
      crops.map((_, at) => at),
      size,
    ),
  ).toEqual(alone);
});

test("beside other neighbors as well", async () => {
  const random = createRandom(7);
  for (const size of [5]) {
    const order = crops
      .map((_, at) => ({ at, key: random.next() }))
      .sort((a, b) => a.key - b.key)
      .map(({ at }) => at);
    expect(await draw(order, size)).toEqual(alone);
  }
});
