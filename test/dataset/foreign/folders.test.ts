/** What a folder of label files holds is told by what is in them, and their quirks cost what they must and no more. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dataset, Entry } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { errorOf, folderWith } from "../temporary-folder.js";

const BOX = "0 0.5 0.5 0.2 0.2\n";

interface Read {
  readonly dataset: Dataset;
  readonly entries: readonly Entry[];
}

async function read(files: Readonly<Record<string, unknown>>, boxes: string): Promise<Read> {
  const dataset = await openDataset({
    boxes: join(await folderWith(files), boxes),
    imageSize: () => Promise.resolve({ width: 100, height: 100 }),
  });
  const entries: Entry[] = [];
  for await (const group of dataset.groups()) entries.push(...group.entries);
  await dataset.close();
  return { dataset, entries };
}

const messageOf = (entry: Entry | undefined): string => (entry?.kind === "failed" ? entry.failure.message : "");
const many = (count: number, text: string): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l/a${String(i).padStart(4, "0")}.txt`, text]));

describe("what a folder holds", () => {
  test("hundreds of empty label files before the first box are images without boxes", async () => {
    const { dataset, entries } = await read({ ...many(250, ""), "l/z.txt": BOX }, "l");
    expect(dataset).toMatchObject({ format: "yolo", imageCount: 251, annotationCount: 1 });
    expect(entries).toMatchObject([{ kind: "instance" }]);
  });

  test("label files that are all empty are YOLO where a list of classes says so, and nothing known without", async () => {
    const { dataset } = await read({ ...many(2, ""), "l/classes.txt": "car\n" }, "l");
    expect(dataset).toMatchObject({ format: "yolo", imageCount: 2, annotationCount: 0 });
    const folder = join(await folderWith(many(2, "")), "l");
    const error = await errorOf(openDataset({ boxes: folder }));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain('received 2 other files ("a0000.txt", "a0001.txt"; the first is an empty file)');
  });

  test("a first row that is damaged does not hide the format", async () => {
    const { dataset, entries } = await read({ "l/a.txt": `0 nan 0.5 0.2 0.2\n${BOX}` }, "l");
    expect(dataset.format).toBe("yolo");
    expect(messageOf(entries[0])).toContain('a.txt: line 1: expected a number in column 2, received "nan"');
    expect(entries[1]).toMatchObject({ kind: "instance" });
  });

  test("a few files of another kind are found anywhere among many", async () => {
    const kitti = "Car 0 0 0 1 2 30 40 1 1 1 1 1 1 0\n";
    const folder = join(await folderWith({ ...many(60, BOX), "l/zz.txt": kitti }), "l");
    const { message } = await errorOf(openDataset({ boxes: folder }));
    expect(message).toContain("received 60 files of YOLO");
    expect(message).toContain('and 1 file of KITTI ("zz.txt")');
  });

  test("a COCO file among labels is a mixture, and alone it is passed by its own name", async () => {
    const coco = { info: {}, images: [], annotations: [], categories: [] };
    const mixed = await errorOf(openDataset({ boxes: await folderWith({ "a.txt": BOX, "b.json": coco }) }));
    expect(mixed.message).toContain('1 file of YOLO ("a.txt") and 1 file of COCO ("b.json")');
    const alone = await errorOf(openDataset({ boxes: await folderWith({ "b.json": coco }) }));
    expect(alone.hint).toContain("A COCO, CSV or Label Studio file is passed by its own name");
  });

  test("text in UTF-16 is named", async () => {
    const folder = await folderWith({ "a.txt": Buffer.from(`\ufeff${BOX}`, "utf16le") });
    expect((await errorOf(openDataset({ boxes: folder }))).message).toContain("the first is text in UTF-16");
  });

  test("a folder of many label files leaves other work its turn", async () => {
    const folder = await folderWith({ "l/classes.txt": "car\n" });
    for (let i = 0; i < 200; i++) writeFileSync(join(folder, "l", `${i}.txt`), BOX.repeat(3));
    let turns = 0;
    let timer = setImmediate(function again() {
      turns++;
      timer = setImmediate(again);
    });
    const dataset = await openDataset({ boxes: join(folder, "l") });
    clearImmediate(timer);
    expect(dataset.annotationCount).toBe(600);
    expect(turns).toBeGreaterThan(2);
  });
});

describe("YOLO", () => {
  const line = async (text: string): Promise<Entry | undefined> => (await read({ "a.txt": text }, "a.txt")).entries[0];

  test("an outline may have a confidence behind it, as detectors write", async () => {
    expect(await line("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9 0.75\n")).toMatchObject({
      instance: {
        box: { left: 10, top: 10, width: 80, height: 80 },
        truth: { kind: "polygon" },
        raw: { score: 0.75, segmentation: [[10, 10, 90, 10, 90, 90, 10, 90]] },
      },
    });
  });

  test.each([
    ["0 0.5 0.5 0.2 0.2 7\n", "expected a confidence of 0 to 1 in the last column, received 7"],
    ["0\n", "received 1 number."],
    ["0 0.5 0.5 0.2\n", "received 4 numbers."],
    ["-1 0.5 0.5 0.2 0.2\n", 'expected the number of a class first, received "-1"'],
    ["0 0.5 0.5 -0.2 0.2\n", "expected a box width of at least 1 pixel, received -20"],
    ["0 0.5 0.5 0.2 0\n", "expected a box height of at least 1 pixel, received 0"],
  ])("%j fails by itself", async (text, expected) => {
    const entry = await line(text);
    expect(messageOf(entry)).toContain("a.txt: line 1: ");
    expect(messageOf(entry)).toContain(expected);
  });

  test("numbers of classes may have gaps", async () => {
    const files = { "l/data.yaml": "names: {2: car, 7: bus}\n", "l/a.txt": `7${BOX.slice(1)}3${BOX.slice(1)}` };
    const { dataset, entries } = await read(files, "l");
    expect(dataset.categories.map(({ id, name }) => [id, name])).toEqual([
      [2, "car"],
      [7, "bus"],
    ]);
    expect(entries[0]).toMatchObject({ instance: { categoryId: 7 } });
    expect(messageOf(entries[1])).toContain("one of 2 in the list of classes, received 3");
  });

  test.each([
    ["a name that is a list", "names: [car, [bus]]\n", "received a list of 1 as the name of class 1"],
    ["a key that is no number", "names: {car: 0}\n", 'received the key "car"'],
    ["a number that stands twice", "names: {0: car, 0: bus}\n", "received Map keys must be unique"],
    ["many levels", `names: ${"[".repeat(5000)}`, "expected names"],
  ])("a list of classes with %s is refused", async (_, yaml, expected) => {
    const folder = await folderWith({ "data.yaml": yaml, "a.txt": BOX });
    const error = await errorOf(openDataset({ boxes: folder }));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain("data.yaml: expected names");
    expect(error.message).toContain(expected);
  });
});

describe("CSV", () => {
  const HEADER = "image,xmin,ymin,xmax,ymax,label";
  test("columns that are not understood are kept and named in one line", async () => {
    const { dataset, entries } = await read(
      { "t.csv": `${HEADER},site,angle\na.png,1,2,30,40,car,north,7\n` },
      "t.csv",
    );
    expect(dataset.notes).toEqual([
      expect.stringContaining('t.csv: 2 columns not understood, kept as attributes: "site", "angle"'),
    ]);
    expect(entries[0]).toMatchObject({ instance: { raw: { attributes: { site: "north", angle: "7" } } } });
    expect((await read({ "t.csv": `${HEADER}\na.png,1,2,30,40,car\n` }, "t.csv")).dataset.notes).toEqual([]);
  });

  test("lines that end in different ways are rows of their own", async () => {
    const rows = ["a.png,1,2,30,40,car\n", "b.png,5,6,30,40,car\r\n", "a.png,7,8,30,40,bus\r", "b.png,9,9,30,40,car"];
    for (const end of ["\r\n", "\n", "\r"]) {
      const { dataset, entries } = await read({ "t.csv": `${HEADER}${end}${rows.join("")}` }, "t.csv");
      expect(dataset.annotationCount).toBe(4);
      expect(entries.map((entry) => (entry.kind === "instance" ? entry.instance.raw["bbox"] : entry.kind))).toEqual([
        [1, 2, 29, 38],
        [7, 8, 23, 32],
        [5, 6, 25, 34],
        [9, 9, 21, 31],
      ]);
    }
  });

  test("a row without an image costs itself, and a row of nothing is none", async () => {
    const rows = "a.png,1,2,30,40,car\n,1,2,30,40,car\n,,,,,\na.png,5,6,30,40,car\n";
    const { dataset, entries } = await read({ "t.csv": `${HEADER}\n${rows}` }, "t.csv");
    expect(dataset.annotationCount).toBe(3);
    expect(entries.map(({ kind }) => kind)).toEqual(["instance", "instance", "failed"]);
    expect(entries[2]).toMatchObject({ failure: { reason: "image-unknown" } });
    expect(messageOf(entries[2])).toContain("t.csv: line 3: expected the name of an image, received none");
  });

  test("the same rows under other names of columns are another input", async () => {
    const row = "a.png,1,2,30,40,car\n";
    const one = await read({ "t.csv": `${HEADER}\n${row}` }, "t.csv");
    const other = await read({ "t.csv": `image,ymin,xmin,ymax,xmax,label\n${row}` }, "t.csv");
    expect(one.dataset.sha256).not.toBe(other.dataset.sha256);
  });
});

test("Pascal VOC says from where pixels are counted, unless the user said it", async () => {
  const object =
    "<object><name>x</name><bndbox><xmin>1</xmin><ymin>5</ymin><xmax>50</xmax><ymax>60</ymax></bndbox></object>";
  const folder = await folderWith({ "a.xml": `<annotation>${object}</annotation>` });
  const told = await openDataset({ boxes: join(folder, "a.xml") });
  expect(told.notes).toEqual([expect.stringContaining("a.xml: pixels are counted from 1, as the files look")]);
  const said = await openDataset({ boxes: join(folder, "a.xml"), boxesAre: "pixels" });
  expect(said.notes).toEqual([]);
  mkdirSync(join(folder, "empty"));
  expect((await errorOf(openDataset({ boxes: join(folder, "empty") }))).message).toContain("received no file");
});
