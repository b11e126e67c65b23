/** COCO instances files: order, pass-through, truth, and what bad annotations and images become. */
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Dataset, Entry, ImageGroup } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import type { JsonObject } from "../../../src/types.js";
import { errorOf, folderWith } from "../temporary-folder.js";

async function collect(dataset: Dataset): Promise<ImageGroup[]> {
  const groups: ImageGroup[] = [];
  for await (const group of dataset.groups()) groups.push(group);
  return groups;
}

const opened: Dataset[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((dataset) => dataset.close()));
});

/** Opens boxes (JSON text or a value) over images a.jpg and b.jpg. */
async function openBoxes(boxes: unknown): Promise<{ dataset: Dataset; groups: ImageGroup[]; file: string }> {
  const folder = await folderWith({ "images/a.jpg": "", "images/sub/b.jpg": "", "boxes.json": boxes });
  const file = join(folder, "boxes.json");
  const dataset = await openDataset({ images: join(folder, "images"), boxes: file });
  opened.push(dataset);
  return { dataset, groups: await collect(dataset), file };
}

const images = [
  { id: 1, file_name: "a.jpg", width: 100, height: 80 },
  { id: 2, file_name: "b.jpg", width: 100, height: 80 },
];
const categories = [
  { id: 3, name: "car", supercategory: "vehicle" },
  { id: 90, name: "cup" },
];
const sound = { id: 10, image_id: 1, category_id: 3, bbox: [1, 2, 3, 4] };

async function entryOf(annotation: unknown): Promise<Entry> {
  const { groups } = await openBoxes({ images, categories, annotations: [annotation] });
  return groups.flatMap(({ entries }) => entries)[0]!;
}

