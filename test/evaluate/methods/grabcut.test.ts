import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { grabCutMethod } from "../../../src/evaluate/methods/grabcut.js";
import type { Method, SubjectImage } from "../../../src/evaluate/methods/method.js";
import { loadOpenCv } from "../../../src/evaluate/methods/grabcut.js";
import { shapeBaseline } from "../../../src/evaluate/methods/baselines.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { iouOfRles, rasterizeTruth } from "../../../src/geometry/iou.js";
import type { Box } from "../../../src/types.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "..", "fixtures");
let method: Method;
let listenersBefore: number;
const countListeners = (): number =>
  process.listenerCount("uncaughtException") + process.listenerCount("unhandledRejection");

beforeAll(async () => {
  listenersBefore = countListeners();
  method = await grabCutMethod();
});

async function imageNamed(fileName: string): Promise<SubjectImage> {
  const dataset = await openDataset({ images: join(FIXTURES, "images"), boxes: join(FIXTURES, "boxes.json") });
  try {
    for await (const { image, location, entries } of dataset.groups()) {
      if (image.fileName !== fileName) continue;
      const instances = entries.flatMap((entry) => (entry.kind === "instance" ? [entry.instance] : [])).slice(0, 2);
      return {
        image,
        location,
        width: image.width!,
        height: image.height!,
        instances,
        excludedIds: new Set(),
        crowds: [],
      };
    }
    throw new Error(`no image ${fileName}`);
  } finally {
    await dataset.close();
  }
}

async function meanIou(of: Method, image: SubjectImage): Promise<number> {
  const results = await of.masksOf(image);
  const ious = image.instances.map((instance, i) => {
    const result = results[i]!;
    return result.kind === "mask"
      ? iouOfRles(result.mask, rasterizeTruth(instance.truth!, image.height, image.width))
      : 0;
  });
  return ious.reduce((sum, iou) => sum + iou, 0) / ious.length;
}

test("GrabCut finds drawn shapes better than their boxes do, and the same again in another order", async () => {
  const image = await imageNamed("balloons.jpg");
  const iou = await meanIou(method, image);
  expect(iou).toBeGreaterThan(await meanIou(shapeBaseline("box", "coco"), image));
  expect(await meanIou(method, { ...image, instances: [...image.instances].reverse() })).toBe(iou);
  expect(method.seconds!()).toBeGreaterThan(0);
});

test.each<{ why: string; box: (width: number, height: number) => Box; kind: "mask" | "failed" }>([
  { why: "one pixel", box: () => ({ left: 40, top: 40, width: 1, height: 1 }), kind: "mask" },
  {
    why: "the whole image, which leaves no background",
    box: (width, height) => ({ left: 0, top: 0, width, height }),
    kind: "mask",
  },
  {
    why: "more than the image",
    box: (width, height) => ({ left: -50, top: -50, width: width + 100, height: height + 100 }),
    kind: "mask",
  },
  {
    why: "all but a line of pixels",
    box: (width, height) => ({ left: 0, top: 0, width: width - 1, height }),
    kind: "mask",
  },
  { why: "beside the image", box: (width) => ({ left: width + 10, top: 0, width: 5, height: 5 }), kind: "failed" },
])("a box of $why gives a $kind", async ({ box, kind }) => {
  const image = await imageNamed("balloons.jpg");
  const instance = { ...image.instances[0]!, box: box(image.width, image.height) };
  const [result] = await method.masksOf({ ...image, instances: [instance] });
  expect(result!.kind).toBe(kind);
});

test("an image that cannot be read fails its instances, not the evaluation", async () => {
  const image = await imageNamed("balloons.jpg");
  const results = await method.masksOf({ ...image, location: { kind: "file", path: join(FIXTURES, "boxes.json") } });
  expect(results.map((result) => result.kind)).toEqual(image.instances.map(() => "failed"));
});

test("OpenCV leaves no handler behind that would end the process, and no matrix in its memory", async () => {
  expect(countListeners()).toBe(listenersBefore);
  const { cv } = await loadOpenCv();
  const heapSize = (): number => (cv as unknown as { readonly HEAPU8: Uint8Array }).HEAPU8.length;
  const image = await imageNamed("balloons.jpg");
  const before = heapSize();
  for (let i = 0; i < 5; i++) await method.masksOf({ ...image, instances: image.instances.slice(0, 1) });
  expect(heapSize()).toBe(before);
});
