/** Methods that start from the maps of `mobile`, on drawn scenes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { shapeBaseline } from "../../../src/evaluate/methods/baselines.js";
import { crfMethod } from "../../../src/evaluate/methods/crf.js";
import { deepMaskMethod } from "../../../src/evaluate/methods/deepmask.js";
import { dilationMethod } from "../../../src/evaluate/methods/dilation.js";
import { grabCutMaskMethod } from "../../../src/evaluate/methods/grabcut-mask.js";
import { LearnedMasks } from "../../../src/evaluate/methods/learned-masks.js";
import type { Method, SubjectImage } from "../../../src/evaluate/methods/method.js";
import { sharpMaskMethod } from "../../../src/evaluate/methods/sharpmask.js";
import { iouOfRles, rasterizeTruth } from "../../../src/geometry/iou.js";
import { rleBounds } from "../../../src/geometry/rle.js";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const FIXTURES = join(ROOT, "fixtures");
const hasHeads = existsSync(join(ROOT, "models", "baselines", "model.json"));
if (!hasHeads) console.log("deepmask and dilation skipped: models/baselines is not here");

let masks: LearnedMasks;
let scene: SubjectImage;
const methods = new Map<string, Method>();
beforeAll(async () => {
  masks = await LearnedMasks.open(0.15, hasHeads ? ["deepmask"] : []);
  for (const method of [
    sharpMaskMethod(masks),
    crfMethod(masks),
    await grabCutMaskMethod(masks),
    ...(hasHeads ? [deepMaskMethod(masks), dilationMethod(masks)] : []),
  ]) {
    methods.set(method.name, method);
  }
  scene = await balloons();
});
afterAll(() => masks.close());

/** Two drawn balloons. */
async function balloons(): Promise<SubjectImage> {
  const dataset = await openDataset({ images: join(FIXTURES, "images"), boxes: join(FIXTURES, "boxes.json") });
  try {
    for await (const { image, location, entries } of dataset.groups()) {
      if (image.fileName !== "balloons.jpg") continue;
      const instances = entries.flatMap((entry) => (entry.kind === "instance" ? [entry.instance] : [])).slice(0, 2);
      const [width, height] = [image.width!, image.height!];
      return { image, location, width, height, instances, excludedIds: new Set(), crowds: [] };
    }
    throw new Error("no image balloons.jpg");
  } finally {
    await dataset.close();
  }
}

async function iousOf(method: Method): Promise<number[]> {
  const results = await method.masksOf(scene);
  return scene.instances.map((instance, i) => {
    const result = results[i]!;
    const truth = rasterizeTruth(instance.truth!, scene.height, scene.width);
    return result.kind === "mask" ? iouOfRles(result.mask, truth) : 0;
  });
}

describe.each(["sharpmask", "crf", "grabcut-mask", "deepmask", "dilation"])("%s", (name) => {
  const isHere = hasHeads || !["deepmask", "dilation"].includes(name);

  test.skipIf(!isHere)("finds drawn balloons better than their boxes, and stays inside them", async () => {
    const ious = await iousOf(methods.get(name)!);
    const boxes = await iousOf(shapeBaseline("box", "coco"));
    ious.forEach((iou, i) => {
      expect(iou).toBeGreaterThan(boxes[i]!);
    });
    const results = await methods.get(name)!.masksOf(scene);
    scene.instances.forEach(({ box }, i) => {
      const result = results[i]!;
      const bounds = result.kind === "mask" ? rleBounds(result.mask)! : box;
      expect(bounds.left).toBeGreaterThanOrEqual(Math.floor(box.left));
      expect(bounds.top + bounds.height).toBeLessThanOrEqual(Math.ceil(box.top + box.height));
    });
  });
});

test("a box beside the image and an image that is none fail, the instance beside them does not", async () => {
  const method = methods.get("sharpmask")!;
  const [whole] = scene.instances;
  const beside = { ...whole!, box: { left: 10_000, top: 0, width: 5, height: 5 } };
  const pixel = { ...whole!, box: { left: 40, top: 40, width: 1, height: 1 } };
  const results = await method.masksOf({ ...scene, instances: [beside, whole!, pixel] });
  expect(results[0]).toMatchObject({ kind: "failed", reason: "box-outside" });
  expect(results[1]!.kind).toBe("mask");
  expect(["polygon-empty", undefined]).toContain(results[2]!.kind === "failed" ? results[2]!.reason : undefined);
  const broken = { ...scene, location: { kind: "file", path: join(FIXTURES, "boxes.json") } as const };
  expect(await method.masksOf(broken)).toEqual(
    scene.instances.map(() => expect.objectContaining({ reason: "image-unreadable" }) as unknown),
  );
});

test("a mask method says that its masks are compared, without polygons", () => {
  for (const { comparedAs } of methods.values()) expect(comparedAs).toBe("mask");
});
