/** Names of images that tools, cameras and people write, in every format of other tools: each finds its one file. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import type { Read } from "./read-form.js";
import { read, remarks } from "./read-form.js";

const SIZE = { width: 200, height: 100 };
const BOX = { xmin: 10, ymin: 20, xmax: 60, ymax: 60 };

/** Where the image lies below the folder of images, and how the box file names it. */
interface Named {
  readonly disk: string;
  readonly named: string;
}
const same = (name: string): Named => ({ disk: name, named: name });

const UNUSUAL: readonly Named[] = [
  { disk: "caf\u00e9.png", named: "cafe\u0301.png" },
  { disk: "o\u0308l.png", named: "\u00f6l.png" },
  { disk: "day one/deep.png", named: "day one/deep.png" },
  same(`${"long".repeat(50)}.png`),
  same("[a]*{b,c}!(d).png"),
  same("=1+1, \"two\"; 'three'.png"),
  same("a&b<c>.png"),
  same("100%41 #? +.png"),
  same("\u202egpj.png"),
  same("__proto__.png"),
  same("a.b.c.png"),
  same("\u{1f4a5}.png"),
];
const WITH_BACKSLASH: Named = { disk: "sub/below.png", named: "sub\\below.png" };
const WITH_CONTROLS = ["tab\there.png", "\u001b[31mred\u0007.png", "line\nbreak.png"].map(same);
/** Nothing of these may be opened. */
const OUTSIDE = ["../outside.png", "..\\outside.png", "/etc/passwd", "C:\\outside.png", "a/../../outside.png"];

const stem = (name: string): string => name.replace(/\.png$/u, "");
const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
const csvCell = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** The files of a format with one box in every image. `takes`: which names can stand in it. */
const FORMATS: Readonly<
  Record<
    string,
    {
      readonly takes: "names of files" | "text of XML" | "any text";
      readonly boxes: string;
      readonly files: (names: readonly string[]) => Readonly<Record<string, string>>;
    }
  >
> = {
  yolo: {
    takes: "names of files",
    boxes: "labels",
    files: (names) => Object.fromEntries(names.map((name) => [`labels/${stem(name)}.txt`, "0 0.5 0.5 0.25 0.4\n"])),
  },
  kitti: {
    takes: "names of files",
    boxes: "label_2",
    files: (names) =>
      Object.fromEntries(
        names.map((name) => [`label_2/${stem(name)}.txt`, "Car 0 0 0 10 20 60 60 1.5 1.6 3.7 0.1 1.7 12.0 0.05\n"]),
      ),
  },
  voc: {
    takes: "text of XML",
    boxes: "xml",
    files: (names) =>
      Object.fromEntries(
        names.map((name, i) => [
          `xml/${i}.xml`,
          `<annotation><filename>${escapeXml(name)}</filename><object><name>car</name><bndbox>${Object.entries(BOX)
            .map(([side, value]) => `<${side}>${value}</${side}>`)
            .join("")}</bndbox></object></annotation>`,
        ]),
      ),
  },
  cvat: {
    takes: "text of XML",
    boxes: "cvat.xml",
    files: (names) => ({
      "cvat.xml": `<annotations>${names
        .map(
          (name, i) =>
            `<image id="${i}" name="${escapeXml(name)}" width="200" height="100">` +
            '<box label="car" xtl="10" ytl="20" xbr="60" ybr="60"></box></image>',
        )
        .join("")}</annotations>`,
    }),
  },
  labelme: {
    takes: "any text",
    boxes: "json",
    files: (names) =>
      Object.fromEntries(
        names.map((imagePath, i) => [
          `json/${i}.json`,
          JSON.stringify({
            shapes: [
              {
                label: "car",
                points: [
                  [10, 20],
                  [60, 60],
                ],
                shape_type: "rectangle",
              },
            ],
            imagePath,
          }),
        ]),
      ),
  },
  "label-studio": {
    takes: "any text",
    boxes: "tasks.json",
    files: (names) => ({
      "tasks.json": JSON.stringify(
        names.map((name, id) => ({
          id,
          data: { image: `/data/local-files/?d=${encodeURIComponent(name)}` },
          annotations: [
            {
              result: [
                {
                  type: "rectanglelabels",
                  original_width: SIZE.width,
                  original_height: SIZE.height,
                  value: { x: 5, y: 20, width: 25, height: 40, rotation: 0, rectanglelabels: ["car"] },
                },
              ],
            },
          ],
        })),
      ),
    }),
  },
  csv: {
    takes: "any text",
    boxes: "boxes.csv",
    files: (names) => ({
      "boxes.csv": `image,xmin,ymin,xmax,ymax,label\n${names.map((name) => `${csvCell(name)},10,20,60,60,car\n`).join("")}`,
    }),
  },
  ndjson: {
    takes: "any text",
    boxes: "boxes.ndjson",
    files: (names) => ({
      "boxes.ndjson": names
        .map((image) => `${JSON.stringify({ image, bbox: [10, 20, 50, 40], label: "car" })}\n`)
        .join(""),
    }),
  },
};

async function homeOf(images: readonly string[], files: Readonly<Record<string, string>>): Promise<string> {
  const home = temporaryFolder();
  const picture = await sharp({ create: { ...SIZE, channels: 3, background: "#888" } })
    .png()
    .toBuffer();
  const contents = [...images.map((name) => [join("images", name), picture] as const), ...Object.entries(files)];
  for (const [name, content] of contents) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), content);
  }
  return home;
}

test.skipIf(process.platform !== "linux").each(Object.keys(FORMATS))(
  "%s: every name finds its file, whatever it holds",
  async (format) => {
    const { takes, boxes, files } = FORMATS[format]!;
    const all = [
      ...UNUSUAL,
      ...(takes === "names of files" ? [] : [WITH_BACKSLASH]),
      ...(takes === "text of XML" ? [] : WITH_CONTROLS),
    ];
    const home = await homeOf(
      all.map(({ disk }) => disk),
      files(all.map(({ named }) => named)),
    );
    const found = await read(home, boxes);
    expect(remarks(found)).toEqual(all.map(() => "instance"));
    expect(pathsOf(found).sort()).toEqual(all.map(({ disk }) => join(home, "images", disk)).sort());
  },
);

test.each(Object.keys(FORMATS).filter((format) => FORMATS[format]!.takes !== "names of files"))(
  "%s: a name that leads out of the folder of images opens nothing, and its box fails",
  async (format) => {
    const { boxes, files } = FORMATS[format]!;
    const home = await homeOf(["a.png"], files([...OUTSIDE, "a.png"]));
    await copyFile(join(home, "images", "a.png"), join(home, "outside.png"));
    const found = await read(home, boxes);
    expect(remarks(found)).toHaveLength(OUTSIDE.length + 1);
    expect(pathsOf(found)).toEqual([join(home, "images", "a.png")]);
  },
);

function pathsOf({ groups }: Read): string[] {
  return groups.flatMap(({ location }) => (location.kind === "file" ? location.path : []));
}
