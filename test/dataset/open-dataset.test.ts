/** Recognizing what was passed, and saying what was looked for when it is nothing known. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { errorOf, folderWith } from "./temporary-folder.js";

const folder = await folderWith({ "images/a.jpg": "" });
const images = join(folder, "images");
const isRoot = process.getuid?.() === 0;
if (isRoot) console.log("Skipped: files that may not be read (the administrator may read everything)");

describe("what is no box file", () => {
  test.each([
    { boxes: "hello", says: 'expected an object or a list, received "h"' },
    { boxes: "", says: "received an empty file" },
    { boxes: {}, says: "received an empty object" },
    { boxes: { version: "5.0", flags: {}, shapes: [] }, says: 'received an object with "version", "flags", "shapes"' },
    { boxes: { images: [], annotations: [] }, says: 'received an object with "images", "annotations"' },
    {
      boxes: { images: 7, annotations: [], categories: [] },
      says: 'received an object with "images" (7), "annotations", "categories"',
    },
    {
      boxes: { images: {}, annotations: "x", categories: null },
      says: '"images" (an object), "annotations" ("x"), "categories" (null)',
    },
    {
      boxes: { imgWidth: 1, imgHeight: 1, objects: [{ label: "car" }] },
      says: 'received an object with "imgWidth", "imgHeight", "objects"',
    },
    {
      boxes: { imgWidth: 1, imgHeight: 1, objects: {} },
      says: 'received an object with "imgWidth", "imgHeight", "objects"',
    },
    { boxes: Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`k${i}`, i])), says: '"k9" and 2 more' },
    {
      boxes: { images: ["a.jpg"], annotations: [1], categories: [1] },
      says: "images[0], byte 11: expected an image record",
    },
  ])("$says", async ({ boxes, says }) => {
    const path = join(await folderWith({ "boxes.json": boxes }), "boxes.json");
    const error = await errorOf(openDataset({ images, boxes: path }));
    expect(error).toMatchObject({ exitCode: 65, code: "E_DATA" });
    expect(error.message).toContain(`${path}: `);
    expect(error.message).toContain(says);
  });

  test("an unknown format is answered with the known ones", async () => {
    const error = await errorOf(
      openDataset({ images, boxes: join(await folderWith({ "x.json": { shapes: [] } }), "x.json") }),
    );
    expect(error.message).toContain(
      "expected a COCO file (lists images, annotations and categories), a COCO results list ([{ image_id, category_id, bbox, score }, ...]), a Cityscapes file",
    );
    expect(error.hint).toBe("Export the boxes in one of these formats, or pass another file.");
  });

  test("a named pipe is refused at once", async () => {
    const pipe = join(await folderWith({}), "pipe.json");
    execFileSync("mkfifo", [pipe]);
    const error = await errorOf(openDataset({ images, boxes: pipe }));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain("expected a regular file as the box file, received a pipe or device");
  });
});

describe("what is not there", () => {
  test("a missing box file", async () => {
    const error = await errorOf(openDataset({ images, boxes: join(folder, "none.json") }));
    expect(error).toMatchObject({ exitCode: 66, code: "E_MISSING" });
    expect(error.message).toContain("none.json: expected a box file or a folder of them, received ");
  });

  test("a missing image folder", async () => {
    const boxes = join(await folderWith({ "boxes.json": [] }), "boxes.json");
    expect(await errorOf(openDataset({ images: join(folder, "none"), boxes }))).toMatchObject({ exitCode: 66 });
  });

  test.skipIf(isRoot)("a box file that may not be read", async () => {
    const boxes = join(await folderWith({ "boxes.json": [] }), "boxes.json");
    await chmod(boxes, 0);
    const error = await errorOf(openDataset({ images, boxes }));
    expect(error).toMatchObject({ exitCode: 66 });
    expect(error.hint).toContain("permissions");
  });
});

describe("folders", () => {
  test.each([
    { files: {}, says: "received no file" },
    {
      files: { "boxes.json": "[]", "sub/more.json": "[]" },
      says: 'received 2 other files ("boxes.json", "sub/more.json"',
    },
    {
      files: { "a_gtFine_polygons.json": "{}", "a_gtBboxCityPersons.json": "{}" },
      says: "received 1 *_gtFine_polygons.json and 1 *_gtBboxCityPersons.json",
    },
  ])("without box files of one kind are refused: $says", async ({ files, says }) => {
    const error = await errorOf(openDataset({ images, boxes: await folderWith(files) }));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain(says);
  });
});

test("without an image folder annotations are read and every image says that none was given", async () => {
  const coco = {
    images: [{ id: 1, file_name: "a.jpg" }],
    annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [1, 2, 3, 4] }],
    categories: [{ id: 1, name: "car" }],
  };
  const boxes = await folderWith({
    "coco.json": coco,
    "results.json": [{ image_id: 7, category_id: 1, bbox: [1, 2, 3, 4] }],
    "a.json": { imgWidth: 9, imgHeight: 9, objects: [] },
  });
  for (const name of ["coco.json", "results.json", "a.json"]) {
    const dataset = await openDataset({ boxes: join(boxes, name) });
    for await (const { location } of dataset.groups()) {
      expect(location).toMatchObject({
        kind: "failed",
        failure: {
          reason: "image-missing",
          message: expect.stringContaining("expected an image folder to look in, received none") as string,
        },
      });
    }
    await dataset.close();
  }
});

test.each([
  { name: "boxes.json", boxes: { images: [], annotations: [], categories: [] }, kind: "a COCO file" },
  { name: "boxes.json", boxes: { imgWidth: 1, imgHeight: 1, objects: [] }, kind: "a Cityscapes file" },
  { name: "sub/a_gtFine_polygons.json", boxes: {}, kind: "a folder" },
])("--dataset beside $kind is a wrong call, not ignored", async ({ name, boxes, kind }) => {
  const made = await folderWith({ [name]: boxes });
  const error = await errorOf(
    openDataset({ images, boxes: name.startsWith("sub") ? made : join(made, name), dataset: "named.json" }),
  );
  expect(error).toMatchObject({ exitCode: 2 });
  expect(error.message).toContain(`received together with ${kind}`);
});

const shared = new URL("../../../shared/data/", import.meta.url).pathname;
const hasShared = existsSync(join(shared, "val.json"));
if (!hasShared) console.log("Skipped: real photographs (../shared/data is not beside this checkout)");

test.skipIf(!hasShared)(
  "real photographs: every image of val.json is found and every annotation has its polygon",
  async () => {
    const dataset = await openDataset({ images: join(shared, "images"), boxes: join(shared, "val.json") });
    const counts = { images: 0, found: 0, instances: 0, polygons: 0 };
    for await (const { location, entries } of dataset.groups()) {
      counts.images++;
      if (location.kind === "file") counts.found++;
      for (const entry of entries) {
        if (entry.kind === "instance") counts.instances++;
        if (entry.kind === "instance" && entry.instance.truth?.kind === "polygon") counts.polygons++;
      }
    }
    await dataset.close();
    expect(counts).toEqual({ images: 276, found: 276, instances: 1994, polygons: 1994 });
    expect(dataset).toMatchObject({ imageCount: 276, annotationCount: 1994, format: "coco" });
  },
);
