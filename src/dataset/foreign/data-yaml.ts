/**
 * What lies beside YOLO labels: `data.yaml` with the names of the classes and the lists of images for training, or
 * `classes.txt` with the names alone. A split (`train`, `val`, `test`) is a folder of images or a text file of their
 * paths, or a list of these; it starts at `path`, and `path` at the file. Labels lie where the last `images` of an
 * image's path is `labels`. Only what lies below the folder of data.yaml is followed. Source: docs.ultralytics.com/
 * datasets, "Dataset YAML format".
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Document, YAMLParseError } from "yaml";
import { isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { count } from "../../count.js";
import { invalidData, reasonOf, receivedOf } from "../../errors.js";
import { readTextFile } from "./text-file.js";

/** Bytes of data.yaml: a thousand classes take 30 KB. */
const LARGEST_LIST = 1024 * 1024;
/** Entries of one split. */
const MOST_PLACES = 100;
const SPLITS = ["train", "val", "test"] as const;

export interface ClassList {
  readonly classes: ReadonlyMap<number, string>;
  readonly sha256: string;
}

/** @throws E_DATA for a list that cannot be read */
export function readClassList(path: string): ClassList {
  const { text, sha256 } = readTextFile(path, LARGEST_LIST);
  if (/\.ya?ml$/iu.test(path)) return { classes: namesOf(fieldsOf(text, path), path), sha256 };
  const names = text.split(/\r\n?|\n/u).map((line) => line.trim());
  while (names.at(-1) === "") names.pop();
  return { classes: new Map(names.entries()), sha256 };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(text: string, path: string): Fields {
  const wrong = (received: string): Error =>
    invalidData(
      `${path}: expected names of classes in YAML, received ${received}`,
      "Write for example: names: [person, car]",
    );
  const deepest = deepestLevel(text);
  if (deepest > MOST_LEVELS) throw wrong(`more than ${MOST_LEVELS} levels of lists and objects`);
  const lines = new LineCounter();
  const document = parseYaml(text, lines);
  const fault = document.errors[0] ?? repeatedKey(document);
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw wrong(`${fault.message.split("\n")[0]!} at line ${line}, column ${col}`);
  }
  if (!isMap(document.contents)) throw wrong("no mapping");
  try {
    // No aliases: a few lines of them stand for gigabytes.
    return document.toJS({ maxAliasCount: 0 }) as Fields;
  } catch (error) {
    throw wrong(reasonOf(error));
  }
}

/**
 * A file of nothing but faults has as many as characters. The library would draw each of them with its line, which takes
 * the square of their number, and looks for a repeated key by comparing each with all others; V8 would note for each
 * where it was made. So none of the three is asked for.
 */
