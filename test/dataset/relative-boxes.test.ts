import { join } from "node:path";
import { expect, test } from "vitest";
import type { Dataset, OpenDatasetOptions } from "../../src/dataset/dataset.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import type { Entry } from "../../src/dataset/dataset.js";
import { BoxCounter } from "../../src/dataset/relative-boxes.js";
import { folderWith } from "./temporary-folder.js";

const RELATIVE = [0.2, 0.25, 0.4, 0.5];
const PIXELS = [40, 30, 80, 60];

type Box = readonly (number | null)[];

const write = async (name: string, content: unknown): Promise<string> =>
  join(await folderWith({ [name]: content }), name);

const coco = (boxes: readonly Box[], size: object = { width: 200, height: 120 }): Promise<string> =>
  write("boxes.json", {
    images: [{ id: 1, file_name: "a.jpg", ...size }],
    categories: [{ id: 1, name: "thing" }],
    annotations: boxes.map((bbox, i) => ({ id: i + 1, image_id: 1, category_id: 1, bbox })),
  });

async function entriesOf(options: OpenDatasetOptions): Promise<Entry[]> {
  const dataset: Dataset = await openDataset(options);
  const entries: Entry[] = [];
  for await (const group of dataset.groups()) entries.push(...group.entries);
  await dataset.close();
  return entries;
}

test.each([
  { why: "all of them", boxes: [RELATIVE, [0, 0, 1, 1], [0.5, 0.5, 0.1, 0.1]], says: "received 2 of 2" },
  { why: "nearly all", boxes: [...Array<Box>(19).fill(RELATIVE), PIXELS], says: "received 19 of 20" },
  { why: "centers, whose boxes reach over 1", boxes: [[0.9, 0.9, 0.4, 0.4]], says: "received 1 of 1" },
  {
    why: "empty and broken ones aside",
    boxes: [RELATIVE, [0, 0, 0, 0], [0.1, null, 0.1, 0.1]],
    says: "received 1 of 1",
  },
])("boxes that look relative are refused, with the two numbers: $why", async ({ boxes, says }) => {
  const path = await coco(boxes);
  await expect(openDataset({ boxes: path })).rejects.toThrow(says);
  await expect(openDataset({ boxes: path })).rejects.toMatchObject({
    hint: expect.stringContaining("--boxes-are relative") as string,
  });
  expect(await entriesOf({ boxes: path, boxesAre: "pixels" })).toHaveLength(boxes.length);
});

test.each([
  { why: "half of them", boxes: [RELATIVE, PIXELS] },
  { why: "small ones far from the origin", boxes: [[199.9, 119.9, 0.05, 0.05]] },
  { why: "none", boxes: [] },
  { why: "one pixel at the origin", boxes: [[0, 0, 1, 1]] },
])("other files are read: $why", async ({ boxes }) => {
  expect(await entriesOf({ boxes: await coco(boxes) })).toHaveLength(boxes.length);
});

test("a single box below a pixel is box-empty", async () => {
  const entries = await entriesOf({
    boxes: await coco([[10, 10, 0.5, 20], [10, 10, 20, 0.99], PIXELS, [10, 10, 1, 1]]),
  });
  expect(entries.map((entry) => (entry.kind === "failed" ? entry.failure.reason : entry.kind))).toEqual([
    "box-empty",
    "box-empty",
    "instance",
    "instance",
  ]);
});

test("relative boxes are scaled by their image's size, and go out in pixels", async () => {
  const [entry] = await entriesOf({ boxes: await coco([RELATIVE]), boxesAre: "relative" });
  expect(entry).toMatchObject({
    instance: { box: { left: 40, top: 30, width: 80, height: 60 }, raw: { bbox: [40, 30, 80, 60] } },
  });
});

test("where the file does not say the size, the image does; where neither does, the annotation fails", async () => {
  const boxes = await coco([RELATIVE], {});
  const imageSize = (): Promise<{ width: number; height: number }> => Promise.resolve({ width: 100, height: 200 });
  expect(await entriesOf({ boxes, boxesAre: "relative", imageSize })).toMatchObject([
    { instance: { box: { left: 20, top: 50, width: 40, height: 100 } } },
  ]);
  expect(await entriesOf({ boxes, boxesAre: "relative" })).toMatchObject([{ failure: { reason: "image-size" } }]);
});

test("the same file with boxes of another meaning is another input", async () => {
  const boxes = await coco([RELATIVE]);
  const hashes: string[] = [];
  for (const boxesAre of ["pixels", "relative"] as const) {
    const dataset = await openDataset({ boxes, boxesAre });
    hashes.push(dataset.sha256);
    await dataset.close();
  }
  expect(hashes[0]).not.toBe(hashes[1]);
});