describe("a sound file", () => {
  test("images come in file order, each with its annotations in file order", async () => {
    const annotation = (id: number, image_id: number): JsonObject => ({ ...sound, id, image_id });
    const { dataset, groups } = await openBoxes({
      images: images.toReversed(),
      categories,
      annotations: [annotation(5, 1), annotation(9, 2), annotation(1, 1), annotation(2, 2)],
    });
    expect(
      groups.map(({ image, entries }) => [
        image.id,
        entries.map((entry) => entry.kind === "instance" && [entry.instance.ordinal, entry.instance.annotationId]),
      ]),
    ).toEqual([
      [
        2,
        [
          [1, 9],
          [3, 2],
        ],
      ],
      [
        1,
        [
          [0, 5],
          [2, 1],
        ],
      ],
    ]);
    expect(dataset).toMatchObject({ format: "coco", imageCount: 2, annotationCount: 4 });
  });

  test("every way of ordering the top-level fields gives the same data set", async () => {
    const annotations = [sound, { ...sound, id: 11, image_id: 2 }];
    const parts: [string, unknown][] = [
      ["info", { year: 2017 }],
      ["images", images],
      ["annotations", annotations],
      ["categories", categories],
      ["licenses", []],
    ];
    const expected = (await openBoxes(Object.fromEntries(parts))).groups.map(({ image, entries }) => ({
      image,
      entries,
    }));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(parts, { minLength: parts.length }), async (order) => {
        const { dataset, groups } = await openBoxes(Object.fromEntries(order));
        expect(groups.map(({ image, entries }) => ({ image, entries }))).toEqual(expected);
        expect(dataset.header).toEqual({ info: { year: 2017 }, licenses: [] });
      }),
      { numRuns: 10 },
    );
  });

  test("ids, attributes and unknown fields come out as they went in", async () => {
    const annotation = {
      ...sound,
      id: "left/7",
      image_id: "seven",
      category_id: "CAT",
      attributes: { occluded: true, note: "\u00fc\u0000\ud83d\ude00" },
      score: 0.5,
      area: 1e-7,
    };
    const image = { id: "seven", file_name: "a.jpg", flickr_url: "http://x", nested: [{ deep: null }] };
    const category = { id: "CAT", name: "cat", keypoints: ["nose"], skeleton: [[1, 2]] };
    const { dataset, groups } = await openBoxes({
      images: [image],
      annotations: [annotation],
      categories: [category],
      "my field": { a: [1] },
    });
    expect(dataset.categories).toEqual([{ id: "CAT", name: "cat", raw: category }]);
    expect(dataset.header).toEqual({ "my field": { a: [1] } });
    expect(groups[0]!.image).toEqual({ id: "seven", fileName: "a.jpg", raw: image });
    expect(groups[0]!.entries).toEqual([
      {
        kind: "instance",
        instance: {
          ordinal: 0,
          annotationId: "left/7",
          imageId: "seven",
          categoryId: "CAT",
          box: { left: 1, top: 2, width: 3, height: 4 },
          raw: annotation,
        },
      },
    ]);
  });

  test("fields named __proto__ stay fields", async () => {
    const text = `{"images": [{"id": 1, "file_name": "a.jpg", "__proto__": {"x": 1}}], "categories": ${JSON.stringify(categories)},
      "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "__proto__": {"iscrowd": 1}}], "__proto__": {"polluted": true}}`;
    const { dataset, groups } = await openBoxes(text);
    expect(Object.keys(dataset.header)).toEqual(["__proto__"]);
    expect(Object.keys(groups[0]!.image.raw)).toContain("__proto__");
    expect(groups[0]!.entries[0]).toMatchObject({ kind: "instance" });
    expect(({} as JsonObject)["polluted"]).toBeUndefined();
  });

  test("it can be walked twice, also at the same time", async () => {
    const { dataset, groups } = await openBoxes({ images, categories, annotations: [sound, { ...sound, id: 11 }] });
    expect(await Promise.all([collect(dataset), collect(dataset)])).toEqual([groups, groups]);
  });

  test("images without annotations, and a file without images, are no error", async () => {
    expect((await openBoxes({ images, categories, annotations: [] })).groups.map(({ entries }) => entries)).toEqual([
      [],
      [],
    ]);
    expect((await openBoxes({ images: [], categories, annotations: [] })).groups).toEqual([]);
  });

  test("many annotations, spread over the file, all come to their images", async () => {
    const many = Array.from({ length: 3000 }, (_, id) => ({
      ...sound,
      id,
      image_id: (id * 7919) % 200,
      note: "x".repeat(id % 50),
    }));
    const { groups } = await openBoxes({
      categories,
      annotations: many,
      images: Array.from({ length: 200 }, (_, id) => ({ id, file_name: "a.jpg" })),
    });
    expect(groups).toHaveLength(200);
    for (const { image, entries } of groups) {
      const expected = many.filter(({ image_id }) => image_id === image.id);
      expect(entries.map((entry) => entry.kind === "instance" && entry.instance.raw)).toEqual(expected);
    }
  });

  test("a file that grows between opening and walking is noticed", async () => {
    const folder = await folderWith({ "images/a.jpg": "", "boxes.json": { images, categories, annotations: [sound] } });
    const boxes = join(folder, "boxes.json");
    const dataset = await openDataset({ images: join(folder, "images"), boxes });
    await appendFile(boxes, " ");
    expect((await errorOf(collect(dataset))).message).toContain(
      "expected the file to stay as it was when it was opened",
    );
    await dataset.close();
  });

  test.each(["all", "boxes"] as const)(
    "a file rewritten during a walk over %s is noticed by its end, and before anything new but boxes is handed on",
    async (parts) => {
      const records = Array.from({ length: 300 }, (_, id) => ({ id, file_name: "a.jpg" }));
      const written = (width: number): string =>
        JSON.stringify({
          images: records,
          categories,
          annotations: records.map(({ id }) => ({ id, image_id: id, category_id: 3, bbox: [1, 1, width, 9] })),
        });
      const folder = await folderWith({ "images/a.jpg": "", "boxes.json": written(40) });
      const boxes = join(folder, "boxes.json");
      const dataset = await openDataset({ images: join(folder, "images"), boxes });
      const widths: unknown[] = [];
      const walk = async (): Promise<void> => {
        for await (const { entries } of dataset.groups(parts === "boxes" ? parts : undefined)) {
          for (const entry of entries) widths.push(entry.kind === "instance" && entry.instance.box.width);
          if (widths.length === 10) await writeFile(boxes, written(50));
        }
      };
      expect((await errorOf(walk())).message).toContain("expected the file to stay as it was when it was opened");
      if (parts === "all") expect(new Set(widths)).toEqual(new Set([40]));
      expect(widths.length).toBeGreaterThanOrEqual(10);
      await dataset.close();
    },
  );
});

