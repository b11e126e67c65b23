/**
 * Boxes of other tools: time and peak memory, a process per run. First a YOLO folder of many files, opened beside plain
 * reading of the same bytes; then every format at two sizes, of which ten times the boxes must not take twice the
 * memory.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { createRandom } from "../dist/random.js";
import { interleaved, limitRow, mebibytes, median, ratio, ratioRow, seconds } from "./harness.mjs";

/** Boxes of an image in the table of formats. */
const BOXES_PER_IMAGE = 5;
const [WIDTH, HEIGHT] = [640, 480];

export async function* measure({ quick, full }) {
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    yield await manyFiles(folder, quick ? 2000 : 100_000);
    yield await everyFormat(folder, quick ? [500, 5000] : full ? [10_000, 100_000, 1_000_000] : [10_000, 100_000]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A folder of YOLO labels with three boxes each. */
async function manyFiles(folder, files) {
  const boxes = writeFormat("yolo", join(folder, "many"), files * 3, 3);
  const runs = await interleaved(3, { open: () => run("open", boxes), plain: () => run("plain", boxes) });
  rmSync(join(folder, "many"), { recursive: true });
  const of = (way, field) => runs[way].map((one) => one[field]);
  for (const { images } of runs.open)
    if (images !== files) throw new Error(`expected ${files} images, received ${images}`);
  const row = (way, name) => [
    name,
    Math.round(files / median(of(way, "seconds"))),
    Math.round(files / median(of(way, "cpuSeconds"))),
    mebibytes(median(of(way, "peakMiB"))),
  ];
  return {
    name: "readers-yolo",
    title: `A YOLO folder of ${files} files with 3 boxes each`,
    columns: ["Way", "Files per second", "Files per second of processor time", "Peak memory, MiB"],
    rows: [row("open", "opened"), row("plain", "readFileSync and no more")],
    ratios: [
      ratioRow("seconds, opened / plain", ratio(of("open", "seconds"), of("plain", "seconds"))),
      ratioRow("processor time, opened / plain", ratio(of("open", "cpuSeconds"), of("plain", "cpuSeconds"))),
      ratioRow("peak memory, opened / plain", ratio(of("open", "peakMiB"), of("plain", "peakMiB"))),
    ],
    limits: [
      limitRow("opened", median(runs.open.map((one) => files / one.seconds)), "files/s", { atLeast: 10_000 }),
      limitRow("peak memory, opened", median(of("open", "peakMiB")), "MiB", { below: 300 }),
    ],
    notes: ["Opening finds, reads, checks and hashes every file. Files are in the system's cache."],
  };
}

async function everyFormat(folder, counts) {
  const rows = [];
  const ratios = [];
  for (const format of Object.keys(FORMATS)) {
    const places = counts.map((count) => writeFormat(format, join(folder, `${format}-${count}`), count));
    const variants = places.map((boxes, i) => [`${counts[i]} boxes`, () => run("walk", boxes)]);
    const runs = await interleaved(1, Object.fromEntries(variants), { warmUp: false });
    const of = (count, field) => runs[`${count} boxes`].map((one) => one[field]);
    for (const count of counts) {
      if (of(count, "annotations").some((found) => found !== count))
        throw new Error(`${format}: expected ${count} boxes, received ${of(count, "annotations")}`);
      rows.push([
        format,
        count,
        seconds(median(of(count, "seconds"))),
        seconds(median(of(count, "cpuSeconds"))),
        mebibytes(median(of(count, "peakMiB"))),
      ]);
    }
    const [least, most] = [counts[0], counts.at(-1)];
    const grown = ratio(of(most, "peakMiB"), of(least, "peakMiB"));
    ratios.push(ratioRow(`${format}: peak memory, ${most} / ${least}`, grown, { atMost: 2 }));
    for (const count of counts) rmSync(join(folder, `${format}-${count}`), { recursive: true });
  }
  return {
    name: "readers",
    title: `Boxes of other tools, ${BOXES_PER_IMAGE} on an image, opened and walked`,
    columns: ["Format", "Boxes", "Seconds", "Processor seconds", "Peak memory, MiB"],
    rows,
    ratios,
    notes: [
      "Every box is read twice: once to count and to hash, once for the walk. A process that reads nothing peaks at about 65 MiB.",
    ],
  };
}

async function run(way, boxes) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(import.meta.dirname, "open-boxes.mjs"),
    way,
    boxes,
  ]);
  return JSON.parse(stdout);
}

