/** What files of the real world do: outlines in place of boxes, and what tools write differently. */
import { describe, expect, test } from "vitest";
import { errorOf } from "../temporary-folder.js";
import { folderOf } from "./forms.js";
import { boxOf, read, readText, remarks } from "./read-form.js";

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
    ["line ends of old Macs", "image,x1,y1,x2,y2,class\ra.png,10,20,60,60,car\r", [10, 20, 50, 40]],
    ["a line end within a name of a column", 'image,x1,y1,x2,y2,"a\r\nb"\na.png,10,20,60,60,c\n', [10, 20, 50, 40]],
  ])("CSV: %s", async (_, text, expected) => {
    const { entries } = await readText("t.csv", text);
    expect(boxOf(entries[0]!)).toEqual(expected);
  });

  test("CSV: a return within a quoted cell stays there, and columns of one name are all kept", async () => {
    const { entries } = await readText("t.csv", 'image,x,y,w,h,note,note\na.png,1,2,30,40,"one\rline",two\n');
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      instance: { raw: { attributes: { note: "one\rline", "note (column 7)": "two" } } },
    });
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
