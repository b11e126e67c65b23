import { Ajv } from "ajv";
import fc from "fast-check";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { toNamedPixels } from "../../src/geometry/pixel-outline.js";
import { removeRepeated } from "../../src/geometry/ring.js";
import { parseJsonText } from "../../src/json-text.js";
import type { JsonObject } from "../../src/types.js";
import { openLabelmeWriter } from "../../src/write/labelme.js";
import type { FormatOptions, ImageResult } from "../../src/write/writer.js";
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
  useFolder,
  withoutSize,
} from "./results.js";

/**
 * The fields LabelMe 5 reads and writes; a wrong name or type here and the tool refuses the file or drops the field.
 */
const isLabelme = new Ajv().compile({
  type: "object",
  required: ["version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"],
  additionalProperties: false,
  properties: {
    version: { type: "string", pattern: "^5\\." },
    flags: { type: "object", additionalProperties: { type: "boolean" } },
    imagePath: { type: "string", minLength: 1 },
    imageData: { type: ["string", "null"] },
    imageHeight: { type: "integer", minimum: 1 },
    imageWidth: { type: "integer", minimum: 1 },
    shapes: {
      type: "array",
      items: {
        type: "object",
        required: ["label", "points", "group_id", "description", "shape_type", "flags", "mask"],
        additionalProperties: false,
        properties: {
          label: { type: "string", minLength: 1 },
          points: {
            type: "array",
            minItems: 3,
            items: { type: "array", minItems: 2, maxItems: 2, items: { type: "number" } },
          },
          group_id: { type: ["integer", "null"] },
          description: { type: "string" },
          shape_type: { const: "polygon" },
          flags: { type: "object" },
          mask: { type: "null" },
        },
      },
    },
  },
});

interface LabelmeFile {
  imagePath: string;
  shapes: { label: string; points: number[][]; group_id: number | null; description: string }[];
}

const folder = useFolder();

async function write(...results: ImageResult[]): Promise<string[]> {
  return writeWith({}, ...results);
}

async function writeWith(formatOptions: FormatOptions, ...results: ImageResult[]): Promise<string[]> {
  const writer = openLabelmeWriter(contextOf(join(folder.path, "out"), { formatOptions }));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["labelme/"]);
  await writer.abort();
  return existsSync(join(folder.path, "out")) ? listFiles(join(folder.path, "out")) : [];
}

const read = (path: string): Promise<LabelmeFile> => readJson<LabelmeFile>(folder.path, "out", path);

test("a file has LabelMe's form: labels by name, a shape per polygon, the score in the description", async () => {
  const [path] = await write(
    resultOf([done(instanceOf(0)), done(instanceOf(1, { categoryId: 17 })), failed(instanceOf(2))]),
  );
  const file = await read(path!);
  expect(isLabelme(file), JSON.stringify(isLabelme.errors)).toBe(true);
  expect(file.shapes.map(({ label, description, group_id }) => [label, description, group_id])).toEqual([
    ["car", "score 0.8125", null],
    ["person", "score 0.8125", null],
  ]);
});

test("imagePath leads from the file to the photograph", async () => {
  const photograph = join(folder.path, "photos/day/street.jpg");
  await mkdir(dirname(photograph), { recursive: true });
  await writeFile(photograph, "");
  const [path] = await write(resultOf([done(instanceOf(0))], { fileName: "day/street.jpg", path: photograph }));
  const { imagePath } = await read(path!);
  expect(path).toBe("labelme/day/street.json");
  expect(imagePath).toBe("../../../photos/day/street.jpg");
  expect(existsSync(join(folder.path, "out/labelme/day", imagePath))).toBe(true);
});

test("a photograph that was not found is named as the input names it; its kept polygons are still there", async () => {
  const raw = { category_id: 3, segmentation: [[0, 0, 4, 0, 4, 4]] };
  const result = withoutSize(resultOf([rejected(raw, { status: "skipped", reason: "kept" })]));
  const [path] = await write({ image: result.image, items: result.items });
  expect(await read(path!)).toMatchObject({
    imagePath: "street.jpg",
    imageHeight: null,
    imageWidth: null,
    shapes: [{ label: "car", description: "" }],
  });
});

test("the parts of a kept polygon are one group", async () => {
  const raw = {
    category_id: 3,
    segmentation: [
      [0, 0, 4, 0, 4, 4],
      [20, 20, 24, 20, 24, 24],
    ],
  };
  const [path] = await write(resultOf([rejected(raw, { status: "skipped", reason: "kept", ordinal: 7 })]));
  const file = await read(path!);
  expect(isLabelme(file), JSON.stringify(isLabelme.errors)).toBe(true);
  expect(file.shapes.map(({ group_id }) => group_id)).toEqual([8, 8]);
});

