/** Boxes in the formats of other tools come in as COCO would have them, and whatever is wrong says where. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readImageSize } from "../../../src/crop/open-image.js";
import type { Dataset, Entry, ImageGroup } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import type { BoxUnit } from "../../../src/dataset/relative-boxes.js";
import { PolyrnnError } from "../../../src/errors.js";
import type { Form } from "./forms.js";
import { BOXES, folderOf, FORMS } from "./forms.js";

async function groupsOf(dataset: Dataset): Promise<ImageGroup[]> {
  const groups: ImageGroup[] = [];
  for await (const group of dataset.groups()) groups.push(group);
  return groups;
}

interface Read {
  readonly dataset: Dataset;
  readonly groups: readonly ImageGroup[];
  readonly entries: readonly Entry[];
}

async function read(home: string, boxes: string, boxesAre?: BoxUnit): Promise<Read> {
  const dataset = await openDataset({
    images: join(home, "images"),
    boxes: join(home, boxes),
    imageSize: readImageSize,
    ...(boxesAre !== undefined && { boxesAre }),
  });
  try {
    const groups = await groupsOf(dataset);
    return { dataset, groups, entries: groups.flatMap(({ entries }) => entries) };
  } finally {
    await dataset.close();
  }
}

const readForm = async ({ files, boxes }: Form): Promise<Read> => read(await folderOf(files), boxes);
const readText = async (name: string, text: string | Uint8Array): Promise<Read> =>
  read(await folderOf({ [name]: text }), name);

/** What was wrong, of each entry; "instance" where nothing was. */
const remarks = ({ entries }: Read): string[] =>
  entries.map((entry) =>
    entry.kind === "failed" ? entry.failure.message : entry.kind === "skipped" ? entry.reason : "instance",
  );
const errorOf = (work: Promise<unknown>): Promise<PolyrnnError> =>
  work.then(
    () => {
      throw new Error("expected an error");
    },
    (error: unknown) => {
      if (error instanceof PolyrnnError) return error;
      throw error;
    },
  );

const boxOf = (entry: Entry): number[] => {
  if (entry.kind !== "instance") return [];
  const { left, top, width, height } = entry.instance.box;
  return [left, top, width, height];
};