/** @returns what is passed as boxes: the folder, or the one file in it */
function writeFormat(format, folder, count, perImage = BOXES_PER_IMAGE) {
  const { file, image, ends = ["", ""] } = FORMATS[format];
  mkdirSync(folder, { recursive: true });
  const random = createRandom(format);
  const parts = [];
  for (let from = 0; from < count; from += perImage) {
    const boxes = Array.from({ length: Math.min(perImage, count - from) }, () => boxOf(random));
    const name = String(from / perImage).padStart(8, "0");
    if (file === undefined) writeFileSync(join(folder, name + FORMATS[format].ending), image(name, boxes));
    else parts.push(image(name, boxes));
  }
  if (file === undefined) return folder;
  const path = join(folder, file);
  writeFileSync(path, ends[0] + parts.join(ends[2] ?? "") + ends[1]);
  return path;
}

/** In whole pixels from 1, so that every format holds the same. */
function boxOf(random) {
  const [left, top] = [1 + random.integer(500), 1 + random.integer(350)];
  return {
    left,
    top,
    width: 10 + random.integer(100),
    height: 10 + random.integer(100),
    label: `thing ${random.integer(20)}`,
  };
}

const lines = (texts) => `${texts.join("\n")}\n`;
const percent = (value, side) => (100 * value) / side;

const FORMATS = {
  yolo: {
    ending: ".txt",
    image: (_, boxes) =>
      lines(
        boxes.map(({ left, top, width, height, label }) =>
          [
            label.slice(6),
            ...[(left + width / 2) / WIDTH, (top + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT].map((share) =>
              share.toFixed(6),
            ),
          ].join(" "),
        ),
      ),
  },
  voc: {
    ending: ".xml",
    image: (name, boxes) =>
      `<annotation><filename>${name}.jpg</filename><source><database>Unknown</database></source><size><width>${WIDTH}</width><height>${HEIGHT}</height><depth>3</depth></size>${boxes
        .map(
          ({ left, top, width, height, label }) =>
            `<object><name>${label}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult><bndbox><xmin>${left}</xmin><ymin>${top}</ymin><xmax>${left + width}</xmax><ymax>${top + height}</ymax></bndbox></object>`,
        )
        .join("\n")}</annotation>\n`,
  },
  kitti: {
    ending: ".txt",
    image: (_, boxes) =>
      lines(
        boxes.map(
          ({ left, top, width, height }) =>
            `Car 0.00 0 -1.57 ${left}.00 ${top}.00 ${left + width}.00 ${top + height}.00 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59`,
        ),
      ),
  },
  labelme: {
    ending: ".json",
    image: (name, boxes) =>
      JSON.stringify({
        version: "5.1.1",
        flags: {},
        shapes: boxes.map(({ left, top, width, height, label }) => ({
          label,
          points: [
            [left, top],
            [left + width, top + height],
          ],
          group_id: null,
          shape_type: "rectangle",
          flags: {},
        })),
        imagePath: `${name}.jpg`,
        imageData: null,
        imageHeight: HEIGHT,
        imageWidth: WIDTH,
      }),
  },
  cvat: {
    file: "annotations.xml",
    ends: ["<annotations>\n<version>1.1</version>\n", "</annotations>\n"],
    image: (name, boxes) =>
      `<image id="${Number(name)}" name="${name}.jpg" width="${WIDTH}" height="${HEIGHT}">\n${boxes
        .map(
          ({ left, top, width, height, label }) =>
            `<box label="${label}" source="manual" occluded="0" xtl="${left}.00" ytl="${top}.00" xbr="${left + width}.00" ybr="${top + height}.00" z_order="0"></box>\n`,
        )
        .join("")}</image>\n`,
  },
  "label-studio": {
    file: "tasks.json",
    ends: ["[", "]", ","],
    image: (name, boxes) =>
      JSON.stringify({
        id: 1 + Number(name),
        data: { image: `/data/local-files/?d=photos/${name}.jpg` },
        annotations: [
          {
            id: 1 + Number(name),
            result: boxes.map(({ left, top, width, height, label }, i) => ({
              id: `${name}-${i}`,
              type: "rectanglelabels",
              from_name: "label",
              to_name: "image",
              original_width: WIDTH,
              original_height: HEIGHT,
              image_rotation: 0,
              value: {
                x: percent(left, WIDTH),
                y: percent(top, HEIGHT),
                width: percent(width, WIDTH),
                height: percent(height, HEIGHT),
                rotation: 0,
                rectanglelabels: [label],
              },
            })),
          },
        ],
      }),
  },
  csv: {
    file: "boxes.csv",
    ends: ["image,xmin,ymin,xmax,ymax,label\n", ""],
    image: (name, boxes) =>
      lines(
        boxes.map(
          ({ left, top, width, height, label }) =>
            `${name}.jpg,${left},${top},${left + width},${top + height},${label}`,
        ),
      ),
  },
  ndjson: {
    file: "boxes.ndjson",
    image: (name, boxes) =>
      lines(
        boxes.map(({ left, top, width, height, label }) =>
          JSON.stringify({ image: `${name}.jpg`, bbox: [left, top, width, height], label, score: 0.5 }),
        ),
      ),
  },
};