describe("ground truth", () => {
  const ring = [1, 1, 9, 1, 9, 9];
  const asTruth = async (segmentation: unknown): Promise<unknown> => {
    const entry = await entryOf({ ...sound, segmentation });
    if (entry.kind !== "instance") throw new Error(entry.kind);
    expect(entry.instance.raw["segmentation"]).toEqual(segmentation);
    return entry.instance.truth ?? entry.instance.truthProblem;
  };
  const points = [
    { x: 1, y: 1 },
    { x: 9, y: 1 },
    { x: 9, y: 9 },
  ];
  const counts = Uint32Array.of(8, 4, 7988);

  test.each([
    { segmentation: [ring], truth: { kind: "polygon", polygon: [points] }, why: "a polygon" },
    {
      segmentation: [ring, ring],
      truth: { kind: "polygon", polygon: [points, points] },
      why: "a polygon of two rings",
    },
    {
      segmentation: [[...ring, 1, 1]],
      truth: { kind: "polygon", polygon: [points] },
      why: "a closed ring is stored open",
    },
    {
      segmentation: { size: [80, 100], counts: [8, 4, 7988] },
      truth: { kind: "rle", rle: { height: 80, width: 100, counts } },
      why: "a mask as a list",
    },
    {
      segmentation: { size: [80, 100], counts: "84di7" },
      truth: { kind: "rle", rle: { height: 80, width: 100, counts } },
      why: "a mask as text",
    },
    { segmentation: [], truth: undefined, why: "an empty list is no truth" },
    { segmentation: null, truth: undefined, why: "null is no truth" },
  ])("$why", async ({ segmentation, truth }) => {
    expect(await asTruth(segmentation)).toEqual(truth);
  });

  test.each([
    {
      segmentation: [[1, 2, 3, 4]],
      says: "segmentation[0]: expected a polygon of at least 3 points, received 2",
      why: "four numbers are a box to some tools",
    },
    {
      segmentation: [[1, 2, 3, 4, 1, 2]],
      says: "segmentation[0]: expected a polygon of at least 3 points, received 2",
      why: "three points of which two are one",
    },
    {
      segmentation: [[1, 2, 3, 4, 5, 6, 7]],
      says: "expected pairs of coordinates, received an odd number, 7",
      why: "half a point",
    },
    { segmentation: [[1, 2, 3, "x", 5, 6]], says: 'expected finite numbers, received "x"', why: "text for a number" },
    { segmentation: [[1, 2, null, 4, 5, 6]], says: "expected finite numbers, received null", why: "null for a number" },
    {
      segmentation: { size: [80, 100], counts: [1, 2] },
      says: "expected the mask's runs to sum to height * width = 8000, received 3",
      why: "a mask that is too short",
    },
    {
      segmentation: { size: [10, 10], counts: [100] },
      says: "expected a mask of its image's 100 x 80 pixels, received 10 x 10",
      why: "a mask of another size than its image",
    },
    {
      segmentation: "x",
      says: 'segmentation: expected polygons or a mask { size, counts }, received "x"',
      why: "text",
    },
  ])("an instance keeps its box when its segmentation is unusable: $why", async ({ segmentation, says }) => {
    expect(await asTruth(segmentation)).toContain(says);
  });

  test("infinity in a polygon is no truth", async () => {
    const { groups } =
      await openBoxes(`{"images": ${JSON.stringify(images)}, "categories": ${JSON.stringify(categories)},
      "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3, 4, 5, 1e999]]}]}`);
    expect(groups[0]!.entries[0]).toMatchObject({
      instance: { truthProblem: expect.stringContaining("received Infinity") as string },
    });
  });
});

