/**
 * YOLO text files, one per image: `class cx cy w h`, in shares of the image's size, with a confidence behind it in what
 * detectors write. A line of a class and three points or more is an outline (segments, and oriented boxes as four
 * points), with a confidence behind it where their number is odd: its bounding box is the box, and the outline is ground
 * truth. Names of the classes stand in `data.yaml` or `classes.txt`. Source: docs.ultralytics.com/datasets/detect,
 * /segment, /obb, and `save_conf` in /modes/predict.
 */
import { dirname, extname } from "node:path";
import { count } from "../../count.js";
import { receivedOf } from "../../errors.js";
import { ringBounds } from "../../geometry/ring.js";
import type { JsonObject } from "../../types.js";
import type { ForeignImage, ForeignObject, ForeignReader } from "./dataset.js";
import { classListIn, labelFiles, listedLabels, readClassList } from "./data-yaml.js";
import type { FileInput, FileStart, FolderInput, ForeignFormat } from "./format.js";
import { firstRows, openAlone } from "./format.js";
import { stemOf, walkTextFiles } from "./text-file.js";
import { numberOf } from "./values.js";

/** A line is one object; an outline of ten thousand points takes 200 KB. */
const LONGEST_LINE = 1024 * 1024;

/** Where a share may lie: outlines and boxes reach over the border a little. */
const [LOWEST, HIGHEST] = [-0.5, 1.5];

export const YOLO: ForeignFormat = {
  title: "YOLO",
  // Of a text file nothing else is known: what is no row fails line by line.
  isFile: (start) => isYaml(start) || start.ending === ".txt",
  openFile: (input) =>
    isYaml({ ending: extname(input.options.boxes).toLowerCase() }) ? openList(input) : alone(input),
  folder: {
    ending: ".txt",
    isOne: ({ text }) => firstRows(text).some((row) => row.length >= 5 && row.every((part) => NUMBER.test(part))),
    boxFiles: labelFiles,
    isToldBySide: ({ all, folder }) => classListIn(all, folder) !== undefined,
    open: (input) => openYolo(input, classListIn(input.all, input.folder)),
  },
};

const alone = openAlone((input) => openYolo(input, classListIn(input.all, input.folder)));

const NUMBER = /^[+-]?[\d.]+(?:e[+-]?\d+)?$/iu;

/** Anything between columns but one blank. */
const OTHER_SPACE = /[^\S ]| {2}/u;

function isYaml({ ending }: Pick<FileStart, "ending">): boolean {
  return ending === ".yaml" || ending === ".yml";
}

/** data.yaml itself: the labels of its splits, or all beside and below it where it names none. */
async function openList({ file, options, below }: FileInput): Promise<ForeignReader> {
  const { boxes } = options;
  const folder = dirname(boxes);
  await file.close();
  const all = await below(folder);
  const { names, notes } = listedLabels(boxes, all);
  return { ...openYolo({ boxes, folder, names, all, options }, boxes), notes };
}

/** @param classList path of `data.yaml` or `classes.txt`. @throws E_DATA for one that cannot be read */
function openYolo({ boxes, folder, names }: FolderInput, classList: string | undefined): ForeignReader {
  const list = classList === undefined ? undefined : readClassList(classList);
  return {
    format: "yolo",
    source: boxes,
    isRelative: true,
    ...(list !== undefined && { classes: list.classes, identity: list.sha256 }),
    walk: () => walkTextFiles(folder, names, (text, _, name) => readYolo(text, name)),
    close: () => Promise.resolve(),
  };
}

function readYolo(text: string, name: string): Omit<ForeignImage, "sha256" | "path"> {
  const objects: ForeignObject[] = [];
  const lines = text.split(text.includes("\r") ? /\r\n?|\n/u : "\n");
  for (let i = 0; i < lines.length; i++) {
    const trimmed = lines[i]!.trim();
    if (trimmed !== "") objects.push(readLine(trimmed, `line ${i + 1}`));
  }
  return { name: { stem: stemOf(name) }, fields: {}, objects };
}

function readLine(line: string, at: string): ForeignObject {
  const problem = (message: string, label?: number): ForeignObject => ({
    at,
    label,
    fields: {},
    problem: { reason: "annotation-invalid", message },
  });
  if (line.length > LONGEST_LINE)
    return problem(`expected at most ${LONGEST_LINE} characters in a line, received ${line.length}`);
  const parts = line.split(OTHER_SPACE.test(line) ? /\s+/u : " ");
  const first = parts[0]!;
  const label = /^\d{1,9}$/u.test(first)
    ? Number(first)
    : /^\d{1,9}\.0+$/u.test(first)
      ? parseInt(first, 10)
      : undefined;
  if (label === undefined) return problem(`expected the number of a class first, received ${receivedOf(first)}`);
  const values: number[] = [];
  for (let i = 1; i < parts.length; i++) {
    const value = numberOf(parts[i]);
    if (value === undefined)
      return problem(`expected a number in column ${i + 1}, received ${receivedOf(parts[i])}`, label);
    values.push(value);
  }
  if (values.length < 4)
    return problem(
      `expected class, center and size (5 numbers, a sixth for the confidence) or a class and points, ` +
        `received ${count(parts.length, "number")}`,
      label,
    );
  const score = values.length % 2 === 1 ? values.pop() : undefined;
  const outside = values.find((value) => value < LOWEST || value > HIGHEST);
  if (outside !== undefined) return problem(`expected shares of the image's size (0 to 1), received ${outside}`, label);
  if (score !== undefined && (score < 0 || score > 1))
    return problem(`expected a confidence of 0 to 1 in the last column, received ${score}`, label);
  const fields = values.length === 4 ? boxFields(values) : outlineFields(values);
  return { at, label, fields: { ...fields, iscrowd: 0, ...(score !== undefined && { score }) } };
}

function boxFields([x, y, width, height]: readonly number[]): JsonObject {
  return { bbox: [x! - width! / 2, y! - height! / 2, width!, height!] };
}

function outlineFields(points: readonly number[]): JsonObject {
  const ring = Array.from({ length: points.length / 2 }, (_, i) => ({ x: points[2 * i]!, y: points[2 * i + 1]! }));
  const { left, top, width, height } = ringBounds(ring)!;
  return { bbox: [left, top, width, height], segmentation: [[...points]] };
}
