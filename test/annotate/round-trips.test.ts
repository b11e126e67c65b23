/**
 * What one run writes, the next can read: every input that the program takes, every format it writes that it also reads.
 *
 * What is lost: a results list has no polygons and Cityscapes files no ids; CityPersons' kinds of people become one;
 * Cityscapes coordinates are whole pixels.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { iouOfRles, rasterizeTruth } from "../../src/geometry/iou.js";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { rasterizePolygonPil } from "../../src/geometry/rasterize-pil.js";
import { rleArea } from "../../src/geometry/rle.js";
import type { Rle } from "../../src/types.js";
import { readJson, runAnnotate } from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const WIDTH = 200,
  HEIGHT = 120;
const STEM = "aachen_000000_000019";
const BOXES = [
  [20, 14, 81, 73],
  [110, 30, 60, 80],
] as const;

interface Label {
  readonly label: string;
  readonly mask: Rle;
}

/** Labels and masks of a data set, whatever its format. */
async function labelsOf(images: string, boxes: string): Promise<Label[]> {
  const dataset = await openDataset({ images, boxes });
  const names = new Map(dataset.categories.map(({ id, name }) => [id, name]));
  const labels: Label[] = [];
  for await (const { entries, location } of dataset.groups()) {
    expect(location.kind).toBe("file");
    for (const entry of entries) {
      if (entry.kind !== "instance") throw new Error(`not read: ${JSON.stringify(entry)}`);
      const { truth, categoryId } = entry.instance;
      labels.push({ label: names.get(categoryId)!, mask: rasterizeTruth(truth!, HEIGHT, WIDTH) });
    }
  }
  await dataset.close();
  return labels;
}

const cityscapesFile = (ending: string, objects: readonly object[]) => ({
  name: join("gt", `${STEM}_${ending}.json`),
  content: { imgHeight: HEIGHT, imgWidth: WIDTH, objects },
});
const corners = ([left, top, width, height]: (typeof BOXES)[number]): number[][] => [
  [left, top],
  [left + width - 1, top],
  [left + width - 1, top + height - 1],
  [left, top + height - 1],
];
const categories = [
  { id: 26, name: "car" },
  { id: 24, name: "person" },
];
const image = { id: 1, file_name: `leftImg8bit/${STEM}_leftImg8bit.png`, width: WIDTH, height: HEIGHT };
const cocoAnnotations = BOXES.map((bbox, i) => ({ id: i + 1, image_id: 1, category_id: categories[i]!.id, bbox }));

/** Inputs, and the labels they have in COCO and in Cityscapes. */
const INPUTS = {
  coco: {
    files: [{ name: "boxes.json", content: { images: [image], categories, annotations: cocoAnnotations } }],
    labels: { coco: ["car", "person"], cityscapes: ["car", "person"] },
  },
  "coco results": {
    files: [
      { name: "boxes.json", content: cocoAnnotations.map((annotation) => ({ ...annotation, score: 0.5 })) },
      { name: "images.json", content: { images: [image], categories, annotations: [] } },
    ],
    labels: { coco: ["car", "person"], cityscapes: ["car", "person"] },
  },
  cityscapes: {
    files: [
      cityscapesFile("gtFine_polygons", [
        { label: "car", polygon: corners(BOXES[0]) },
        { label: "person", polygon: corners(BOXES[1]) },
      ]),
    ],
    labels: { coco: ["car", "person"], cityscapes: ["car", "person"] },
  },
  citypersons: {
    files: [
      cityscapesFile("gtBboxCityPersons", [
        { label: "pedestrian", instanceId: 24000, bbox: BOXES[0], bboxVis: BOXES[0] },
        { label: "sitting person", instanceId: 24001, bbox: BOXES[1], bboxVis: BOXES[1] },
      ]),
    ],
    labels: { coco: ["pedestrian", "sitting person"], cityscapes: ["person", "person"] },
  },
} as const;
const OUTPUTS = { coco: "annotations.json", cityscapes: "cityscapes" } as const;

let images: string;
beforeAll(async () => {
  images = temporaryFolder();
  await mkdir(join(images, "leftImg8bit"));
  const noise = { type: "gaussian", mean: 128, sigma: 60 } as const;
  await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: "#888", noise } })
    .png()
    .toFile(join(images, image.file_name));
});

async function inputOf(format: keyof typeof INPUTS): Promise<{ boxes: string; dataset?: string }> {
  const folder = temporaryFolder();
  await mkdir(join(folder, "gt"));
  const { files } = INPUTS[format];
  for (const { name, content } of files) await writeFile(join(folder, name), JSON.stringify(content));
  const boxes = join(folder, files[0].name === "boxes.json" ? "boxes.json" : "gt");
  return files.length > 1 ? { boxes, dataset: join(folder, "images.json") } : { boxes };
}