describe("an annotation that cannot be drawn costs only itself", () => {
  test.each([
    { change: { iscrowd: 1 }, kind: "skipped", reason: "crowd", why: "a crowd" },
    { change: { iscrowd: true }, kind: "skipped", reason: "crowd", why: "a crowd by a boolean" },
    { change: { bbox: undefined }, kind: "failed", reason: "box-invalid", why: "no box" },
    { change: { bbox: [1, 2, 3] }, kind: "failed", reason: "box-invalid", why: "three numbers" },
    {
      change: { bbox: [1, 2, 3, null] },
      kind: "failed",
      reason: "box-invalid",
      why: "null for a number (what JSON makes of NaN)",
    },
    { change: { bbox: [1, 2, "3", 4] }, kind: "failed", reason: "box-invalid", why: "text for a number" },
    { change: { bbox: [1, 2, 0, 4] }, kind: "failed", reason: "box-empty", why: "no width" },
    { change: { bbox: [1, 2, 3, -4] }, kind: "failed", reason: "box-empty", why: "a negative height" },
    {
      change: { category_id: 4 },
      kind: "failed",
      reason: "category-unknown",
      why: "a category the file does not have",
    },
    {
      change: { category_id: "3" },
      kind: "failed",
      reason: "category-unknown",
      why: "a category id of the wrong type",
    },
    { change: { category_id: undefined }, kind: "failed", reason: "category-unknown", why: "no category" },
    { change: { id: undefined }, kind: "failed", reason: "annotation-invalid", why: "no id" },
    { change: { id: [1] }, kind: "failed", reason: "annotation-invalid", why: "a list for an id" },
    {
      change: { id: 2 ** 53 },
      kind: "failed",
      reason: "annotation-invalid",
      why: "an id that JSON.parse may have rounded",
    },
    { change: { iscrowd: "no" }, kind: "failed", reason: "annotation-invalid", why: "a word for iscrowd" },
  ])("$why", async ({ change, kind, reason }) => {
    const { groups } = await openBoxes({
      images,
      categories,
      annotations: [
        { ...sound, ...change },
        { ...sound, id: 11 },
      ],
    });
    const [entry, next] = groups[0]!.entries;
    expect(entry).toMatchObject({
      kind,
      ordinal: 0,
      imageId: 1,
      ...(kind === "skipped" ? { reason } : { failure: { reason } }),
    });
    expect(next).toMatchObject({ kind: "instance", instance: { annotationId: 11 } });
  });

  test.each([
    { change: {}, instead: "instance", why: "absent" },
    { change: { iscrowd: 0 }, instead: "instance", why: "0" },
    { change: { iscrowd: null }, instead: "instance", why: "null" },
  ])("iscrowd $why is no crowd", async ({ change, instead }) => {
    expect((await entryOf({ ...sound, ...change })).kind).toBe(instead);
  });

  test("messages say file, place, expected, received and the next step", async () => {
    const { groups, file } = await openBoxes({
      images,
      categories,
      annotations: [
        { ...sound, category_id: 4 },
        { ...sound, id: 11, bbox: [1, 2, 0, 4] },
      ],
    });
    const messages = groups[0]!.entries.map((entry) => entry.kind === "failed" && entry.failure.message);
    expect(messages).toEqual([
      `${file}: annotations[0] (id 10): expected category_id to be one of 3, 90, received 4. Correct or remove this annotation.`,
      `${file}: annotations[1] (id 11): expected a box width of at least 1 pixel, received 0. Correct or remove this annotation.`,
    ]);
  });

  test.each([
    { text: '{"image_id":1,"category_id":3,"bbox":[1,2,3,4]}', says: "(no id): expected /id to be present", id: null },
    { text: '{"id":null,"image_id":1}', says: "(id null): expected /id to be of type", id: null },
    { text: '{"id":{"a":1},"image_id":1}', says: "(id an object): expected /id to be of type", id: null },
    { text: '{"image_id":1,"x":nope}', says: "(no id), byte", id: null },
    {
      text: '{"id":9007199254740993,"image_id":1}',
      says: "(id 9007199254740993): expected /id to be <= 9007199254740991 but received 9007199254740993",
      id: null,
    },
    { text: '{"id":5,"image_id":1,"category_id":-9007199254740993}', says: "received -9007199254740993", id: 5 },
    {
      text: '{"id":5,"image_id":9007199254740993}',
      says: "expected /image_id to be <= 9007199254740991 but received 9007199254740993",
      id: 5,
      imageId: null,
    },
    { text: '{"id":5}', says: "(id 5): expected /image_id to be present", id: 5, imageId: null },
  ])("an id that is missing or cannot be kept is named as written, and none is made up: $text", async (wanted) => {
    const { groups } = await openBoxes(
      JSON.stringify({ images, categories, annotations: [7, sound] }).replace("[7,", `[${wanted.text},`),
    );
    const entry = groups.flatMap(({ entries }) => entries).find(({ kind }) => kind === "failed");
    expect(entry).toMatchObject({
      ordinal: 0,
      annotationId: wanted.id,
      imageId: wanted.imageId === undefined ? 1 : wanted.imageId,
      failure: { message: expect.stringContaining(`annotations[0] `) as string },
    });
    expect(entry?.kind === "failed" && entry.failure.message).toContain(wanted.says);
  });

  test("the categories are named up to ten of them", async () => {
    const twelve = Array.from({ length: 12 }, (_, id) => ({ id, name: `c${id}` }));
    const { groups } = await openBoxes({ images, categories: twelve, annotations: [{ ...sound, category_id: "x" }] });
    expect(groups[0]!.entries[0]).toMatchObject({
      failure: {
        message: expect.stringContaining('one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more, received "x"') as string,
      },
    });
    const none = await openBoxes({ images, categories: [], annotations: [sound] });
    expect(none.groups[0]!.entries[0]).toMatchObject({
      failure: { message: expect.stringContaining("of which there are none, received 3") as string },
    });
  });

  test("NaN, as Python writes it, costs the annotation that holds it", async () => {
    const text = `{"images": ${JSON.stringify(images)}, "categories": ${JSON.stringify(categories)}, "annotations": [
      {"id": 10, "image_id": 1, "category_id": 3, "bbox": [NaN, 2, 3, 4]}, {"id": 11, "image_id": 1, "category_id": 3, "bbox": [1, 2, 1e999, 4]},
      {"image_id": 1, "category_id": NaN, "id": "x"}, {"image_id": 1, "x": nope}, 7, {"id": 12, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}]}`;
    const { groups } = await openBoxes(text);
    expect(groups[0]!.entries).toMatchObject([
      {
        kind: "failed",
        annotationId: 10,
        raw: {},
        failure: {
          reason: "annotation-invalid",
          message: expect.stringContaining(
            `byte ${text.indexOf("NaN")}: expected a number, true, false or null, received NaN (Python`,
          ) as string,
        },
      },
      {
        kind: "failed",
        annotationId: 11,
        failure: { reason: "box-invalid", message: expect.stringContaining("received Infinity") as string },
      },
      { kind: "failed", annotationId: "x", failure: { reason: "annotation-invalid" } },
      {
        kind: "failed",
        annotationId: null,
        failure: { reason: "annotation-invalid", message: expect.stringContaining("received nope") as string },
      },
      { kind: "instance", instance: { annotationId: 12 } },
    ]);
    expect(groups[2]).toMatchObject({
      image: { id: "", raw: {} },
      entries: [
        { kind: "failed", ordinal: 4, annotationId: null, imageId: null, failure: { reason: "annotation-invalid" } },
      ],
    });
  });

  test.each([
    { ids: [7, 7, 8, 7], failed: [1, 3], why: "numbers" },
    { ids: ["a", "b", "a"], failed: [2], why: "text" },
    { ids: [1, "1", 1.5, 1.5], failed: [3], why: "a number and its text are two ids" },
  ])("an annotation id that stands twice: the first is drawn, later ones fail ($why)", async ({ ids, failed }) => {
    const { groups } = await openBoxes({ images, categories, annotations: ids.map((id) => ({ ...sound, id })) });
    const entries = groups[0]!.entries;
    expect(
      entries.flatMap((entry, i) => (entry.kind === "failed" && entry.failure.reason === "duplicate-id" ? [i] : [])),
    ).toEqual(failed);
    expect(entries[failed[0]!]).toMatchObject({
      failure: {
        message: expect.stringMatching(
          /expected every annotation id once, received the id of annotations\[\d\]/,
        ) as string,
      },
    });
  });
});

