import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openWriters } from "../../src/write/open-writers.js";
import { openFiles } from "../helpers/open-files.js";
import { contextOf, done, instanceOf, listFiles, resultOf, useFolder } from "./results.js";

const folder = useFolder();
const ALL = ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio", "cvat"] as const;

test("each image goes to every format, and finish says what was written", async () => {
  await writeFile(join(folder.path, "street.jpg"), "");
  await mkdir(join(folder.path, "out"));
  const writer = await openWriters(ALL, contextOf(join(folder.path, "out")));
  await writer.image(resultOf([done(instanceOf(0))], { path: join(folder.path, "street.jpg") }));
  const written = await writer.finish();
  expect(written).toEqual([
    "annotations.json",
    "cityscapes/",
    "labelme/",
    "yolo-seg/",
    "label-studio.json",
    "label-studio-config.xml",
    "cvat.xml",
  ]);
  const files = await listFiles(join(folder.path, "out"));
  for (const path of written) expect(files.some((file) => file.startsWith(path))).toBe(true);
  expect(files.filter((file) => !written.some((path) => file.startsWith(path)))).toEqual([]);
});

test("a format named twice is written once", async () => {
  const writer = await openWriters(["coco", "coco"], contextOf(folder.path));
  expect(await writer.finish()).toEqual(["annotations.json"]);
});

test("an abort removes what every format has begun", async () => {
  const writer = await openWriters(ALL, contextOf(folder.path));
  await writer.abort();
  expect(await listFiles(folder.path)).toEqual([]);
});

test("when one format cannot be opened, the others leave nothing behind", async () => {
  await writeFile(join(folder.path, "yolo-seg"), "a file in the way");
  await expect(openWriters(ALL, contextOf(folder.path))).rejects.toThrow(/yolo-seg/u);
  expect(await listFiles(folder.path)).toEqual(["yolo-seg"]);
});

test("an abort that fails in one format still ends the others, and says so", async () => {
  const writer = await openWriters(["label-studio", "coco"], contextOf(folder.path));
  // What it would remove is there, but lies in the way of its folder.
  expect(await readdir(folder.path)).toContain("label-studio.json.partial");
  await rm(folder.path, { recursive: true });
  await writeFile(folder.path, "a file in the way");
  await expect(writer.abort()).rejects.toThrow(/label-studio\.json/u);
  expect(await openFiles(folder.path)).toEqual([]);
});
