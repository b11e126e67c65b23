/** Three images with boxes in every format, and the same boxes as COCO has them. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

export interface Form {
  readonly name: string;
  /** Text by file name; the first one, or the folder where there are several, is what is passed. */
  readonly files: Readonly<Record<string, string>>;
  /** What is passed. */
  readonly boxes: string;
}

const WIDTH = 200,
  HEIGHT = 100;
/** image, label, [left, top, width, height] */
export const BOXES = [
  ["a.png", "car", [10, 20, 50, 40]],
  ["a.png", "red bus", [100.5, 10, 60, 75.25]],
  ["sub/b.png", "car", [1, 1, 30, 30]],
] as const;
/** The third image has no boxes. */
export const IMAGES = ["a.png", "sub/b.png", "c.png"] as const;
const LABELS = ["car", "red bus"];

type Row = readonly [label: string, box: readonly [number, number, number, number]];
const of = (image: string): Row[] => BOXES.filter(([name]) => name === image).map(([, label, box]) => [label, box]);
const stem = (name: string): string => name.replace(/\.png$/, "");
const perImage = (folder: string, ending: string, text: (image: string, rows: readonly Row[]) => string) =>
  Object.fromEntries(IMAGES.map((image) => [`${folder}/${stem(image)}.${ending}`, text(image, of(image))]));
const lines = (rows: readonly string[]): string => rows.map((row) => `${row}\n`).join("");

export const FORMS: readonly Form[] = [
  {
    name: "yolo",
    boxes: "labels",
    files: {
      "labels/data.yaml": `names:\n${lines(LABELS.map((label, i) => `  ${i}: ${label}`))}`,
      ...perImage("labels", "txt", (_, rows) =>
        lines(
          rows.map(([label, [x, y, w, h]]) =>
            [LABELS.indexOf(label), (x + w / 2) / WIDTH, (y + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT].join(" "),
          ),
        ),
      ),
    },
  },
  {
    name: "voc",
    boxes: "xml",
    files: perImage("xml", "xml", (image, rows) => {
      const objects = rows.map(
        ([label, [x, y, w, h]]) =>
          `<object><name>${label}</name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>` +
          `<bndbox><xmin>${x + 1}</xmin><ymin>${y + 1}</ymin><xmax>${x + w}</xmax><ymax>${y + h}</ymax></bndbox></object>`,
      );
      const source = "<source><database>The VOC2007 Database</database></source>";
      const size = `<size><width>${WIDTH}</width><height>${HEIGHT}</height><depth>3</depth></size>`;
      return `<annotation><filename>${image}</filename>${source}${size}${objects.join("\n")}</annotation>`;
    }),
  },
  {
    name: "kitti",
    boxes: "label_2",
    files: perImage("label_2", "txt", (_, rows) =>
      lines([
        ...rows.map(([label, [x, y, w, h]]) =>
          [label.replace(" ", "_"), "0.00 0 -1.57", x, y, x + w, y + h, "1.5 1.6 3.7 0.1 1.7 12.0 0.05"].join(" "),
        ),
        "DontCare -1 -1 -10 5 5 20 20 -1 -1 -1 -1000 -1000 -1000 -10",
      ]),
    ),
  },
  {
    name: "labelme",
    boxes: "json",
    files: perImage("json", "json", (image, rows) =>
      JSON.stringify({
        version: "5.4.1",
        flags: {},
        shapes: rows.map(([label, [x, y, w, h]]) => ({
          label,
          // Drawn from the lower right corner.
          points: [
            [x + w, y + h],
            [x, y],
          ],
          group_id: 7,
          shape_type: "rectangle",
          flags: { checked: true },
        })),
        imagePath: `..\\images\\${image.replace("/", "\\")}`,
        imageData: null,
        imageHeight: HEIGHT,
        imageWidth: WIDTH,
      }),
    ),
  },
  {
    name: "cvat",
    boxes: "cvat.xml",
    files: {
      "cvat.xml": `<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n${lines(
        IMAGES.map((image, i) => {
          const boxes = of(image).map(
            ([label, [x, y, w, h]]) =>
              `<box label="${label}" occluded="1" xtl="${x}" ytl="${y}" xbr="${x + w}" ybr="${y + h}" z_order="3">` +
              '<attribute name="color">red &amp; white</attribute></box>',
          );
          return `<image id="${i}" name="${image}" width="${WIDTH}" height="${HEIGHT}">${boxes.join("")}<tag label="day"></tag></image>`;
        }),
      )}</annotations>`,
    },
  },
  {
    name: "label-studio",
    boxes: "tasks.json",
    files: {
      "tasks.json": JSON.stringify(
        IMAGES.map((image, id) => ({
          id,
          data: { image: `/data/local-files/?d=${encodeURIComponent(image)}` },
          annotations: [
            {
              result: of(image).map(([label, [x, y, w, h]]) => ({
                type: "rectanglelabels",
                original_width: WIDTH,
                original_height: HEIGHT,
                value: {
                  x: (100 * x) / WIDTH,
                  y: (100 * y) / HEIGHT,
                  width: (100 * w) / WIDTH,
                  height: (100 * h) / HEIGHT,
                  rotation: 0,
                  rectanglelabels: [label],
                },
              })),
            },
          ],
        })),
      ),
    },
  },
  {
    name: "csv",
    boxes: "boxes.csv",
    files: {
      "boxes.csv": lines([
        "filename,width,height,class,xmin,ymin,xmax,ymax,note",
        // Not in the order of the images, one with quotes.
        ...[...BOXES]
          .reverse()
          .map(
            ([image, label, [x, y, w, h]]) =>
              `${image},${WIDTH},${HEIGHT},"${label}",${x},${y},${x + w},${y + h},"a ""b"", c"`,
          ),
        `c.png,${WIDTH},${HEIGHT},,,,,,`,
      ]),
    },
  },
  {
    name: "ndjson",
    boxes: "boxes.ndjson",
    files: {
      "boxes.ndjson": lines(
        BOXES.map(([image, label, bbox], i) => JSON.stringify({ image, bbox, label, score: 0.5, id: `d${i}` })),
      ),
    },
  },
];

/** A new folder with `images/` and these files. */
export async function folderOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const home = temporaryFolder();
  for (const name of IMAGES) {
    await mkdir(dirname(join(home, "images", name)), { recursive: true });
    await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: "#888" } }).toFile(
      join(home, "images", name),
    );
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), text);
  }
  return home;
}
