import fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonObject } from "../../src/types.js";
import { openCityscapesWriter } from "../../src/write/cityscapes.js";
import type { ImageResult } from "../../src/write/writer.js";
import {
  anyRing,
  contextOf,
  done,
  failed,
  instanceOf,
  listFiles,
  readJson,
  rejected,
  resultOf,
  skipped,
  useFolder,
  withoutSize,
} from "./results.js";

interface PolygonFile {
  imgHeight: number;
  imgWidth: number;
  objects: (JsonObject & { label: string; polygon: number[][] })[];
}

const folder = useFolder();

async function write(...results: ImageResult[]): Promise<string[]> {
  const writer = openCityscapesWriter(contextOf(folder.path));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["cityscapes/"]);
  await writer.abort();
  return listFiles(folder.path);
}

const readOnly = async (): Promise<PolygonFile> =>
  readJson<PolygonFile>(folder.path, (await listFiles(folder.path))[0]!);

test("a file has the image's size and its objects, marked as not checked by a person", async () => {
  await write(resultOf([done(instanceOf(0)), done(instanceOf(1, { categoryId: 17 }))]));
  const file = await readOnly();
  expect(file).toMatchObject({ imgHeight: 80, imgWidth: 100 });
  expect(file.objects.map(({ label }) => label)).toEqual(["car", "person"]);
  expect(file.objects[0]).toEqual({
    label: "car",
    polygon: [
      [10, 10],
      [59, 12],
      [30, 43],
    ],
    deleted: 0,
    verified: 0,
    user: "polyrnn 0.0.0, model test",
    score: 0.8125,
  });
});

test.each([
  {
    fileName: "leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png",
    path: "gtFine/val/lindau/lindau_000000_000019_gtFine_polygons.json",
  },
  { fileName: "day/street.jpg", path: "day/street_gtFine_polygons.json" },
  { fileName: "../../_leftImg8bit.png", path: "_leftImg8bit_gtFine_polygons.json" },
])("$fileName pairs with $path", async ({ fileName, path }) => {
  expect(await write(resultOf([done(instanceOf(0))], { fileName }))).toEqual([`cityscapes/${path}`]);
});

test("objects of a Cityscapes input that were not drawn stay in their place, unchanged", async () => {
  const road = {
    label: "road",
    polygon: [
      [0, 0],
      [9, 0],
      [9, 9],
    ],
    verified: 1,
    user: "ann",
  };
  const gone = {
    label: "car",
    polygon: [
      [0, 0],
      [9, 0],
      [9, 9],
    ],
    deleted: 1,
  };
  const car = {
    label: "car",
    polygon: [
      [1, 1],
      [2, 1],
      [2, 2],
    ],
    draw: true,
    date: "1-Jan-2016",
  };
  const hidden = {
    label: "person",
    polygon: [
      [1, 1],
      [2, 1],
      [2, 2],
    ],
  };
  await write(
    resultOf([
      rejected(road, { status: "skipped", reason: "category" }),
      done({ ...instanceOf(1), raw: car }),
      rejected(gone, { status: "skipped", reason: "deleted" }),
      rejected(hidden, { status: "skipped", reason: "hidden" }),
      skipped({ ...instanceOf(2), raw: car }, "score-below-minimum"),
    ]),
  );
  const { objects } = await readOnly();
  expect(objects).toEqual([
    road,
    {
      ...car,
      polygon: [
        [10, 10],
        [59, 12],
        [30, 43],
      ],
      deleted: 0,
      verified: 0,
      user: "polyrnn 0.0.0, model test",
      score: 0.8125,
    },
    gone,
    hidden,
  ]);
});

test("a kept COCO polygon is an object, its parts joined; a crowd is a group", async () => {
  const raw = {
    category_id: 3,
    segmentation: [
      [0, 0, 4, 0, 4, 4],
      [20, 20, 24, 20, 24, 24],
    ],
  };
  await write(
    resultOf([
      rejected(raw, { status: "skipped", reason: "kept" }),
      rejected({ ...raw, iscrowd: 1 }, { status: "skipped", reason: "crowd" }),
      rejected({ category_id: 3 }, { status: "skipped", reason: "crowd" }),
    ]),
  );
  const { objects } = await readOnly();
  expect(objects.map(({ label, polygon }) => [label, polygon.length])).toEqual([
    ["car", 8],
    ["cargroup", 8],
  ]);
  expect(Object.keys(objects[0]!)).toEqual(["label", "polygon"]);
});

test.each([
  { why: "all instances failed", result: resultOf([failed(instanceOf(0))]), files: 0 },
  { why: "nothing was asked for", result: resultOf([]), files: 0 },
  { why: "the input says that nothing is there", result: resultOf([], { isEmpty: true }), files: 1 },
])("an image has $files file(s) when $why", async ({ result, files }) => {
  expect(await write(result)).toHaveLength(files);
});

test("an image of unknown size has no file", async () => {
  expect(await write(withoutSize(resultOf([done(instanceOf(0))])))).toEqual([]);
});

test("objects are outlined by whole pixels, three at least", async () => {
  await fc.assert(
    fc.asyncProperty(anyRing, async (ring) => {
      await write(resultOf([done(instanceOf(0), ring)]));
      const { polygon } = (await readOnly()).objects[0]!;
      expect(polygon.length).toBeGreaterThanOrEqual(3);
      for (const [x, y] of polygon) expect(Number.isInteger(x) && Number.isInteger(y)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test.each([
  { category: "pedestrian", label: "person" },
  { category: "sitting person", label: "person" },
  { category: "person (other)", label: "person" },
  { category: "rider", label: "rider" },
  { category: "dog", label: "dog" },
])("$category is labelled $label, and a crowd of it $label group", async ({ category, label }) => {
  const categories = [{ id: 3, name: category, raw: {} }];
  const writer = openCityscapesWriter(contextOf(folder.path, { categories }));
  const raw = { category_id: 3, iscrowd: 1, segmentation: [[20, 20, 24, 20, 24, 24]] };
  await writer.image(resultOf([done(instanceOf(0)), rejected(raw, { status: "skipped", reason: "crowd" })]));
  expect((await readOnly()).objects.map((object) => object.label)).toEqual([label, `${label}group`]);
});
