/**
 * COCO results lists: detections whose images and categories come from a COCO file or from the names of the image
 * files.
 */
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Dataset, ImageGroup } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { errorOf, folderWith } from "../temporary-folder.js";

const opened: Dataset[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((dataset) => dataset.close()));
});

async function openResults(results: unknown, named?: unknown): Promise<{ dataset: Dataset; groups: ImageGroup[] }> {
  const folder = await folderWith({
    "images/000000000139.jpg": "",
    "images/sub/b.jpg": "",
    "images/x/2.jpg": "",
    "images/y/2.png": "",
    "results.json": results,
    ...(named !== undefined && { "named.json": named }),
  });
  const dataset = await openDataset({
    images: join(folder, "images"),
    boxes: join(folder, "results.json"),
    ...(named !== undefined && { dataset: join(folder, "named.json") }),
  });
  opened.push(dataset);
  const groups: ImageGroup[] = [];
  for await (const group of dataset.groups()) groups.push(group);
  return { dataset, groups };
}

const detection = { image_id: 139, category_id: 3, bbox: [1, 2, 3, 4], score: 0.9 };
const named = {
  info: { version: "1" },
  images: [
    { id: 5, file_name: "b.jpg", width: 10, height: 10 },
    { id: 139, file_name: "000000000139.jpg" },
  ],
  annotations: [{ id: "not read", bbox: 7 }],
  categories: [{ id: 3, name: "car" }],
};

describe("with the COCO file the detector was run on", () => {
  test("images, categories and header are that file's, boxes are the list's", async () => {
    const { dataset, groups } = await openResults(
      [detection, { ...detection, image_id: 5, category_id: 3, score: 0.1 }, detection],
      named,
    );
    expect(dataset).toMatchObject({
      format: "coco-results",
      imageCount: 2,
      annotationCount: 3,
      header: { info: { version: "1" } },
    });
    expect(dataset.categories).toEqual([{ id: 3, name: "car", raw: { id: 3, name: "car" } }]);
    expect(
      groups.map(({ image, location, entries }) => [
        image.id,
        location.kind,
        entries.map((entry) => entry.kind === "instance" && [entry.instance.ordinal, entry.instance.annotationId]),
      ]),
    ).toEqual([
      [5, "file", [[1, 2]]],
      [
        139,
        "file",
        [
          [0, 1],
          [2, 3],
        ],
      ],
    ]);
    expect(groups[1]!.entries[0]).toMatchObject({ instance: { raw: detection } });
  });

  test("annotations may be missing there: only images and categories are asked for", async () => {
    const { images, categories } = named;
    expect((await openResults([detection], { images, categories })).dataset.imageCount).toBe(2);
  });

  test("an image id that is not in it points nowhere", async () => {
    const { groups } = await openResults([{ ...detection, image_id: 6 }], named);
    expect(groups[2]).toMatchObject({ image: { id: 6 }, location: { failure: { reason: "image-unknown" } } });
  });

  test.each(["b", "b.jpg", "sub/b.jpg", "./sub\\b.jpg", "sub/b"])(
    "an image id that is the text %s is the image of that name",
    async (id) => {
      const { groups } = await openResults([{ ...detection, image_id: id }], {
        ...named,
        images: [{ id: 5, file_name: "sub/b.jpg" }, ...named.images.slice(1)],
      });
      expect(groups).toHaveLength(2);
      expect(groups[0]).toMatchObject({ image: { id: 5 }, entries: [{ instance: { imageId: 5, annotationId: 1 } }] });
    },
  );

  test.each([
    {
      why: "two images have",
      images: [
        { id: 1, file_name: "x/2.jpg" },
        { id: 2, file_name: "y/2.png" },
      ],
    },
    {
      why: "two records have",
      images: [
        { id: 1, file_name: "2.jpg" },
        { id: 2, file_name: "2.jpg" },
      ],
    },
    { why: "no image has", images: named.images },
  ])("a name that $why points nowhere", async ({ images }) => {
    const { groups } = await openResults([{ ...detection, image_id: "2" }], { ...named, images });
    expect(groups.at(-1)).toMatchObject({ image: { id: "2" }, location: { failure: { reason: "image-unknown" } } });
  });

  test("an id that is text is an id first", async () => {
    const images = [
      { id: 1, file_name: "b.jpg" },
      { id: "b", file_name: "000000000139.jpg" },
    ];
    const { groups } = await openResults([{ ...detection, image_id: "b" }], { ...named, images });
    expect(groups.map(({ entries }) => entries.length)).toEqual([0, 1]);
  });

  test("a category that is not in it is unknown", async () => {
    const { groups } = await openResults([{ ...detection, category_id: 4 }], named);
    expect(groups[1]!.entries[0]).toMatchObject({
      kind: "failed",
      failure: {
        reason: "category-unknown",
        message: expect.stringContaining("element 0: expected category_id to be 3, received 4") as string,
      },
    });
  });

  test("the identity of the input covers both files", async () => {
    const one = await openResults([detection], named);
    const other = await openResults([detection], { ...named, info: {} });
    const alone = await openResults([detection]);
    expect(new Set([one, other, alone].map(({ dataset }) => dataset.sha256)).size).toBe(3);
  });

  test.each([
    { lacking: { images: named.images }, says: "received one without categories" },
    { lacking: { categories: named.categories, images: "x" }, says: "received one without images" },
    { lacking: [1], says: "received one without images and categories" },
  ])("a COCO file without its lists is refused: $says", async ({ lacking, says }) => {
    const error = await errorOf(openResults([detection], lacking));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain(`named.json: expected a COCO file with the lists images and categories, ${says}`);
  });

  test("a missing file is missing input", async () => {
    const folder = await folderWith({ "a.jpg": "", "results.json": [detection] });
    const error = await errorOf(
      openDataset({ images: folder, boxes: join(folder, "results.json"), dataset: join(folder, "none.json") }),
    );
    expect(error).toMatchObject({ exitCode: 66 });
    expect(error.message).toContain("expected a COCO file of --dataset that can be read, received no such file");
  });
});

