import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseJsonText } from "../../src/json-text.js";
import type { JsonObject } from "../../src/types.js";
import { openCocoWriter } from "../../src/write/coco.js";
import type { ImageResult, WriteContext } from "../../src/write/writer.js";
import {
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

interface CocoFile extends JsonObject {
  info: JsonObject;
  images: JsonObject[];
  annotations: JsonObject[];
  categories: JsonObject[];
}

const folder = useFolder();

async function write(results: readonly ImageResult[], more: Partial<WriteContext> = {}): Promise<CocoFile> {
  const writer = await openCocoWriter(contextOf(folder.path, more));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["annotations.json"]);
  expect(await listFiles(folder.path)).toEqual(["annotations.json"]);
  return readJson<CocoFile>(folder.path, "annotations.json");
}

test("the header, the categories and the images go out as they came in", async () => {
  const raw = {
    id: 1,
    file_name: "street.jpg",
    width: 100,
    height: 80,
    license: 4,
    coco_url: "x",
    extra: [1, { a: null }],
  };
  const header = { info: { year: 2017, description: "ours" }, licenses: [{ id: 4 }], "odd key\n": 1 };
  const file = await write([resultOf([], { raw })], { header });
  expect(file).toMatchObject(header);
  expect(file.categories).toEqual([
    { id: 3, name: "car", supercategory: "vehicle" },
    { id: 17, name: "person" },
  ]);
  expect(file.images).toEqual([raw]);
  expect(file.annotations).toEqual([]);
});

test("annotations come in the order they arrive, polygons drawn and kept together, failures left out", async () => {
  const kept = {
    id: 101,
    image_id: 1,
    category_id: 3,
    segmentation: [[1, 1, 9, 1, 9, 9]],
    area: 32,
    iscrowd: 0,
    bbox: [1, 1, 8, 8],
  };
  const file = await write([
    resultOf([done(instanceOf(0)), skipped(instanceOf(1, { raw: kept }), "kept"), failed(instanceOf(2))]),
    {
      ...resultOf([done(instanceOf(3, { imageId: "b" }))]),
      image: { id: "b", fileName: "b.png", raw: { id: "b", file_name: "b.png", width: 1, height: 1 } },
    },
  ]);
  expect(file.images.map(({ id }) => id)).toEqual([1, "b"]);
  expect(file.annotations.map(({ id }) => id)).toEqual([100, 101, 103]);
  expect(file.annotations[1]).toEqual(kept);
});

test("thousands of annotations make one sound document", async () => {
  const results = Array.from({ length: 300 }, (_, image) => ({
    ...resultOf(Array.from({ length: 20 }, (__, at) => done(instanceOf(image * 20 + at, { imageId: image })))),
    image: { id: image, fileName: `${image}.jpg`, raw: { id: image } },
  }));
  const file = await write(results);
  expect(file.images).toHaveLength(300);
  expect(file.annotations.map(({ id }) => id)).toEqual(Array.from({ length: 6000 }, (_, i) => i + 100));
});

describe("what pycocotools needs and the input lacks is added:", () => {
  test("the size of an image", async () => {
    const file = await write([resultOf([], { raw: { id: 1, file_name: "street.jpg" } })]);
    expect(file.images).toEqual([{ id: 1, file_name: "street.jpg", width: 100, height: 80 }]);
  });

  test("the size, when the input gives only half of it or null", async () => {
    const file = await write([
      resultOf([], { raw: { width: 100 } }),
      resultOf([], { raw: { width: null, height: null } }),
    ]);
    expect(file.images).toMatchObject([
      { width: 100, height: 80 },
      { width: 100, height: 80 },
    ]);
  });

  test("not the size, when nobody knows it", async () => {
    const raw = { id: 1, file_name: "street.jpg" };
    expect((await write([withoutSize(resultOf([], { raw }))])).images).toEqual([raw]);
  });

  test("an info that names the program, and a list of no licenses", async () => {
    expect(await write([])).toMatchObject({ info: { description: "polyrnn 0.0.0, model test" }, licenses: [] });
  });

  test("an object and a list for an info and licenses of null", async () => {
    expect(await write([], { header: { info: null, licenses: null, other: null } })).toMatchObject({
      info: {},
      licenses: [],
      other: null,
    });
  });
});

