/**
 * YOLO text files, one per image: `class cx cy w h`, in shares of the image's size, with a confidence behind it in what
 * detectors write. A line of a class and three points or more is an outline (segments, and oriented boxes as four
 * points), with a confidence behind it where their number is odd: its bounding box is the box, and the outline is ground
 * truth. Names of the classes stand in `data.yaml` or `classes.txt`. Source: docs.ultralytics.com/datasets/detect,
 * /segment, /obb, and `save_conf` in /modes/predict.
 */
import { basename, join } from "node:path";
import { isMap, parseDocument } from "yaml";
import { count } from "../../count.js";
import { invalidData, reasonOf, receivedOf } from "../../errors.js";
import { ringBounds } from "../../geometry/ring.js";
import type { JsonObject } from "../../types.js";
import type { ForeignImage, ForeignObject, ForeignReader } from "./dataset.js";
import { readTextFile, stemOf, walkTextFiles } from "./text-file.js";
import { numberOf } from "./values.js";

/** Bytes of data.yaml: a thousand classes take 30 KB. */
const LARGEST_LIST = 1024 * 1024;
/** A line is one object; an outline of ten thousand points takes 200 KB. */
const LONGEST_LINE = 1024 * 1024;

/** Where a share may lie: outlines and boxes reach over the border a little. */
const [LOWEST, HIGHEST] = [-0.5, 1.5];

interface YoloSource {
  /** As the user gave it. */
  readonly boxes: string;
  readonly folder: string;
  /** Label files below the folder. */
  readonly names: readonly string[];
  /** `data.yaml` or `classes.txt`, where there is one. */
  readonly classList?: string;
}

/** @throws E_DATA for a list of classes that cannot be read */
export function openYolo({ boxes, folder, names, classList }: YoloSource): ForeignReader {
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

export function readYolo(text: string, name: string): Omit<ForeignImage, "sha256" | "path"> {
  const objects: ForeignObject[] = [];
  for (const [i, line] of text.split(/\r\n?|\n/u).entries()) {
    const trimmed = line.trim();
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
  const parts = line.split(/\s+/u);
  const [first, ...rest] = parts;
  const label = /^\d{1,9}$/u.test(first!)
    ? Number(first)
    : /^\d{1,9}\.0+$/u.test(first!)
      ? parseInt(first!, 10)
      : undefined;
  if (label === undefined) return problem(`expected the number of a class first, received ${receivedOf(first)}`);
  const numbers = rest.map(numberOf);
  const bad = numbers.indexOf(undefined);
  if (bad >= 0) return problem(`expected a number in column ${bad + 2}, received ${receivedOf(rest[bad])}`, label);
  const values = numbers as number[];
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

interface ClassList {
  readonly classes: ReadonlyMap<number, string>;
  readonly sha256: string;
}

function readClassList(path: string): ClassList {
  const { text, sha256 } = readTextFile(path, LARGEST_LIST);
  if (/\.ya?ml$/iu.test(path)) return { classes: namesOfYaml(text, path), sha256 };
  const names = text.split(/\r\n?|\n/u).map((line) => line.trim());
  while (names.at(-1) === "") names.pop();
  return { classes: new Map(names.entries()), sha256 };
}

/** Of lists and objects in data.yaml. */
const MOST_LEVELS = 16;

/**
 * At most this many levels a YAML text can have: its parser calls itself at every one. Indents, brackets, and the signs
 * that open a level of their own on a line are counted, in texts and comments as well.
 */
function deepestLevel(text: string): number {
  let deepest = 0;
  let brackets = 0;
  const indents: number[] = [];
  for (const line of text.split("\n")) {
    const start = /^[\s?:-]*/u.exec(line)![0];
    const own = start.replace(/\s/gu, "").length;
    const indent = line.length - line.trimStart().length;
    if (indent < line.length && line[indent] !== "#") {
      while (indents.length > 0 && indents.at(-1)! >= indent) indents.pop();
      indents.push(indent);
    }
    for (const sign of line) {
      if (sign === "[" || sign === "{") brackets++;
      else if (sign === "]" || sign === "}") brackets = Math.max(0, brackets - 1);
      deepest = Math.max(deepest, brackets + indents.length, own);
    }
  }
  return deepest;
}

/** `names` is a list, or a mapping from number to name. */
function namesOfYaml(text: string, path: string): ReadonlyMap<number, string> {
  const wrong = (received: string): Error =>
    invalidData(
      `${path}: expected names, a list of class names or a mapping from number to name, received ${received}`,
      "Write for example: names: [person, car]",
    );
  const deepest = deepestLevel(text);
  if (deepest > MOST_LEVELS) throw wrong(`more than ${MOST_LEVELS} levels of lists and objects`);
  const document = parseDocument(text, { strict: true, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) throw wrong(reasonOf(error).split("\n")[0]!.replace(/:$/u, ""));
  let value: unknown;
  try {
    // No aliases: a few lines of them stand for gigabytes.
    value = isMap(document.contents) ? document.toJS({ maxAliasCount: 0 }) : undefined;
  } catch (error) {
    throw wrong(reasonOf(error));
  }
  const names: unknown = (value as { names?: unknown } | undefined)?.names;
  if (typeof names !== "object" || names === null) throw wrong(receivedOf(names));
  const classes = new Map<number, string>();
  for (const [key, name] of Object.entries(names) as [string, unknown][]) {
    if (!/^\d{1,9}$/u.test(key)) throw wrong(`the key ${receivedOf(key)}`);
    // Names such as 7 and yes are numbers and words of YAML.
    if (!["string", "number", "boolean"].includes(typeof name))
      throw wrong(`${receivedOf(name)} as the name of class ${key}`);
    classes.set(Number(key), String(name));
  }
  return classes;
}

/** Text files that are no labels. */
const OTHER_TEXT =
  /^(?:classes|labels|readme.*|licen[cs]e.*|notes?|train|val|valid|test|trainval|requirements)\.txt$/iu;

/** Of all text files, those that may be labels. */
export function labelFiles(names: readonly string[]): string[] {
  return names.filter((name) => name.endsWith(".txt") && !OTHER_TEXT.test(basename(name)));
}

/** The list of classes beside labels: data.yaml at the top, in `classes.txt`, or a folder above. */
export function classListIn(names: readonly string[], folder: string): string | undefined {
  const found = names
    .filter((name) => /(?:^|\/)(?:data|dataset)\.ya?ml$|(?:^|\/)classes\.txt$/iu.test(name))
    .sort((a, b) => a.split("/").length - b.split("/").length || (a < b ? 1 : -1))[0];
  return found === undefined ? undefined : join(folder, found);
}