test("group ids and flags of the image are those of the input, digit for digit", async () => {
  const group = "900719925474099312345";
  const raw = parseJsonText(`{"category_id":3,"segmentation":[[0,0,4,0,4,4]],"attributes":{"group_id":${group}}}`);
  const kept = rejected(raw as JsonObject, { status: "skipped", reason: "kept" });
  const image = parseJsonText('{"flags":{"taken":9007199254740993}}') as JsonObject;
  const result = resultOf([kept, done(instanceOf(1))]);
  const [path] = await write({ ...result, image: { ...result.image, raw: image } });
  const text = await readFile(join(folder.path, "out", path!), "utf8");
  expect(text).toContain(`\n      "group_id": ${group},\n`);
  expect(text).toContain('"taken": 9007199254740993');
});

test("images that differ only in their ending get files of their own", async () => {
  expect(
    await write(
      resultOf([done(instanceOf(0))], { fileName: "a.jpg" }),
      resultOf([done(instanceOf(1))], { fileName: "a.png" }),
    ),
  ).toEqual(["labelme/a-2.json", "labelme/a.json"]);
});

test.each([
  { why: "all instances failed", result: resultOf([failed(instanceOf(0))]), files: 0 },
  { why: "the input says that nothing is there", result: resultOf([], { isEmpty: true }), files: 1 },
])("an image has $files file(s) when $why", async ({ result, files }) => {
  expect(await write(result)).toHaveLength(files);
});

test("a point stays where it is, unless its pixel lies outside the shape; then it moves to that pixel's neighbor", async () => {
  const ring = [
    { x: 10, y: 10 },
    { x: 30, y: 10 },
    { x: 30, y: 40 },
    { x: 10, y: 40 },
  ];
  const [path] = await write(resultOf([done(instanceOf(0), ring)]));
  expect((await read(path!)).shapes[0]!.points).toEqual([
    [10, 10],
    [29.99, 10],
    [29.99, 39.99],
    [10, 39.99],
  ]);
});

test("the pixels under the points are those that Pillow is to be given", async () => {
  await fc.assert(
    fc.asyncProperty(anyRing, async (ring) => {
      const [path] = await write(resultOf([done(instanceOf(0), ring)]));
      const file = await read(path!);
      expect(isLabelme(file), JSON.stringify(isLabelme.errors)).toBe(true);
      const pixels = file.shapes[0]!.points.map(([x, y]) => ({ x: Math.floor(x!), y: Math.floor(y!) }));
      // Vertices whose points fall together are named once.
      expect(removeRepeated(pixels)).toEqual(removeRepeated(toNamedPixels(ring)));
    }),
    { numRuns: 20 },
  );
});

test("a polygon that crosses itself has a flag", async () => {
  const bow = [
    { x: 0, y: 0 },
    { x: 9, y: 9 },
    { x: 9, y: 0 },
    { x: 0, y: 9 },
  ];
  const [path] = await write(resultOf([done(instanceOf(0), bow), done(instanceOf(1))]));
  const { shapes } = await readJson<{ shapes: { flags: object }[] }>(folder.path, "out", path!);
  expect(shapes.map(({ flags }) => flags)).toEqual([{ polyrnn_valid: false }, {}]);
});

test("on request the photograph is in the file: as it is, or turned as it is shown", async () => {
  const image = sharp({ create: { width: 6, height: 4, channels: 3, background: "red" } });
  const embedded = async (bytes: Buffer): Promise<Buffer> => {
    const photograph = join(folder.path, "street.jpg");
    await writeFile(photograph, bytes);
    const [path] = await writeWith({ embedImages: true }, resultOf([done(instanceOf(0))], { path: photograph }));
    const { imageData } = await readJson<{ imageData: string | null }>(folder.path, "out", path!);
    return Buffer.from(imageData ?? "", "base64");
  };
  const upright = await image.clone().jpeg().toBuffer();
  expect(await embedded(upright)).toEqual(upright);
  const turned = await image.clone().jpeg().withMetadata({ orientation: 6 }).toBuffer();
  expect(await sharp(await embedded(turned)).metadata()).toMatchObject({ format: "png", width: 4, height: 6 });
  expect(await embedded(Buffer.from("no image"))).toEqual(Buffer.alloc(0));
});