test("a size the input states is not corrected", async () => {
  expect((await write([resultOf([], { raw: { width: 7, height: 9 } })])).images).toMatchObject([
    { width: 7, height: 9 },
  ]);
});

test("a header cannot bring its own images, annotations or categories, nor a prototype", async () => {
  const header = JSON.parse(
    '{"images":[1],"annotations":[2],"categories":[3],"__proto__":{"polluted":1}}',
  ) as JsonObject;
  const file = await write([], { header });
  expect([file.images, file.annotations]).toEqual([[], []]);
  expect(file.categories).toHaveLength(2);
  expect(Object.hasOwn(file, "__proto__")).toBe(true);
});

test("an image the input does not list gets no record", async () => {
  const crowd = { id: 1, image_id: 99, segmentation: [[1, 1, 9, 1, 9, 9]], iscrowd: 1 };
  const item = rejected(crowd, { status: "skipped", reason: "crowd" });
  const file = await write([resultOf([item], { isUnknown: true })]);
  expect(file.images).toEqual([]);
  expect(file.annotations).toMatchObject([crowd]);
});

test.each([
  { why: "a name that is a number", raw: { id: 1, file_name: 7, width: 100, height: 80 } },
  { why: "no name", raw: { id: 1, width: 100, height: 80 } },
  { why: "a name of null", raw: { id: 1, file_name: null, width: 100, height: 80 } },
])("an image record that cannot be used stays as it was: $why", async ({ raw }) => {
  expect((await write([resultOf([], { fileName: "", raw })])).images).toEqual([raw]);
});

/** What a double would change, each in its own way. */
const NUMBERS = "[9007199254740993,-1610521604143693812,1e400,-1E+2,1.10,40.0,-0,0.1000000000000000055511151231257827]";

test("numbers go out digit for digit, wherever they stand", async () => {
  const numbers = NUMBERS.slice(1, -1).split(",");
  const fields = numbers.map((number, i) => `"n${i}":${number}`).join(",");
  const object = (start: string): string => `{${start}"list":${NUMBERS},"deep":[{"a":{${fields}}}],${fields}}`;
  const read = (start: string): JsonObject => parseJsonText(object(start)) as JsonObject;
  const raw = read('"id":101,"image_id":1,"category_id":3,"bbox":[1,1,8,8],"area":28.0,"iscrowd":0,');
  const kept: JsonObject = { ...raw, segmentation: parseJsonText("[[1.0,1,9,1,9,9.50]]") };
  const writer = await openCocoWriter(
    contextOf(folder.path, {
      header: read('"info":{"build":1610521604143693812},"licenses":[],'),
      categories: [{ id: 3, name: "car", raw: read('"id":3,"name":"car",') }],
    }),
  );
  await writer.image(
    resultOf([done(instanceOf(0, { raw: read("") })), skipped(instanceOf(1, { raw: kept }), "kept")], {
      raw: read('"id":1,"file_name":"a.jpg","width":100.0,"height":80,'),
    }),
  );
  await writer.finish();
  const text = await readFile(join(folder.path, "annotations.json"), "utf8");
  for (const number of numbers) expect(text.split(number).length - 1, number).toBeGreaterThanOrEqual(5 * 3);
  for (const written of ['"build":1610521604143693812', '"width":100.0', '"area":28.0', "[[1.0,1,9,1,9,9.50]]"])
    expect(text).toContain(written);
  // Whole but for the header's own fields, which stand on lines of their own.
  expect(text.split(fields)).toHaveLength(5 * 2);
});

test("after an abort the folder is as it was, an older file included", async () => {
  await writeFile(join(folder.path, "annotations.json"), "old");
  const writer = await openCocoWriter(contextOf(folder.path));
  await writer.image(resultOf([done(instanceOf(0))]));
  await writer.abort();
  expect(await listFiles(folder.path)).toEqual(["annotations.json"]);
});

test("what cannot be opened leaves nothing behind", async () => {
  const { mkdir } = await import("node:fs/promises");
  await mkdir(join(folder.path, "annotations.json.list.partial", "full"), { recursive: true });
  await expect(openCocoWriter(contextOf(folder.path))).rejects.toThrow(/annotations\.json\.list/u);
  expect(await listFiles(folder.path)).toEqual([]);
});
