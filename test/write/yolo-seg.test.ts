import fc from "fast-check";
import { lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { zipFile } from "../helpers/zip-file.js";
import { openYoloSegWriter } from "../../src/write/yolo-seg.js";
import type { ImageResult, WriteContext } from "../../src/write/writer.js";
import {
  anyRing,
  contextOf,
  done,
  failed,
  instanceOf,
  listFiles,
  rejected,
  resultOf,
  useFolder,
  withoutSize,
} from "./results.js";

const folder = useFolder();
const at = (...parts: string[]): string => join(folder.path, ...parts);
let photograph = "";
beforeEach(async () => {
  photograph = at("photos", "street.jpg");
  await mkdir(at("photos"));
  await writeFile(photograph, "pixels");
});

async function write(results: readonly ImageResult[], more: Partial<WriteContext> = {}): Promise<void> {
  const writer = await openYoloSegWriter(contextOf(at("out"), more));
  try {
    for (const result of results)
      await writer.image(result.path === undefined ? result : { ...result, path: photograph });
    expect(await writer.finish()).toEqual(["yolo-seg/"]);
  } finally {
    await writer.abort(); // nothing after `finish`
  }
}

const text = (path: string): Promise<string> => readFile(at("out/yolo-seg", path), "utf8");
/** As the trainer finds the labels of an image: the last "/images/" becomes "/labels/", the ending ".txt". */
const labelsOf = (image: string): string => {
  const cut = `/${image}`.lastIndexOf("/images/");
  return `${image.slice(0, cut)}labels/${image.slice(cut + 7)}`.replace(/\.[^.]*$/u, ".txt");
};

test("photographs in a zip file are copied out of it: a link cannot lead there", async () => {
  await writeFile(at("photos.zip"), zipFile([{ name: "day/street.jpg", bytes: Buffer.from("packed pixels") }]));
  photograph = join(at("photos.zip"), "day", "street.jpg");
  await write([resultOf([done(instanceOf(0))], { fileName: "day/street.jpg" })]);
  expect((await lstat(at("out/yolo-seg/images/day/street.jpg"))).isFile()).toBe(true);
  expect(await text("images/day/street.jpg")).toBe("packed pixels");
});

test("a data set lies as the trainer reads it", async () => {
  await write([
    resultOf([done(instanceOf(0)), done(instanceOf(1, { categoryId: 17 }))], { fileName: "day/street.jpg" }),
  ]);
  expect(await listFiles(at("out"))).toEqual([
    "yolo-seg/data.yaml",
    "yolo-seg/images/day/street.jpg",
    "yolo-seg/labels/day/street.txt",
    "yolo-seg/train.txt",
  ]);
  expect(await text("train.txt")).toBe("./images/day/street.jpg\n");
  expect(await text("images/day/street.jpg")).toBe("pixels");
  expect(await text("labels/day/street.txt")).toBe(
    "0 0.1 0.125 0.6025 0.15625 0.3 0.551625\n1 0.1 0.125 0.6025 0.15625 0.3 0.551625\n",
  );
});

describe("data.yaml", () => {
  test("numbers the categories without gaps and names the list", async () => {
    await write([]);
    expect((await text("data.yaml")).split("\n").slice(2)).toEqual([
      "train: train.txt",
      "val: train.txt",
      "names:",
      '  0: "car"',
      '  1: "person"',
      "",
    ]);
  });

  test("holds any name: quotes, line breaks, marks that YAML gives a meaning", async () => {
    const names = ['a: "b" #c', "two\nlines", "back\\slash", "\u0085\u2028\ufeff\u0007", "- [x] {y} 猫"];
    await write([], { categories: names.map((name, id) => ({ id, name, raw: {} })) });
    const lines = (await text("data.yaml")).split("\n").slice(5, 10);
    expect(lines.map((line) => JSON.parse(line.replace(/^ {2}\d: /u, "")) as string)).toEqual(names);
    expect(lines.join("")).not.toMatch(/[\u007f-\u009f\u2028\u2029\ufeff]/u);
  });

  test("gives a category that the data set does not list the next number", async () => {
    await write([resultOf([done(instanceOf(0, { categoryId: 99 })), done(instanceOf(1, { categoryId: 99 }))])]);
    expect((await text("data.yaml")).trimEnd().split("\n").at(-1)).toBe('  2: "category 99"');
    expect((await text("labels/street.txt")).match(/^2 /gmu)).toHaveLength(2);
  });

  test("is sound without categories", async () => {
    await write([], { categories: [] });
    expect(await text("data.yaml")).toContain("names: {}\n");
  });
});

describe("the images that are listed", () => {
  test.each([
    {
      why: "one with polygons is",
      result: resultOf([done(instanceOf(0)), failed(instanceOf(1))]),
      list: "./images/street.jpg\n",
    },
    {
      why: "one whose instances all failed is not: the trainer would take it for empty",
      result: resultOf([failed(instanceOf(0))]),
      list: "",
    },
    { why: "one that was not asked for is not", result: resultOf([]), list: "" },
    {
      why: "one that is empty by the input is",
      result: resultOf([], { isEmpty: true }),
      list: "./images/street.jpg\n",
    },
    { why: "one of unknown size is not", result: withoutSize(resultOf([done(instanceOf(0))])), list: "" },
  ])("$why", async ({ result, list }) => {
    await write([result]);
    expect(await text("train.txt")).toBe(list);
    expect((await listFiles(at("out"))).filter((path) => path.startsWith("yolo-seg/labels"))).toHaveLength(
      list === "" ? 0 : 1,
    );
  });

  test("one that was not found is not", async () => {
    const { image, items, size } = resultOf([done(instanceOf(0))]);
    await write([{ image, items, size: size! }]);
    expect(await text("train.txt")).toBe("");
  });

  test.each([
    { names: ["a.jpg", "a.png"], why: "endings differ" },
    { names: ["images/a.jpg", "b/images/a.jpg", "images/images/c.jpg"], why: "folders are called images" },
    { names: ["../../a.jpg", "/a.jpg", "a.b.jpg", "no-ending"], why: "names are odd" },
    {
      names: ["a.jpg", "a.jpg/b.jpg", "c", "c/d.jpg", "e.jpg/f.jpg", "e.jpg"],
      why: "a folder has a photograph's name",
    },
  ])("find their labels when $why: $names", async ({ names }) => {
    await write(names.map((fileName) => resultOf([done(instanceOf(0))], { fileName })));
    const images = (await text("train.txt"))
      .trimEnd()
      .split("\n")
      .map((line) => line.replace("./", ""));
    expect(new Set(images).size).toBe(names.length);
    for (const image of images) {
      expect(await text(image)).toBe("pixels");
      expect(await text(labelsOf(image)), image).toMatch(/^0 /u);
    }
  });
});

describe("the links to photographs", () => {
  test("an older link is replaced", async () => {
    await mkdir(at("out/yolo-seg/images"), { recursive: true });
    await symlink("nowhere", at("out/yolo-seg/images/street.jpg"));
    await write([resultOf([done(instanceOf(0))])]);
    expect(await text("images/street.jpg")).toBe("pixels");
  });

  test("the photographs themselves are never touched, also where someone put their folder in place of images/", async () => {
    await mkdir(at("out/yolo-seg"), { recursive: true });
    await symlink(at("photos"), at("out/yolo-seg/images"));
    await write([resultOf([done(instanceOf(0))])]);
    expect((await lstat(photograph)).isFile()).toBe(true);
    expect(await readFile(photograph, "utf8")).toBe("pixels");
  });

  test("a folder where a photograph has to be is an error that names it", async () => {
    await mkdir(at("out/yolo-seg/images/street.jpg"), { recursive: true });
    await expect(write([resultOf([done(instanceOf(0))])])).rejects.toThrow(/street\.jpg.*received a folder/u);
  });

  test("a folder that is a file is an error that names it", async () => {
    await mkdir(at("out/yolo-seg"), { recursive: true });
    await writeFile(at("out/yolo-seg/images"), "");
    await expect(write([resultOf([done(instanceOf(0))])])).rejects.toThrow(/images.*(EEXIST|ENOTDIR)/u);
  });
});

test("a kept polygon of several parts is one line, cut at the border; one outside has none", async () => {
  const kept = (segmentation: number[][]): ReturnType<typeof rejected> =>
    rejected({ category_id: 3, segmentation }, { status: "skipped", reason: "kept" });
  await write([
    resultOf([
      kept([
        [-10, -10, 50, -10, 50, 40, -10, 40],
        [60, 60, 70, 60, 70, 70],
      ]),
      kept([[200, 0, 210, 0, 210, 10]]),
    ]),
  ]);
  const lines = (await text("labels/street.txt")).trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  const values = lines[0]!.split(" ").slice(1).map(Number);
  expect(values.length % 2).toBe(0);
  expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
  expect(values).toContain(0.7);
});

test.each(["symlink", "hard", "copy"] as const)("--link %s holds the photograph that way", async (way) => {
  await write([resultOf([done(instanceOf(0))])], { formatOptions: { link: way } });
  const held = await lstat(at("out/yolo-seg/images/street.jpg"));
  expect(await text("images/street.jpg")).toBe("pixels");
  expect([held.isSymbolicLink(), held.nlink]).toEqual([way === "symlink", way === "hard" ? 2 : 1]);
});

test("a copy takes the place of an earlier run's link, and the photograph stays", async () => {
  await write([resultOf([done(instanceOf(0))])]);
  await write([resultOf([done(instanceOf(0))])], { formatOptions: { link: "copy" } });
  expect((await lstat(at("out/yolo-seg/images/street.jpg"))).isFile()).toBe(true);
  expect(await readFile(photograph, "utf8")).toBe("pixels");
});

test("an abort takes the list back", async () => {
  const writer = await openYoloSegWriter(contextOf(at("out")));
  await writer.abort();
  expect(await listFiles(at("out"))).toEqual([]);
});

test("polygons read back to a hundredth of a pixel, without exponents", async () => {
  await fc.assert(
    fc.asyncProperty(anyRing, async (ring) => {
      await write([resultOf([done(instanceOf(0), ring)], { size: { width: 2048, height: 1024 } })]);
      const line = await text("labels/street.txt");
      expect(line).toMatch(/^0( (0|1|0\.\d{1,6})){6,}\n$/u);
      const values = line.trimEnd().split(" ").slice(1).map(Number);
      ring.forEach(({ x, y }, i) => {
        expect(values[2 * i]! * 2048).toBeCloseTo(x, 2);
        expect(values[2 * i + 1]! * 1024).toBeCloseTo(y, 2);
      });
    }),
    { numRuns: 20 },
  );
});
