import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CropResult } from "../../src/crop/crop.js";
import { squareWindow } from "../../src/geometry/box.js";
import { openValidationSet } from "../../src/train/validate.js";
import { IMAGES, INSTANCES, drawData } from "./drawn-data.js";

const data = await drawData();

async function cropsOf(set: { crops(): AsyncIterable<CropResult> }): Promise<CropResult[]> {
  const results: CropResult[] = [];
  for await (const result of set.crops()) results.push(result);
  return results;
}

test("gives every instance in its plain crop, with its truth and its source, in order, as often as asked", async () => {
  const set = await openValidationSet({ ...data, seed: 1 });
  expect(set.instances).toBe(INSTANCES.length);
  expect(set.bySource).toEqual(
    new Map([
      ["left", 4],
      ["right", 1],
    ]),
  );
  expect(set.files.map(({ fileName }) => fileName)).toEqual(IMAGES.map(({ name }) => name));
  const results = await cropsOf(set);
  expect(results.map((result) => (result.kind === "crop" ? result.crop.instance.ordinal : -1))).toEqual([
    0, 1, 2, 3, 4,
  ]);
  for (const result of results) {
    if (result.kind !== "crop") throw new Error(result.failure.message);
    const { instance, window } = result.crop;
    expect(window).toEqual(squareWindow(instance.box, 0.15));
    expect(instance.truth?.kind).toBe("polygon");
    expect(instance.raw).toEqual({});
    expect(set.sourceOf(instance.ordinal)).toBe(instance.ordinal < 4 ? "left" : "right");
  }
  expect((await cropsOf(set)).length).toBe(5);
});

test("keeps what could not be taught: the model is asked to draw it all the same", async () => {
  const set = await openValidationSet({ ...data, seed: 1, filter: { maxVertices: 3 } });
  expect(set.instances).toBe(INSTANCES.length);
});

test("a subset is chosen by the seed and keeps its order", async () => {
  const set = await openValidationSet({ ...data, seed: 3, maxInstances: 3 });
  const ordinals = (await cropsOf(set)).map((result) => (result.kind === "crop" ? result.crop.instance.ordinal : -1));
  expect(ordinals.length).toBe(3);
  expect(ordinals).toEqual(ordinals.toSorted((a, b) => a - b));
  expect([...set.bySource.values()].reduce((sum, count) => sum + count, 0)).toBe(3);
});

test("an image that goes away between two validations fails its instances", async () => {
  const vanishing = await drawData();
  const set = await openValidationSet({ ...vanishing, seed: 1 });
  await rm(join(vanishing.images, "three.png"));
  const results = await cropsOf(set);
  expect(results.map(({ kind }) => kind)).toEqual(["crop", "crop", "crop", "crop", "failed"]);
});

test("an ordinal that is not in the set is a mistake of the caller", async () => {
  const set = await openValidationSet({ ...data, seed: 1 });
  expect(() => set.sourceOf(99)).toThrow(RangeError);
});
