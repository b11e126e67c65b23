import { Ajv } from "ajv";
import fc from "fast-check";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openLabelStudioWriter } from "../../src/write/label-studio.js";
import type { ImageResult, WriteContext } from "../../src/write/writer.js";
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

const percent = { type: "number", minimum: 0, maximum: 100 };
/** Label Studio's task with predictions, as its documentation gives it for PolygonLabels. */
const areTasks = new Ajv().compile({
  type: "array",
  items: {
    type: "object",
    required: ["data", "predictions"],
    additionalProperties: false,
    properties: {
      data: { type: "object", required: ["image"], properties: { image: { type: "string", minLength: 1 } } },
      predictions: {
        type: "array",
        items: {
          type: "object",
          required: ["model_version", "result"],
          additionalProperties: false,
          properties: {
            model_version: { type: "string", minLength: 1 },
            score: { type: "number", minimum: 0, maximum: 1 },
            result: {
              type: "array",
              minItems: 1,
              items: {
                type: "object",
                required: [
                  "id",
                  "type",
                  "from_name",
                  "to_name",
                  "original_width",
                  "original_height",
                  "image_rotation",
                  "value",
                ],
                additionalProperties: false,
                properties: {
                  id: { type: "string", minLength: 1 },
                  type: { const: "polygonlabels" },
                  from_name: { const: "label" },
                  to_name: { const: "image" },
                  original_width: { type: "integer", minimum: 1 },
                  original_height: { type: "integer", minimum: 1 },
                  image_rotation: { const: 0 },
                  score: { type: "number", minimum: 0, maximum: 1 },
                  meta: {
                    type: "object",
                    required: ["polyrnn_valid", "text"],
                    additionalProperties: false,
                    properties: {
                      polyrnn_valid: { const: false },
                      text: { type: "array", minItems: 1, items: { type: "string" } },
                    },
                  },
                  value: {
                    type: "object",
                    required: ["points", "polygonlabels", "closed"],
                    additionalProperties: false,
                    properties: {
                      closed: { const: true },
                      polygonlabels: {
                        type: "array",
                        minItems: 1,
                        maxItems: 1,
                        items: { type: "string", minLength: 1 },
                      },
                      points: {
                        type: "array",
                        minItems: 3,
                        items: { type: "array", minItems: 2, maxItems: 2, items: percent },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
});

interface Task {
  data: { image: string; file_name: string; image_id: number | string };
  predictions: {
    model_version: string;
    score?: number;
    result: { id: string; score?: number; value: { points: number[][]; polygonlabels: string[] } }[];
  }[];
}

const folder = useFolder();

async function write(results: readonly ImageResult[], more: Partial<WriteContext> = {}): Promise<Task[]> {
  const writer = await openLabelStudioWriter(contextOf(folder.path, more));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["label-studio.json", "label-studio-config.xml"]);
  const tasks = await readJson<Task[]>(folder.path, "label-studio.json");
  expect(areTasks(tasks), JSON.stringify(areTasks.errors)).toBe(true);
  return tasks;
}

const config = (): Promise<string> => readFile(join(folder.path, "label-studio-config.xml"), "utf8");

test("a prefix stands before each name: escaped in addresses, as it is in a bucket; whole addresses stay", async () => {
  const results = ["a b.jpg", "s3://other/c.jpg"].map((fileName) => resultOf([done(instanceOf(0))], { fileName }));
  const images = "/photos";
  const addressesWith = async (labelStudioPrefix: string): Promise<string[]> =>
    (await write(results, { images, formatOptions: { labelStudioPrefix } })).map(({ data }) => data.image);
  expect(await addressesWith("https://example.org/p/")).toEqual([
    "https://example.org/p/a%20b.jpg",
    "s3://other/c.jpg",
  ]);
  expect(await addressesWith("s3://bucket/p/")).toEqual(["s3://bucket/p/a b.jpg", "s3://other/c.jpg"]);
});

test("the set-up lists the labels that are used, with their own colors; all where none is", async () => {
  const labels = async (): Promise<string[]> =>
    [...(await config()).matchAll(/<Label value="([^"]*)"/gu)].map(([, name]) => name!);
  await write([resultOf([done(instanceOf(0, { categoryId: 17 })), done(instanceOf(1, { categoryId: 9 }))])]);
  expect(await labels()).toEqual(["person", "category 9"]);
  expect(await config()).toContain('value="person" background="#E69F00"');
  await write([resultOf([failed(instanceOf(0))])]);
  expect(await labels()).toEqual(["car", "person"]);
});

test("a polygon that crosses itself says so beside the region", async () => {
  const bow = [
    { x: 0, y: 0 },
    { x: 9, y: 9 },
    { x: 9, y: 0 },
    { x: 0, y: 9 },
  ];
  const [task] = await write([resultOf([done(instanceOf(0), bow), done(instanceOf(1))])]);
  expect(task!.predictions[0]!.result.map((result) => "meta" in result)).toEqual([true, false]);
});

describe("tasks", () => {
  test("hold a prediction with a result per polygon and the mean score", async () => {
    const [task] = await write([
      resultOf([
        done(instanceOf(0), undefined, 0.5),
        done(instanceOf(1, { categoryId: 17 }), undefined, 0.9),
        failed(instanceOf(2)),
      ]),
    ]);
    const [prediction] = task!.predictions;
    expect(prediction).toMatchObject({ model_version: "polyrnn 0.0.0, model test", score: 0.7 });
    expect(prediction!.result.map(({ id, score, value }) => [id, score, value.polygonlabels])).toEqual([
      ["polyrnn-0", 0.5, ["car"]],
      ["polyrnn-1", 0.9, ["person"]],
    ]);
    expect(task!.data).toMatchObject({ file_name: "street.jpg", image_id: 1 });
  });

  test("are there for images without a polygon, without a prediction", async () => {
    const tasks = await write([
      resultOf([failed(instanceOf(0))]),
      withoutSize(resultOf([done(instanceOf(1))])),
      resultOf([]),
    ]);
    expect(tasks.map(({ predictions }) => predictions)).toEqual([[], [], []]);
  });

  test("are an empty list without images", async () => {
    expect(await write([])).toEqual([]);
  });

  test("with kept polygons only have no score", async () => {
    const raw = {
      category_id: 3,
      segmentation: [
        [0, 0, 4, 0, 4, 4],
        [20, 20, 24, 20, 24, 24],
      ],
    };
    const [task] = await write([resultOf([rejected(raw, { status: "skipped", reason: "kept" })])]);
    expect(task!.predictions[0]!.score).toBeUndefined();
    expect(task!.predictions[0]!.result[0]!.score).toBeUndefined();
    expect(task!.predictions[0]!.result[0]!.value.points).toHaveLength(8);
  });

  test("a kept polygon is cut at the border, and left out beyond it", async () => {
    const kept = (segmentation: number[][]): ReturnType<typeof rejected> =>
      rejected({ category_id: 3, segmentation }, { status: "skipped", reason: "kept" });
    const [task] = await write([
      resultOf([kept([[-10, -10, 50, -10, 50, 40, -10, 40]]), kept([[200, 0, 210, 0, 210, 10]])]),
    ]);
    expect(task!.predictions[0]!.result.map(({ value }) => value.points)).toEqual([
      [
        [50, 0],
        [50, 50],
        [0, 50],
        [0, 0],
      ],
    ]);
  });
});

describe("the image's address", () => {
  test.each([
    {
      why: "is the local storage's, by the name in the input",
      fileName: "a b/ü#1.jpg",
      images: undefined,
      address: "/data/local-files/?d=a%20b/%C3%BC%231.jpg",
    },
    {
      why: "is relative to the images' folder where that is known",
      fileName: "street.jpg",
      images: "/",
      address: "/data/local-files/?d=photos/street.jpg",
    },
    {
      why: "stays when it is one already",
      fileName: "https://example.org/a.jpg",
      images: "/",
      address: "https://example.org/a.jpg",
    },
    { why: "stays for cloud storage", fileName: "s3://bucket/a.jpg", images: undefined, address: "s3://bucket/a.jpg" },
    {
      why: "takes names that no address can hold",
      fileName: "a\ud800.jpg",
      images: undefined,
      address: "/data/local-files/?d=a%EF%BF%BD.jpg",
    },
  ])("$why", async ({ fileName, images, address }) => {
    const [task] = await write([resultOf([], { fileName })], images === undefined ? {} : { images });
    expect(task!.data.image).toBe(address);
  });

  test("is by the name in the input when the image was not found", async () => {
    const { image, items } = resultOf([]);
    const [task] = await write([{ image, items }], { images: "/photos" });
    expect(task!.data.image).toBe("/data/local-files/?d=street.jpg");
  });
});

describe("the set-up to paste", () => {
  test("has the controls that the results name, and each label once", async () => {
    const categories = ["car", "person", "car"].map((name, id) => ({ id, name, raw: {} }));
    await write([], { categories });
    const text = await config();
    expect(text).toContain('<Image name="image" value="$image"');
    expect(text).toContain('<PolygonLabels name="label" toName="image"');
    expect(
      [...text.matchAll(/<Label value="([^"]*)" background="(#[0-9A-F]{6})"\/>/gu)].map(([, name, color]) => [
        name,
        color,
      ]),
    ).toEqual([
      ["car", "#56B4E9"],
      ["person", "#E69F00"],
    ]);
  });

  test("cannot be broken by a category's name, and the results say the same name", async () => {
    const name = "a\"/><script>&\u0000\n'";
    const [task] = await write([resultOf([done(instanceOf(0))])], { categories: [{ id: 3, name, raw: {} }] });
    expect(await config()).toContain('<Label value="a&quot;/&gt;&lt;script&gt;&amp;  &apos;" background');
    expect(task!.predictions[0]!.result[0]!.value.polygonlabels).toEqual(["a\"/><script>&  '"]);
  });
});

test("an abort leaves no file", async () => {
  const writer = await openLabelStudioWriter(contextOf(folder.path));
  await writer.image(resultOf([done(instanceOf(0))]));
  await writer.abort();
  expect(await listFiles(folder.path)).toEqual([]);
});

test("polygons read back to a hundredth of a pixel", async () => {
  const size = { width: 100, height: 80 };
  await fc.assert(
    fc.asyncProperty(anyRing, async (ring) => {
      const [task] = await write([resultOf([done(instanceOf(0), ring)], { size })]);
      const { points } = task!.predictions[0]!.result[0]!.value;
      expect(points).toHaveLength(ring.length);
      ring.forEach(({ x, y }, i) => {
        expect((points[i]![0]! / 100) * size.width).toBeCloseTo(x, 2);
        expect((points[i]![1]! / 100) * size.height).toBeCloseTo(y, 2);
      });
    }),
    { numRuns: 20 },
  );
});