function parseYaml(text: string, lineCounter: LineCounter): Document.Parsed {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parseDocument(text, { strict: true, uniqueKeys: false, prettyErrors: false, lineCounter });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The first key that stands in its mapping a second time. */
function repeatedKey(document: Document.Parsed): Pick<YAMLParseError, "message" | "pos"> | undefined {
  let found: Pick<YAMLParseError, "message" | "pos"> | undefined;
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          found = { message: "Map keys must be unique", pos: [key.range?.[0] ?? 0, key.range?.[1] ?? 0] };
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return found;
}

/** Of lists and objects. */
const MOST_LEVELS = 16;

/**
 * At most this many levels a YAML text can have: its parser calls itself at every one, until the process ends. Indents,
 * brackets, and the signs that open a level of their own on a line are counted, in texts and comments as well.
 */
function deepestLevel(text: string): number {
  let deepest = 0;
  let brackets = 0;
  const indents: number[] = [];
  for (const line of text.split("\n")) {
    const own = /^[\s?:-]*/u.exec(line)![0].replace(/\s/gu, "").length;
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
function namesOf({ names }: Fields, path: string): ReadonlyMap<number, string> {
  const wrong = (received: string): Error =>
    invalidData(
      `${path}: expected names, a list of class names or a mapping from number to name, received ${received}`,
      "Write for example: names: [person, car]",
    );
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

export interface ListedLabels {
  readonly names: readonly string[];
  readonly notes: readonly string[];
}

/**
 * The label files that data.yaml stands for. Splits that are not there are named in a note, as data.yaml often says more
 * than was fetched; where none is there, that is an error.
 * @param path of data.yaml
 * @param all  files below its folder, relative
 * @throws E_DATA where a path leads out of the folder, or no label file is found
 */
export function listedLabels(path: string, all: readonly string[]): ListedLabels {
  const fields = fieldsOf(readTextFile(path, LARGEST_LIST).text, path);
  const labels = labelFiles(all);
  const places = SPLITS.flatMap((split) => placesOf(fields[split], split, path));
  if (places.length === 0) {
    if (labels.length > 0) return { names: labels, notes: [] };
    throw invalidData(
      `${path}: expected YOLO label files (*.txt) beside or below it, received none`,
      "Pass the data.yaml of the folder that holds labels/.",
    );
  }
  const tree = new Tree(path, startOf(fields["path"], path), all);
  const wanted = new Set<string>();
  const missing: string[] = [];
  for (const place of places) {
    const found = tree.labelsOf(place, labels);
    if (found === undefined) missing.push(`${place.split} (${receivedOf(place.text)})`);
    for (const name of found ?? []) wanted.add(name);
  }
  if (wanted.size === 0)
    throw invalidData(
      `${path}: expected label files for ${places.map(({ split, text }) => `${split} (${receivedOf(text)})`).join(", ")}, received none`,
      "Correct the paths, or pass the folder of the labels instead: then all label files in it are read.",
    );
  const notes =
    missing.length > 0
      ? [`${path}: ${count(missing.length, "path")} not there, passed over: ${missing.join(", ")}`]
      : [];
  return { names: labels.filter((name) => wanted.has(name)), notes };
}

/** A folder or a list that a split names. */
interface Place {
  readonly split: (typeof SPLITS)[number];
  readonly text: string;
}

function placesOf(value: unknown, split: Place["split"], path: string): Place[] {
  if (value === undefined || value === null || value === "") return [];
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  const bad = texts.find((text) => typeof text !== "string");
  if (texts.length <= MOST_PLACES && bad === undefined) return (texts as string[]).map((text) => ({ split, text }));
  const received = bad === undefined ? count(texts.length, "path") : receivedOf(bad);
  throw invalidData(
    `${path}: expected ${split} to be a path or a list of at most ${MOST_PLACES}, received ${received}`,
    "Write for example: train: images/train",
  );
}

function startOf(value: unknown, path: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  throw invalidData(`${path}: expected path to be a text, received ${receivedOf(value)}`, "Write for example: path: .");
}

/** The files below data.yaml's folder, as its paths name them. Nothing is looked for on the disk. */
class Tree {
  private readonly folder: string;
  private readonly files: ReadonlySet<string>;

  constructor(
    private readonly path: string,
    private readonly start: string,
    all: readonly string[],
  ) {
    this.folder = dirname(resolve(path));
    this.files = new Set(all);
  }

  /** @returns undefined where there is no such folder or list */
  labelsOf({ split, text }: Place, labels: readonly string[]): readonly string[] | undefined {
    // Roboflow writes ../train/images for what lies beside data.yaml.
    const isBeside = this.start === "" && /^\.\.\/[^.]/u.test(text);
    const place = this.inside([this.start, isBeside ? text.slice(3) : text], split);
    if (this.files.has(place) && /\.(?:txt|lst|list)$/iu.test(place)) return this.labelsOfList(place);
    const folder = labelPath(place === "" ? "" : `${place}/`);
    const found = labels.filter((name) => name.startsWith(folder));
    return found.length > 0 || [...this.files].some((name) => place === "" || name.startsWith(`${place}/`))
      ? found
      : undefined;
  }

  private labelsOfList(list: string): readonly string[] {
    const path = join(dirname(this.path), list);
    return readTextFile(path)
      .text.split(/\r\n?|\n/u)
      .flatMap((line, i) => {
        const text = line.trim();
        if (text === "") return [];
        // A path that begins with "./" starts at the list, others at `path`.
        const start = text.startsWith("./") ? dirname(list) : this.start;
        const image = this.inside([start, text], `line ${i + 1} of ${list}`);
        return [labelPath(image).replace(/\.[^./]+$/u, ".txt")].filter((name) => this.files.has(name));
      });
  }

  /** @returns relative to data.yaml's folder, "/" between parts; "" for the folder itself */
  private inside(parts: readonly string[], what: string): string {
    const plain = parts.map((part) => part.replaceAll("\\", "/"));
    const found = below(this.folder, resolve(this.folder, ...plain));
    if (found !== undefined) return found;
    throw invalidData(
      `${this.path}: expected ${what} to lie below the folder of the file, received ${receivedOf(plain.filter((part) => part !== "").join("/"))}`,
      "Pass the folder of the labels instead: then all label files in it are read.",
    );
  }
}

/** @returns undefined where the path leads out of the folder */
function below(folder: string, path: string): string | undefined {
  for (const base of new Set([folder, realpathSync(folder)])) {
    const found = relative(base, path).replaceAll(sep, "/");
    if (found !== ".." && !found.startsWith("../") && resolve(base, found) === path) return found;
  }
  return undefined;
}

/** "images/train/a.jpg" -> "labels/train/a.jpg"; without such a folder labels lie beside the images. */
function labelPath(path: string): string {
  const parts = path.split("/");
  const at = parts.lastIndexOf("images");
  return (at < 0 ? parts : parts.with(at, "labels")).join("/");
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
