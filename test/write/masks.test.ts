import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { JsonObject, Ring } from "../../src/types.js";
import { openMasksWriter } from "../../src/write/masks.js";
import type { FormatOptions, ImageResult, ResultItem } from "../../src/write/writer.js";
import { contextOf, done, failed, instanceOf, listFiles, readJson, resultOf, skipped, useFolder } from "./results.js";

const folder = useFolder();

async function write(results: readonly ImageResult[], formatOptions: FormatOptions = {}): Promise<string[]> {
  const writer = await openMasksWriter(contextOf(folder.path, { formatOptions }));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["masks/"]);
  return listFiles(join(folder.path, "masks"));
}

function square(left: number, top: number, side: number): Ring {
  const [right, bottom] = [left + side, top + side];
  return [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
  ];
}

/** Value of a pixel of a gray file, 16 bits wide as read. */
async function valuesAt(path: string, ...places: readonly (readonly [number, number])[]): Promise<number[]> {
  const { data, info } = await sharp(join(folder.path, "masks", path))
    .toColourspace("grey16")
    .raw({ depth: "ushort" })
    .toBuffer({ resolveWithObject: true });
  return places.map(([x, y]) => data.readUInt16LE(2 * (y * info.width + x)));
}

const lines = async (): Promise<JsonObject[]> =>
  (await readFile(join(folder.path, "masks", "instances.ndjson"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as JsonObject);

test("pixels are numbered by instance, the list says what each number is, the legend what each class is", async () => {
  const result = resultOf([
    done(instanceOf(0), square(0, 0, 10), 0.5),
    failed(instanceOf(1)),
    done(instanceOf(2, { categoryId: 17 }), square(5, 5, 10), 0.9),
  ]);
  expect(await write([result])).toEqual([
    "instances.ndjson",
    "instances/street.png",
    "legend.json",
    "semantic/street.png",
  ]);
  expect(await valuesAt("instances/street.png", [2, 2], [7, 7], [12, 12], [40, 40])).toEqual([1, 2, 2, 0]);
  expect(await lines()).toEqual([
    {
      image: "street.jpg",
      image_id: 1,
      path: "street.png",
      instances: [
        { value: 1, annotation_id: 100, category_id: 3, pixels: 75, polyrnn_score: 0.5 },
        { value: 2, annotation_id: 102, category_id: 17, pixels: 100, polyrnn_score: 0.9 },
      ],
    },
  ]);
  expect(await readJson(folder.path, "masks", "legend.json")).toMatchObject({
    background: 0,
    categories: [
      { value: 1, id: 3, name: "car", color: "#800000" },
      { value: 2, id: 17, name: "person", color: "#008000" },
    ],
  });
  const semantic = await sharp(join(folder.path, "masks", "semantic/street.png"))
    .removeAlpha()
    .raw()
    .toBuffer();
  expect([...semantic.subarray(3 * (2 * 100 + 2), 3 * (2 * 100 + 2) + 3)]).toEqual([0x80, 0, 0]);
  expect([...semantic.subarray(3 * (7 * 100 + 7), 3 * (7 * 100 + 7) + 3)]).toEqual([0, 0x80, 0]);
});

test("of equal scores the earlier annotation lies on top, and people's polygons on top of all", async () => {
  const segmentation = [[8, 8, 12, 8, 12, 12, 8, 12]];
  const result = resultOf([
    done(instanceOf(0), square(0, 0, 10), 0.7),
    done(instanceOf(1), square(5, 5, 10), 0.7),
    skipped(instanceOf(2, { raw: { segmentation } }), "kept"),
  ]);
  await write([result]);
  expect(await valuesAt("instances/street.png", [6, 6], [9, 9], [13, 13])).toEqual([1, 3, 2]);
});

test("each asks for a file per instance, whole where others cover it", async () => {
  const result = resultOf([done(instanceOf(0), square(0, 0, 10), 0.5), done(instanceOf(1), square(5, 5, 10), 0.9)]);
  expect(await write([result], { masks: ["each"] })).toEqual([
    "each/street/1.png",
    "each/street/2.png",
    "instances.ndjson",
    "legend.json",
  ]);
  const gray = await sharp(join(folder.path, "masks", "each/street/1.png"))
    .extractChannel(0)
    .raw()
    .toBuffer();
  expect(gray[7 * 100 + 7]).toBe(255);
  expect(gray[12 * 100 + 12]).toBe(0);
});

test("an empty image has an empty mask; one whose instances all failed has none", async () => {
  const empty = resultOf([], { isEmpty: true, fileName: "empty.jpg" });
  expect(await write([empty, resultOf([failed(instanceOf(0))])])).toEqual([
    "instances.ndjson",
    "instances/empty.png",
    "legend.json",
    "semantic/empty.png",
  ]);
});

test("more than 65,535 instances in an image, and more than 255 classes, are refused with what to do", async () => {
  const crowded = resultOf(Array<ResultItem>(65_536).fill(done(instanceOf(0))));
  const writer = await openMasksWriter(contextOf(folder.path));
  await expect(writer.image(crowded)).rejects.toMatchObject({
    exitCode: 65,
    message: "street.jpg: expected at most 65535 instances in an image for 16 bits, received 65536",
  });
  await writer.abort();
  const categories = Array.from({ length: 256 }, (_, i) => ({ id: i, name: `c${i}`, raw: {} }));
  await expect(openMasksWriter(contextOf(folder.path, { categories }))).rejects.toMatchObject({
    exitCode: 65,
    hint: "Leave semantic masks out with --masks instances.",
  });
  const instances = await openMasksWriter(
    contextOf(folder.path, { categories, formatOptions: { masks: ["instances"] } }),
  );
  await instances.abort();
});