describe.each(FORMS.map((form) => [form.name, form] as const))("%s", (_, form) => {
  test("gives the boxes, labels and images of the same data in COCO", async () => {
    const { dataset, groups } = await readForm(form);
    const names = new Map(dataset.categories.map(({ id, name }) => [id, name]));
    const seen = groups.flatMap(({ location, entries }) =>
      entries.flatMap((entry) =>
        entry.kind === "instance"
          ? [[location.kind === "file" && location.path, names.get(entry.instance.categoryId), boxOf(entry)] as const]
          : [],
      ),
    );
    const plain = seen.map(([path, label, box]) => [
      String(path).replace(/.*\/images\//, ""),
      String(label).replace("_", " "),
      box,
    ]);
    expect(plain).toHaveLength(BOXES.length);
    expect(plain).toEqual(expect.arrayContaining(BOXES.map(([image, label, box]) => [image, label, [...box]])));
    expect(dataset.format).toBe(form.name);
  });

  test("numbers annotations without a gap, counts images without boxes, and is walked twice alike", async () => {
    const home = await folderOf(form.files);
    const dataset = await openDataset({
      images: join(home, "images"),
      boxes: join(home, form.boxes),
      imageSize: readImageSize,
    });
    const first = await groupsOf(dataset);
    const ordinals = first.flatMap(({ entries }) =>
      entries.map((entry) => (entry.kind === "instance" ? entry.instance.ordinal : entry.ordinal)),
    );
    expect(ordinals).toEqual(Array.from({ length: dataset.annotationCount }, (_, i) => i));
    expect(first).toHaveLength(dataset.imageCount);
    // Detectors print a line per box: an image without boxes has none.
    expect(dataset.imageCount).toBe(form.name === "ndjson" ? 2 : 3);
    expect(await groupsOf(dataset)).toEqual(first);
    await dataset.close();
  });

  test("has another identity when a byte of its boxes changes", async () => {
    const [name, text] = Object.entries(form.files).find(([, text]) => text.includes("5"))!;
    const { dataset } = await readForm(form);
    const changed = await readForm({ ...form, files: { ...form.files, [name]: text.replace("5", "4") } });
    expect(changed.dataset.sha256).not.toBe(dataset.sha256);
    expect((await readForm(form)).dataset.sha256).toBe(dataset.sha256);
  });

  test("whatever bytes are changed, cut or doubled, nothing but the house's errors is thrown", async () => {
    const home = await folderOf(form.files);
    const files = Object.entries(form.files);
    const hostile = [
      "NaN",
      "1e999",
      "-",
      '"',
      "<",
      "&x;",
      "\0",
      "[",
      "{",
      ",",
      "\u{1F600}",
      "\n",
      "0x10",
      "9".repeat(30),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: files.length - 1 }),
        fc.nat(),
        fc.constantFrom("cut", "insert", "double"),
        fc.constantFrom(...hostile),
        async (which, where, how, text) => {
          const [name, original] = files[which]!;
          const at = where % (original.length + 1);
          const [head, tail] = [original.slice(0, at), original.slice(at)];
          const damaged = how === "cut" ? head : how === "insert" ? head + text + tail : original + tail;
          await writeFile(join(home, name), damaged);
          try {
            await read(home, form.boxes);
          } catch (error) {
            if (!(error instanceof PolyrnnError)) throw error;
            expect([2, 65, 66]).toContain(error.exitCode);
          } finally {
            await writeFile(join(home, name), original);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("fields that pass through", () => {
  const rawOf = async (name: string): Promise<Record<string, unknown>> => {
    const { entries } = await readForm(FORMS.find((form) => form.name === name)!);
    const [first] = entries;
    if (first?.kind !== "instance") throw new Error("expected an instance");
    return first.instance.raw;
  };
  test.each([
    ["voc", { attributes: { pose: "Left", truncated: false, difficult: true } }],
    ["labelme", { attributes: { checked: true, group_id: 7 } }],
    ["cvat", { attributes: { color: "red & white", occluded: true, z_order: 3 } }],
    ["csv", { attributes: { note: 'a "b", c' } }],
    ["ndjson", { score: 0.5, source_id: "d0" }],
  ])("%s", async (name, expected) => {
    expect(await rawOf(name)).toMatchObject(expected);
  });

  test("CVAT's tags stay with their image", async () => {
    const { groups } = await readForm(FORMS.find(({ name }) => name === "cvat")!);
    expect(groups[0]!.image.raw["tags"]).toEqual([{ label: "day" }]);
  });

  test("regions of KITTI without labels are skipped and counted", async () => {
    const { entries } = await readForm(FORMS.find(({ name }) => name === "kitti")!);
    expect(entries.filter((entry) => entry.kind === "skipped" && entry.reason === "ignored")).toHaveLength(3);
  });
});

describe("outlines are ground truth, their bounding box is the box", () => {
  const outline = [10, 10, 60, 10, 60, 40, 10, 40];
  const points = [
    [10, 10],
    [60, 10],
    [60, 40],
    [10, 40],
  ];
  const rows: [string, string, string][] = [
    [
      "YOLO segments and oriented boxes",
      "a.txt",
      `0 ${outline.map((v, i) => v / (i % 2 === 0 ? 200 : 100)).join(" ")}`,
    ],
    [
      "LabelMe",
      "a.json",
      JSON.stringify({ shapes: [{ label: "x", points, shape_type: "polygon" }], imagePath: "a.png" }),
    ],
    [
      "CVAT",
      "a.xml",
      `<annotations><image name="a.png"><polygon label="x" points="${points.map(String).join(";")}"/></image></annotations>`,
    ],
    [
      "Label Studio",
      "a.json",
      JSON.stringify([
        {
          data: { image: "s3://bucket/a.png" },
          annotations: [
            {
              result: [
                {
                  type: "polygonlabels",
                  original_width: 200,
                  original_height: 100,
                  value: { points: points.map(([x, y]) => [x! / 2, y!]), polygonlabels: ["x"] },
                },
              ],
            },
          ],
        },
      ]),
    ],
  ];
  test.each(rows)("%s", async (_, name, text) => {
    const { entries } = await readText(name, text);
    expect(boxOf(entries[0]!)).toEqual([10, 10, 50, 30]);
    expect(entries[0]).toMatchObject({
      instance: { truth: { kind: "polygon", polygon: [points.map(([x, y]) => ({ x, y }))] } },
    });
  });
});

describe("quirks of the real world", () => {
  const voc = (xmin: number, more = ""): string =>
    `<annotation>${more}<filename>a.png</filename><object><name>x</name><bndbox><xmin>${xmin}</xmin><ymin>5</ymin><xmax>50</xmax><ymax>60</ymax></bndbox></object></annotation>`;
  test.each([
    ["a corner at 0: from 0", voc(0), undefined, [0, 5, 50, 55]],
    ["a corner at 1 and none at 0: from 1", voc(1), undefined, [0, 4, 50, 56]],
    ["neither: from 0", voc(7), undefined, [7, 5, 43, 55]],
    ["the user says from 1", voc(7), "pixels-from-1", [6, 4, 44, 56]],
    ["the user says from 0", voc(1), "pixels", [1, 5, 49, 55]],
  ] as const)("Pascal VOC, %s", async (_, text, boxesAre, expected) => {
    const { entries } = await read(await folderOf({ "a.xml": text }), "a.xml", boxesAre);
    expect(boxOf(entries[0]!)).toEqual(expected);
  });

  test("counting from 1 is refused where the format counts from 0", async () => {
    const home = await folderOf({ "a.csv": "image,x,y,w,h\na.png,1,2,30,40\n" });
    const error = await errorOf(read(home, "a.csv", "pixels-from-1"));
    expect(error.message).toContain("--boxes-are pixels-from-1: expected only with Pascal VOC");
  });

  test.each([
    [
      "semicolons and a byte order mark",
      "\ufeffimage;xmin;ymin;xmax;ymax;label\na.png;10;20;60;60;car\n",
      [10, 20, 50, 40],
    ],
    [
      "Open Images: shares, an id for the image",
      "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/1,0.05,0.3,0.2,0.6\n",
      [10, 20, 50, 40],
    ],
    ["a list in one column", 'image_id,bbox\na,"[10.0, 20, 50, 40]"\n', [10, 20, 50, 40]],
    ["corner and size", "path,x,y,width,height\na.png,10,20,50,40\n", [10, 20, 50, 40]],
    ["Windows line ends, no line at the end", "image,x1,y1,x2,y2,class\r\na.png,10,20,60,60,car", [10, 20, 50, 40]],
  ])("CSV: %s", async (_, text, expected) => {
    const { entries } = await readText("t.csv", text);
    expect(boxOf(entries[0]!)).toEqual(expected);
  });

  test("YOLO: a confidence behind the box is its score; without names, classes have numbers", async () => {
    const { dataset, entries } = await readText("a.txt", "3 0.5 0.5 0.5 0.5 0.25\n");
    expect(entries[0]).toMatchObject({ instance: { categoryId: 3, raw: { score: 0.25 } } });
    expect(dataset.categories).toMatchObject([{ id: 3, name: "class 3" }]);
  });

  test("YOLO: data.yaml can be passed itself, with names as a list", async () => {
    const home = await folderOf({ "data.yaml": "names: [car, bus]\n", "labels/a.txt": "1 0.5 0.5 0.5 0.4\n" });
    const { dataset, entries } = await read(home, "data.yaml");
    expect(boxOf(entries[0]!)).toEqual([50, 30, 100, 40]);
    expect(dataset.categories).toMatchObject([
      { id: 0, name: "car" },
      { id: 1, name: "bus" },
    ]);
  });

  test.each([
    ["image", "label"],
    ["image_id", "category_name"],
  ])("lines of JSON may be one list (%s, %s)", async (image, label) => {
    const rows = ["a", "c"].map((name) => ({ [image]: name, [label]: "car", bbox: [10, 20, 50, 40], score: 0.5 }));
    const { dataset, entries } = await readText("t.json", JSON.stringify(rows));
    expect(dataset.categories).toMatchObject([{ name: "car" }]);
    expect(entries.map(boxOf)).toEqual([
      [10, 20, 50, 40],
      [10, 20, 50, 40],
    ]);
    const bad = await errorOf(readText("t.json", JSON.stringify([...rows, { bbox: [1, 2, 3, 4] }])));
    expect(bad.message).toContain("t.json, [2]: expected the name of an image");
  });

  test("Label Studio: a turned rectangle gives its bounding box and keeps its angle", async () => {
    const value = { x: 50, y: 10, width: 20, height: 40, rotation: 90, rectanglelabels: ["x"] };
    const result = [{ type: "rectanglelabels", original_width: 200, original_height: 100, value }];
    const tasks = JSON.stringify([{ data: { image: "a.png" }, annotations: [{ result }] }]);
    const { entries } = await readText("t.json", tasks);
    // 40 x 40 pixels at (100, 10), turned about that corner.
    expect(boxOf(entries[0]!)).toEqual([60, 10, 40, 40]);
    expect(entries[0]).toMatchObject({ instance: { raw: { attributes: { rotation: 90 } } } });
  });

  test("a file that is no label among labels costs one annotation", async () => {
    const home = await folderOf({ "l/a.txt": "0 0.5 0.5 0.2 0.2\n", "l/notes of today.txt": "call Bob\n" });
    const result = await read(home, "l");
    expect(remarks(result)).toContain("instance");
    expect(remarks(result)[1]).toContain('line 1: expected the number of a class first, received "call"');
  });

  test("an image that is not there fails by its own reason", async () => {
    const { entries } = await readText("zzz.txt", "0 0.5 0.5 0.2 0.2\n");
    expect(entries[0]).toMatchObject({ kind: "failed", failure: { reason: "image-missing" } });
  });
});

describe("wrong numbers and labels cost their own annotation, with file and place", () => {
  const csv = (row: string): [string, string] => [
    "t.csv",
    `image,xmin,ymin,xmax,ymax,label\na.png,${row}\nb.png,0,0,9,9,x\n`,
  ];
  test.each([
    [
      "swapped corners",
      ...csv("60,20,10,60,car"),
      "t.csv: line 2: expected xmin to be at most xmax, received 60 and 10",
    ],
    ["no number", ...csv("ten,20,10,60,car"), 't.csv: line 2: expected xmin to be a number, received "ten"'],
    ["NaN", ...csv("nan,20,10,60,car"), 'expected xmin to be a number, received "nan"'],
    ["too large", ...csv("1e999,20,10,60,car"), 'expected xmin to be a number, received "1e999"'],
    ["empty box", ...csv("10,20,10,60,car"), "expected a box width of at least 1 pixel, received 0"],
    ["no label", ...csv("10,20,20,60,"), "expected a label, received none"],
    ["YOLO in pixels", "a.txt", "0 100 50 20 20\n", "expected shares of the image's size (0 to 1), received 100"],
    ["YOLO, a column too few", "a.txt", "0 0.1 0.1 0.1\n0 0.5 0.5 0.1 0.1", "received 4 numbers"],
    [
      "KITTI, columns",
      "a.txt",
      `Car ${"1 ".repeat(14)}\nCar 1 2\n`,
      "a.txt: line 2: expected 15 columns, or 16 with a score, received 3",
    ],
    [
      "VOC without box",
      "a.xml",
      "<annotation><filename>a.png</filename><object><name>x</name></object></annotation>",
      "object[0] (line 1): expected xmin to be a number, received nothing",
    ],
    [
      "LabelMe, a circle",
      "a.json",
      JSON.stringify({
        shapes: [
          {
            label: "x",
            shape_type: "circle",
            points: [
              [1, 2],
              [3, 4],
            ],
          },
        ],
        imagePath: "a.png",
      }),
      'shapes[0]: expected a rectangle or a polygon, received "circle"',
    ],
    [
      "CVAT, points",
      "a.xml",
      '<annotations><image name="a.png"><polyline label="x" points="1,2;3,4"/></image></annotations>',
      "expected a box or a polygon, received a polyline",
    ],
  ])("%s", async (_, name, text, expected) => {
    expect(remarks(await readText(name, text)).join("\n")).toContain(expected);
  });
});

describe("what cannot be read at all is an error with its place", () => {
  const bomb = `<!DOCTYPE a [<!ENTITY b "${"x".repeat(100)}">]><annotation><filename>&b;</filename></annotation>`;
  test.each([
    ["entities", "a.xml", bomb, "expected XML without declarations, received a document type with declarations"],
    [
      "an entity that is not declared",
      "a.xml",
      "<annotation><filename>&b;</filename></annotation>",
      "line 1: expected XML, received undefined entity",
    ],
    [
      "elements without end",
      "a.xml",
      "<annotation>" + "<a>".repeat(100),
      "expected elements at most 64 levels deep, received deeper ones",
    ],
    ["half a document", "a.xml", "<annotations><image name='a.png'>", "expected XML, received unclosed tag: image"],
    ["another kind of XML", "a.xml", "<kml></kml>", "received <kml>"],
    [
      "quotes without end",
      "t.csv",
      'image,x,y,w,h\n"a.png,1,2,3,4\n',
      "expected a table in CSV, received Quote Not Closed",
    ],
    [
      "columns that say nothing",
      "t.csv",
      "a,b,c,d,e\n1,2,3,4,5\n",
      'expected columns for the image and its box (image,xmin,ymin,xmax,ymax or image,x,y,w,h), received "a", "b"',
    ],
    [
      "a table in UTF-16",
      "t.csv",
      Buffer.from("\ufeffimage,x,y,w,h\n", "utf16le"),
      "t.csv: expected text in UTF-8, received text in UTF-16",
    ],
    [
      "a table in Latin-1",
      "t.csv",
      Buffer.from("image,x,y,w,h\ncaf\xe9.png,1,2,3,4\n", "latin1"),
      "expected text in UTF-8",
    ],
    [
      "a line in Latin-1",
      "t.ndjson",
      Buffer.from('{"image": "caf\xe9.png"}\n', "latin1"),
      "t.ndjson, line 1: expected text in UTF-8",
    ],
    [
      "a line that is no object",
      "t.ndjson",
      '{"image": "a.png"}\n[1]\n',
      "t.ndjson, line 2: expected a JSON object, received a list of 1",
    ],
    ["a line without an image", "t.ndjson", '{"bbox": [1, 2, 3, 4]}\n', "line 1: expected the name of an image"],
    ["a line of many levels", "t.ndjson", `{"image": ${"[".repeat(100_000)}`, "line 1: expected a JSON object"],
  ])("%s", async (_, name, text, expected) => {
    const error = await errorOf(readText(name, text));
    expect(`${error.exitCode} ${error.message}`).toContain(expected);
    expect(error.exitCode).toBe(65);
  });

  test("aliases in YAML are not followed", async () => {
    const yaml = `a: &a [x, x, x]\nb: &b [*a, *a, *a]\nnames: [*b, *b, *b]\n`;
    const home = await folderOf({ "data.yaml": yaml, "a.txt": "0 0.5 0.5 0.1 0.1\n" });
    expect((await errorOf(read(home, "data.yaml"))).message).toContain("expected names");
  });

  test("a folder that mixes formats is refused, both named", async () => {
    const [voc, yolo] = [FORMS.find(({ name }) => name === "voc")!, FORMS.find(({ name }) => name === "yolo")!];
    const moved = Object.fromEntries(
      [...Object.entries(voc.files), ...Object.entries(yolo.files)].map(([name, text]) => [`all/${name}`, text]),
    );
    const error = await errorOf(read(await folderOf(moved), "all"));
    expect(error.message).toContain("expected files of one format, received 3 files of YOLO");
    expect(error.message).toContain("and 3 files of Pascal VOC");
  });

  test("a file that changes between opening and walking ends the walk", async () => {
    const form = FORMS.find(({ name }) => name === "yolo")!;
    const home = await folderOf(form.files);
    const dataset = await openDataset({
      images: join(home, "images"),
      boxes: join(home, "labels"),
      imageSize: readImageSize,
    });
    await writeFile(join(home, "labels/a.txt"), "0 0.5 0.5 0.1 0.1\n");
    expect((await errorOf(groupsOf(dataset))).message).toContain("expected the file to stay as it was");
    await dataset.close();
  });
});
