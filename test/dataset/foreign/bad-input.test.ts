/** Wrong numbers cost their own annotation; what cannot be read at all is an error. Both say where. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readImageSize } from "../../../src/crop/open-image.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { errorOf } from "../temporary-folder.js";
import { folderOf, FORMS } from "./forms.js";
import { groupsOf, read, readText, remarks } from "./read-form.js";

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
    [
      "a cell too many, as an unquoted comma gives",
      ...csv("10,20,20,60,car, red"),
      "t.csv: line 2: expected 6 columns, as the first line names, received 7",
    ],
    [
      "Label Studio, a width below 0",
      "t.json",
      JSON.stringify([
        {
          data: { image: "a.png" },
          annotations: [
            {
              result: [
                {
                  type: "rectanglelabels",
                  original_width: 200,
                  original_height: 100,
                  value: { x: 50, y: 50, width: -20, height: 10, rectanglelabels: ["x"] },
                },
              ],
            },
          ],
        },
      ]),
      "task[0], result[0]: expected width and height of 0 or more, received -20 and 10",
    ],
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
    [
      "an attribute without end",
      "a.xml",
      `<annotations><image name='${"x".repeat(2 ** 24 + 2 ** 21)}`,
      "expected at most 16777216 characters in a tag, received more",
    ],
    [
      "a table with zeros",
      "t.csv",
      "image,x,y,w,h\na\0.png,1,2,3,4\n",
      "t.csv: expected text in UTF-8, received zeros, as binary files have them",
    ],
    ["another kind of XML", "a.xml", "<kml></kml>", "received <kml>"],
    [
      "quotes without end",
      "t.csv",
      'image,x,y,w,h\n"a.png,1,2,3,4\n',
      "expected a table in CSV, received Quote Not Closed",
    ],
    [
      "a header of 20,000 columns",
      "t.csv",
      `image,x,y,w,h${Array.from({ length: 20_000 }, (_, i) => `,a column that is named ${i}`).join("")}\n`,
      "t.csv, line 1: expected at most 1000 columns, received 20005",
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