describe("images that cannot be used", () => {
  test("an image id that points nowhere comes in a group of its own at the end", async () => {
    const { dataset, groups } = await openBoxes({
      images,
      categories,
      annotations: [
        { ...sound, image_id: 99 },
        { ...sound, id: 11, image_id: "1" },
        { ...sound, id: 12, image_id: 99 },
        { ...sound, id: 13, image_id: undefined },
        { ...sound, id: 14, image_id: "" },
      ],
    });
    expect(dataset.imageCount).toBe(2);
    expect(
      groups
        .slice(2)
        .map(({ image, location, entries }) => [
          image,
          location.kind === "failed" && location.failure.reason,
          entries.map((entry) => (entry.kind === "instance" ? entry.instance.annotationId : entry.annotationId)),
        ]),
    ).toEqual([
      [{ id: 99, fileName: "", raw: {} }, "image-unknown", [10, 12]],
      [{ id: "1", fileName: "", raw: {} }, "image-unknown", [11]],
      [{ id: "", fileName: "", raw: {} }, "image-unknown", [14]],
      [{ id: "", fileName: "", raw: {} }, "image-unknown", [13]],
    ]);
    const messages = groups
      .slice(2)
      .map(({ location }) => (location.kind === "failed" ? location.failure.message : ""));
    expect(messages[0]).toContain(
      "expected an image_id among the ids of the images, received 99. Add the image or correct the id.",
    );
    expect(messages[1]).toContain('received "1" (there is 1, a number)');
    expect(messages[3]).toContain("received annotations without");
    expect(groups[5]!.entries[0]).toMatchObject({ kind: "failed", failure: { reason: "annotation-invalid" } });
  });

  test("an id that is text where the annotation has a number is pointed out", async () => {
    const { groups } = await openBoxes({
      images: [{ id: "5", file_name: "a.jpg" }],
      categories,
      annotations: [{ ...sound, image_id: 5 }],
    });
    expect(groups[1]!.location).toMatchObject({
      failure: { message: expect.stringContaining('received 5 (there is "5", a text)') as string },
    });
  });

  test.each([
    { record: '{"id": 1, "file_name": "none.jpg"}', reason: "image-missing", says: '"none.jpg"', why: "no such file" },
    { record: '{"id": 1, "file_name": "../a.jpg"}', reason: "image-outside", says: "climbs", why: "a climb" },
    {
      record: '{"id": 1}',
      reason: "image-missing",
      says: "images[0] (id 1): expected /file_name to be present but received nothing. Correct this image record.",
      why: "no file name",
    },
    {
      record: '{"id": 1, "file_name": 7}',
      reason: "image-missing",
      says: "expected /file_name to be of type string but received 7",
      why: "a number for a name",
    },
    { record: '{"id": 1, "file_name": ""}', reason: "image-missing", says: "/file_name", why: "an empty name" },
    {
      record: '{"id": 1, "file_name": "a.jpg", "width": NaN}',
      reason: "image-missing",
      says: "received NaN (Python",
      why: "a record that is no JSON",
    },
    {
      record: '{"id": 1, "file_name": "a.jpg", "width": "640"}',
      reason: "image-size",
      says: 'expected /width to be of type integer but received "640"',
      why: "text for a width",
    },
    { record: '{"id": 1, "file_name": "a.jpg", "height": 0}', reason: "image-size", says: "/height", why: "no height" },
    {
      record: '{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}',
      reason: "image-ambiguous",
      says: "expected every image id once, received 1 in images[0] and images[1]",
      why: "an id that stands twice",
    },
  ])("an image record with $why costs its own annotations", async ({ record, reason, says }) => {
    const { groups } =
      await openBoxes(`{"images": [${record}, {"id": 2, "file_name": "b.jpg"}], "categories": ${JSON.stringify(categories)},
      "annotations": [${JSON.stringify(sound)}, ${JSON.stringify({ ...sound, id: 11, image_id: 2 })}]}`);
    expect(groups[0]).toMatchObject({
      image: { id: 1 },
      location: { kind: "failed", failure: { reason, message: expect.stringContaining(says) as string } },
      entries: [{ kind: "instance" }],
    });
    expect(groups.at(-1)).toMatchObject({
      image: { id: 2 },
      location: { kind: "file" },
      entries: [{ kind: "instance" }],
    });
  });

  test.each([
    { url: "http://images.cocodataset.org/sub/b.jpg", name: "sub/b.jpg", why: "its folder and its name" },
    { url: "http://images.cocodataset.org/train2017/b.jpg?x=1#y", name: "train2017/b.jpg", why: "no query" },
    { url: "https://host/b.jpg", name: "b.jpg", why: "never the host" },
    { url: "https://host/deep/down/su%62/b.jpg", name: "sub/b.jpg", why: "no escapes" },
  ])("LVIS: an image without file_name is called by its coco_url: $why", async ({ url, name }) => {
    const raw = { id: 1, coco_url: url, neg_category_ids: [3] };
    const { groups } = await openBoxes({ images: [raw], categories, annotations: [sound] });
    expect(groups[0]).toMatchObject({ image: { id: 1, fileName: name, raw }, location: { kind: "file" } });
    expect(groups[0]!.image.raw).toEqual(raw);
  });

  test.each([
    { fields: { coco_url: 7 }, says: "expected /file_name to be present" },
    { fields: { coco_url: "http://host/" }, says: "expected /file_name to be present" },
    { fields: { coco_url: "http://host/%2e%2e/a.jpg" }, says: "climbs" },
    { fields: { coco_url: "http://host/a.jpg", file_name: 7 }, says: "of type string but received 7" },
  ])("a coco_url that gives no name: $fields", async ({ fields, says }) => {
    const { groups } = await openBoxes({ images: [{ id: 1, ...fields }], categories, annotations: [sound] });
    expect(groups[0]!.location).toMatchObject({ failure: { message: expect.stringContaining(says) as string } });
  });

  test("a size of null is a size that is not known", async () => {
    const { groups } = await openBoxes({
      images: [{ id: 1, file_name: "a.jpg", width: null, height: null }],
      categories,
      annotations: [],
    });
    expect(groups[0]!.image).toEqual({
      id: 1,
      fileName: "a.jpg",
      raw: { id: 1, file_name: "a.jpg", width: null, height: null },
    });
  });

  test.each([
    { record: '{"file_name": "a.jpg"}', received: "none", why: "without id" },
    { record: "7", received: "none", why: "that is a number" },
    { record: '{"id": null}', received: "null", why: "whose id is null" },
    { record: '{"id": [1]}', received: "a list of 1", why: "whose id is a list" },
    { record: '{"id": 1e400}', received: "1e400", why: "whose id is beyond every number" },
    {
      record: '{"id": 123456789012345678901, "file_name": "a.jpg"}',
      received: "123456789012345678901",
      why: "whose id cannot be kept exactly",
    },
  ])("an image record $why ends the run, as nothing can be listed under it", async ({ record, received }) => {
    const error = await errorOf(
      openBoxes(`{"images": [{"id": 2, "file_name": "b.jpg"}, ${record}], "categories": [], "annotations": []}`),
    );
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain("images[1], byte 45: expected an image record with an id");
    expect(error.message).toMatch(new RegExp(`, received ${received}$`));
  });
});

describe("categories that cannot be used end the run", () => {
  test.each([
    { list: '[{"id": 1}]', says: "categories[0]: expected /name to be present but received nothing" },
    {
      list: '[{"id": 1, "name": "a"}, {"name": "b"}]',
      says: "categories[1]: expected /id to be present but received nothing",
    },
    {
      list: '[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}, {"id": 1, "name": "c"}]',
      says: "categories[1]: expected every category id once, received 1 a second time",
    },
    {
      list: '[{"id": 9007199254740993, "name": "a"}]',
      says: "categories[0]: expected /id to be <= 9007199254740991 but received 9007199254740993",
    },
    { list: '[{"id": 1, "name": NaN}, {}]', says: "categories[0], byte" },
    { list: '["car"]', says: 'categories[0]: expected the document to be of type object but received "car"' },
  ])("$says", async ({ list, says }) => {
    const error = await errorOf(openBoxes(`{"images": [], "annotations": [], "categories": ${list}}`));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain(says);
  });
});