test("results lists and CityPersons are judged and scaled alike", async () => {
  const list = await write("results.json", [{ image_id: 1, category_id: 1, bbox: RELATIVE, score: 0.9 }]);
  const dataset = await coco([]);
  await expect(openDataset({ boxes: list, dataset })).rejects.toThrow("received 1 of 1");
  expect(await entriesOf({ boxes: list, dataset, boxesAre: "relative" })).toMatchObject([
    { instance: { box: { left: 40, top: 30, width: 80, height: 60 } } },
  ]);
  const person = { label: "pedestrian", bbox: RELATIVE, bboxVis: RELATIVE, instanceId: 1 };
  const persons = await write("persons/a_gtBboxCityPersons.json", { imgWidth: 200, imgHeight: 120, objects: [person] });
  await expect(openDataset({ boxes: persons })).rejects.toThrow("received 1 of 1");
  expect(await entriesOf({ boxes: persons, boxesAre: "relative" })).toMatchObject([
    { instance: { box: { left: 40, top: 30, width: 80, height: 60 }, raw: { bbox: [40, 30, 80, 60] } } },
  ]);
});

test("a large file in pixels is judged by its first boxes", () => {
  const counter = new BoxCounter();
  for (let i = 0; i < 30_000; i++) counter.note(PIXELS);
  expect(counter.total).toBe(10_000);
  expect(counter.problem("file")).toBeUndefined();
});

const RING = [40, 30, 120, 30, 120, 90];
const SHARES = [0.2, 0.25, 0.6, 0.25, 0.6, 0.75];

test.each([
  { why: "COCO's own form", segmentation: [SHARES], scaled: [RING], area: 2400 },
  { why: "a flat list", segmentation: SHARES, scaled: RING, area: 2400 },
  {
    why: "a list of points",
    segmentation: [
      [0.2, 0.25],
      [0.6, 0.25],
      [0.6, 0.75],
    ],
    scaled: [
      [40, 30],
      [120, 30],
      [120, 90],
    ],
    area: 2400,
  },
  {
    why: "points with names",
    segmentation: [
      { x: 0.2, y: 0.25 },
      { x: 0.6, y: 0.25 },
      { x: 0.6, y: 0.75 },
    ],
    scaled: [
      { x: 40, y: 30 },
      { x: 120, y: 30 },
      { x: 120, y: 90 },
    ],
    area: 2400,
  },
  { why: "numbers as text", segmentation: [SHARES.map(String)], scaled: [RING], area: 2400 },
  { why: "JSON as text", segmentation: JSON.stringify([SHARES]), scaled: [RING], area: 2400 },
  { why: "pixels beside relative boxes", segmentation: [RING], scaled: [RING], area: 0.1 },
])("a segmentation is scaled with its box where it is relative, too: $why", async ({ segmentation, scaled, area }) => {
  const boxes = await write("boxes.json", {
    images: [{ id: 1, file_name: "a.jpg", width: 200, height: 120 }],
    categories: [{ id: 1, name: "thing" }],
    annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: RELATIVE, segmentation, area: 0.1 }],
  });
  const ring = [0, 2, 4].map((i) => ({ x: RING[i]!, y: RING[i + 1]! }));
  expect(await entriesOf({ boxes, boxesAre: "relative" })).toMatchObject([
    { instance: { truth: { polygon: [ring] }, raw: { bbox: [40, 30, 80, 60], segmentation: scaled, area } } },
  ]);
});

test("a mask is in pixels whatever its box is, and what cannot be read stays for its reader to name", async () => {
  const segmentations = [{ size: [120, 200], counts: [0, 1, 23999] }, ["0.1", "x"], [[0.1, null]], { x: 0.1 }];
  const boxes = await write("boxes.json", {
    images: [{ id: 1, file_name: "a.jpg", width: 200, height: 120 }],
    categories: [{ id: 1, name: "thing" }],
    annotations: segmentations.map((segmentation, i) => ({
      id: i + 1,
      image_id: 1,
      category_id: 1,
      bbox: RELATIVE,
      segmentation,
      area: 0.5,
    })),
  });
  const entries = await entriesOf({ boxes, boxesAre: "relative" });
  expect(entries).toMatchObject(
    segmentations.map((segmentation) => ({ instance: { raw: { segmentation, area: 0.5, bbox: PIXELS } } })),
  );
});