describe("without a COCO file", () => {
  test.each([
    { id: 139, fileName: "000000000139.jpg", why: "a number that is the file's name" },
    { id: "b.jpg", fileName: "sub/b.jpg", why: "a file name" },
    { id: "b", fileName: "sub/b.jpg", why: "a file name without extension" },
    { id: "sub/b", fileName: "sub/b.jpg", why: "a path without extension" },
    { id: "x/2.jpg", fileName: "x/2.jpg", why: "a path" },
  ])("image id $id finds its image: $why", async ({ id, fileName }) => {
    const { groups } = await openResults([{ ...detection, image_id: id }]);
    expect(groups).toMatchObject([
      { image: { id, fileName, raw: { id, file_name: fileName } }, location: { kind: "file" } },
    ]);
  });

  test.each([
    { id: 140, reason: "image-missing" },
    { id: 2, reason: "image-ambiguous" },
    { id: "nothing", reason: "image-missing" },
    { id: "2", reason: "image-ambiguous" },
    { id: "../b.jpg", reason: "image-outside" },
  ])("image id $id fails: $reason", async ({ id, reason }) => {
    const { groups } = await openResults([{ ...detection, image_id: id }]);
    expect(groups).toMatchObject([
      { image: { id, fileName: String(id) }, location: { kind: "failed", failure: { reason } } },
    ]);
    if (reason === "image-missing")
      expect(groups[0]!.location).toMatchObject({
        failure: { message: expect.stringContaining("Or name the COCO file") as string },
      });
  });

  test("images come in order of first appearance, categories are named by their ids", async () => {
    const { dataset, groups } = await openResults([
      { ...detection, image_id: "b", category_id: 7 },
      detection,
      { ...detection, image_id: "b", category_id: "x" },
    ]);
    expect(groups.map(({ image, entries }) => [image.id, entries.length])).toEqual([
      ["b", 2],
      [139, 1],
    ]);
    expect(dataset.categories).toEqual(
      [7, 3, "x"].map((id) => ({
        id,
        name: id === "x" ? "x" : `category ${id}`,
        raw: { id, name: id === "x" ? "x" : `category ${id}` },
      })),
    );
    expect(dataset.header).toEqual({});
  });

  test("masks pass through and serve as the polygon that is there already", async () => {
    const segmentation = { size: [4, 4], counts: [4, 4, 8] };
    const { groups } = await openResults([{ ...detection, segmentation }]);
    expect(groups[0]!.entries[0]).toMatchObject({
      instance: { truth: { kind: "rle", rle: { counts: Uint32Array.of(4, 4, 8) } }, raw: { segmentation } },
    });
  });

  test("a detection that cannot be drawn costs only itself", async () => {
    const { groups } = await openResults([
      { ...detection, bbox: [0, 0, -1, 2] },
      { ...detection, bbox: undefined },
      { ...detection, image_id: undefined },
      detection,
    ]);
    expect(
      groups[0]!.entries.map((entry) =>
        entry.kind === "failed" ? [entry.annotationId, entry.failure.reason] : entry.kind,
      ),
    ).toEqual([[1, "box-empty"], [2, "box-invalid"], "instance"]);
    expect(groups[1]!.entries).toMatchObject([
      { ordinal: 2, annotationId: 3, failure: { reason: "annotation-invalid" } },
    ]);
  });

  test("an id in a detection is its own business: equal ones do not collide", async () => {
    const { groups } = await openResults([
      { ...detection, id: 1 },
      { ...detection, id: 1 },
    ]);
    expect(groups[0]!.entries.map((entry) => entry.kind === "instance" && entry.instance.annotationId)).toEqual([1, 2]);
  });

  test("an empty list is nothing to do", async () => {
    const { dataset, groups } = await openResults([]);
    expect([dataset.annotationCount, dataset.imageCount, groups]).toEqual([0, 0, []]);
  });

  test("a list of anything else is refused", async () => {
    const error = await errorOf(openResults([{ id: 1, data: { image: "a.jpg" } }, {}]));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain("received a list of 2 in which nothing has an image_id");
  });
});

test("a list whose image ids are too large is told so, with the first as it is written", async () => {
  const text = JSON.stringify([detection]).replace("139", "9007199254740993");
  const error = await errorOf(openResults(text));
  expect(error).toMatchObject({ exitCode: 65 });
  expect(error.message).toContain("an image_id that is text or an integer up to 2^53, received 9007199254740993");
});