describe.each(Object.keys(INPUTS) as (keyof typeof INPUTS)[])("boxes of a %s input", (format) => {
  let out: string;
  let drawn: Rle[];
  beforeAll(async () => {
    const ran = await runAnnotate({
      images,
      ...(await inputOf(format)),
      formats: ["coco", "cityscapes"],
      model: "mobile", // Random weights draw spindles, whose masks are all edge.
      maxSteps: 71,
    });
    expect(ran.summary).toMatchObject({ done: 2, failed: 0 });
    out = ran.out;
    drawn = (await labelsOf(images, join(out, OUTPUTS.coco))).map(({ mask }) => mask);
    // What lies below another object is seen of neither in a Cityscapes file: the test needs polygons apart.
    expect(iouOfRles(drawn[0]!, drawn[1]!)).toBe(0);
  });

  test.each(Object.keys(OUTPUTS) as (keyof typeof OUTPUTS)[])(
    "come back out of %s with label and polygon",
    async (to) => {
      const labels = await labelsOf(images, join(out, OUTPUTS[to]));
      expect(labels.map(({ label }) => label)).toEqual(INPUTS[format].labels[to]);
      labels.forEach(({ mask }, i) => {
        expect(Math.abs(rleArea(mask) / rleArea(drawn[i]!) - 1)).toBeLessThan(to === "coco" ? 1e-9 : 0.01);
        expect(iouOfRles(mask, drawn[i]!)).toBeGreaterThan(to === "coco" ? 0.999 : 0.9);
      });
    },
  );

  test.each(Object.keys(OUTPUTS) as (keyof typeof OUTPUTS)[])(
    "are read out of %s by a run that keeps the polygons, which changes none",
    async (to) => {
      const first = await labelsOf(images, join(out, OUTPUTS[to]));
      const { summary, out: again } = await runAnnotate({
        images,
        boxes: join(out, OUTPUTS[to]),
        existing: "keep",
        formats: ["coco", "cityscapes"],
      });
      expect(summary).toMatchObject({ done: 0, failed: 0, skipped: 2 });
      for (const from of Object.keys(OUTPUTS) as (keyof typeof OUTPUTS)[]) {
        const kept = await labelsOf(images, join(again, OUTPUTS[from]));
        expect(kept.map(({ label }) => label)).toEqual(INPUTS[format].labels[from === "cityscapes" ? from : to]);
        kept.forEach(({ mask }, i) => {
          const { mask: before } = first[i]!;
          expect(Math.abs(rleArea(mask) / rleArea(before) - 1)).toBeLessThan(0.01);
          expect(iouOfRles(mask, before)).toBeGreaterThan(0.9);
        });
      }
    },
  );
});

test("labels that Cityscapes does not know are said at once", async () => {
  const folder = temporaryFolder();
  const boxes = join(folder, "boxes.json");
  const named = [
    { id: 26, name: "dog" },
    { id: 24, name: "person" },
  ];
  await writeFile(boxes, JSON.stringify({ images: [image], categories: named, annotations: cocoAnnotations }));
  const { host } = await runAnnotate({ images, boxes, formats: ["cityscapes"] });
  expect(host.notes.filter((line) => line.startsWith("cityscapes: "))).toEqual([
    expect.stringContaining('received "dog"; its tools do not take them'),
  ]);
});

/* Readers of the other formats, as their documentation has them. */
test("YOLO, LabelMe and Label Studio files hold the same polygons", async () => {
  const { out } = await runAnnotate({
    images,
    ...(await inputOf("coco")),
    formats: ["coco", "yolo-seg", "labelme", "label-studio"],
  });
  const drawn = await labelsOf(images, join(out, "annotations.json"));
  const stem = `leftImg8bit/${STEM}_leftImg8bit`;

  const [task] = await readJson<
    { predictions: { result: { value: { points: number[][]; polygonlabels: string[] } }[] }[] }[]
  >(out, "label-studio.json");
  const studio = task!.predictions[0]!.result.map(({ value }) => ({
    label: value.polygonlabels[0]!,
    ring: value.points.map(([x, y]) => ({ x: (x! * WIDTH) / 100, y: (y! * HEIGHT) / 100 })),
  }));
  const yolo = (await readFile(join(out, "yolo-seg", "labels", `${stem}.txt`), "utf8"))
    .trim()
    .split("\n")
    .map((line) => {
      const [index, ...shares] = line.split(" ").map(Number);
      const ring = Array.from({ length: shares.length / 2 }, (_, i) => ({
        x: shares[2 * i]! * WIDTH,
        y: shares[2 * i + 1]! * HEIGHT,
      }));
      return { label: categories[index!]!.name, ring };
    });
  const labelme = (
    await readJson<{ shapes: { label: string; points: number[][] }[] }>(out, "labelme", `${stem}.json`)
  ).shapes.map(({ label, points }) => ({ label, ring: points.map(([x, y]) => ({ x: x!, y: y! })) }));
  // LabelMe names pixels: it drops the fractions and fills with Pillow.
  const named = labelme.map(({ label, ring }) => ({
    label,
    ring: ring.map(({ x, y }) => ({ x: Math.floor(x), y: Math.floor(y) })),
  }));
  for (const [least, fill, read] of [
    [0.99, rasterizePolygon, studio],
    [0.99, rasterizePolygon, yolo],
    // Its areas agree to 1 % above; what is this small is mostly edge, and the outline differs a little by processor.
    [0.8, rasterizePolygonPil, named],
  ] as const) {
    expect(read.map(({ label }) => label)).toEqual(["car", "person"]);
    read.forEach(({ ring }, i) => {
      expect(iouOfRles(fill([ring], HEIGHT, WIDTH), drawn[i]!.mask)).toBeGreaterThan(least);
    });
  }
});
