/** Crops as the product makes them, from the sample's photographs, and some of pure noise. */
import { join } from "node:path";
import type { Crop } from "../../src/crop/crop.js";
import type { CropSource } from "../../src/crop/read-crops.js";
import { readCrops } from "../../src/crop/read-crops.js";
import type { Dataset } from "../../src/dataset/dataset.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { CROP_SIZE } from "../../src/geometry/grid.js";
import { createRandom } from "../../src/random.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");

/** @returns every `nth` box of the sample as a crop, then `noise` crops of random bytes */
export async function realCrops(nth: number, noise: number): Promise<Crop[]> {
  const dataset = await openDataset({ images: join(FIXTURES, "images"), boxes: join(FIXTURES, "boxes.json") });
  const crops: Crop[] = [];
  try {
    for await (const result of readCrops(sourcesOf(dataset, nth), { context: 0.15 })) {
      if (result.kind === "failed") throw new Error(result.failure.message);
      crops.push(result.crop);
    }
  } finally {
    await dataset.close();
  }
  return [
    ...crops,
    ...Array.from({ length: noise }, (_, i) => ({ ...crops[i % crops.length]!, pixels: noisePixels(i) })),
  ];
}

async function* sourcesOf(dataset: Dataset, nth: number): AsyncGenerator<CropSource> {
  for await (const { image, location, entries } of dataset.groups()) {
    yield {
      image,
      location,
      instances: entries.flatMap((entry) =>
        entry.kind === "instance" && entry.instance.ordinal % nth === 0 ? [entry.instance] : [],
      ),
    };
  }
}

function noisePixels(seed: number): Uint8Array {
  const random = createRandom(`noise ${seed}`);
  return Uint8Array.from({ length: CROP_SIZE * CROP_SIZE * 3 }, () => random.integer(256));
}
