/**
 * Which format of another tool a file or folder is in, by what it holds, and its reader. JSON of COCO and Cityscapes is
 * told apart in open-dataset.ts.
 */
import { basename, dirname, extname, join } from "node:path";
import { count } from "../../count.js";
import { invalidData, receivedOf, usageError } from "../../errors.js";
import { recognize } from "../../files/recognize.js";
import type { OpenDatasetOptions } from "../dataset.js";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { openByteFile } from "../json/byte-file.js";
import { walkJson } from "../json/elements.js";
import { openCsv } from "./csv.js";
import { openCvat } from "./cvat.js";
import type { ForeignReader } from "./dataset.js";
import { readKitti } from "./kitti.js";
import { openLabelStudio } from "./label-studio.js";
import { readLabelMe } from "./labelme.js";
import { openNdjson } from "./ndjson.js";
import type { ReadText } from "./text-file.js";
import { walkTextFiles } from "./text-file.js";
import { openVoc } from "./voc.js";
import { classListIn, labelFiles, openYolo } from "./yolo.js";

/** Bytes that decide about a file. */
const PEEKED_BYTES = 16 * 1024;

/** Files with contents that are looked into, evenly over a folder, before it is decided what it holds. */
const MOST_PEEKED = 100;
/** Files that are looked into to find these: images without objects have empty files. */
const MOST_OPENED = 2000;
/** Rows of a file that are looked at: one that is damaged does not say what the others are. */
const MOST_ROWS = 20;

/**
 * @param names of the files beside and below the file's folder; asked for only where a list of classes was given
 * @returns undefined for JSON, which is left to the caller
 */
export async function openForeignFile(
  file: ByteFile,
  options: OpenDatasetOptions,
  names: (folder: string) => Promise<readonly string[]>,
): Promise<ForeignReader | undefined> {
  const start = await peek(file);
  const { boxes } = options;
  const [folder, name] = [dirname(boxes), basename(boxes)];
  const ending = extname(boxes).toLowerCase();
  const text = start.replace(/^\ufeff/u, "").trimStart();
  if (ending !== ".txt" && ending !== ".xml" && /^(?:\{|\[)/u.test(text) && !isLines(text, ending)) return undefined;
  if (isLines(text, ending)) return openNdjson(file);
  if (ending === ".yaml" || ending === ".yml") {
    await file.close();
    const labels = labelFiles(await names(folder));
    if (labels.length === 0)
      throw invalidData(
        `${boxes}: expected YOLO label files (*.txt) beside or below it, received none`,
        "Pass the data.yaml of the folder that holds labels/.",
      );
    return openYolo({ boxes, folder, names: labels, classList: boxes });
  }
  const root = rootOf(text);
  if (root === "annotations") return openCvat(file);
  if (root === "annotation") {
    await file.close();
    return openVoc({ boxes, folder, names: [name], ...firstPixelOf(options) });
  }
  if (root !== undefined)
    throw invalidData(
      `${boxes}: expected XML of Pascal VOC (<annotation>) or CVAT for images (<annotations>), received <${root}>`,
      "Export the boxes in one of these formats, or pass another file.",
    );
  if (isTable(start, ending)) return openCsv(file);
  if (ending !== ".txt") return undefined;
  // What is no row of KITTI fails line by line.
  const kind = kindOfRows(text) ?? "yolo";
  await file.close();
  return kind === "yolo"
    ? openYolo({ boxes, folder, names: [name], ...classListBeside(await names(folder), folder) })
    : perImage("kitti", boxes, { folder, names: [name], read: readKitti });
}

/** @param names files below the folder, in a fixed order */
export async function openForeignFolder(
  names: readonly string[],
  options: OpenDatasetOptions,
): Promise<ForeignReader | undefined> {
  const folder = options.boxes;
  const kinds = await kindsIn(names, folder);
  if (kinds.size === 0) return undefined;
  if (kinds.size > 1) {
    const received = [...kinds].map(
      ([kind, files]) => `${count(files.length, "file")} of ${TITLES[kind]} (${receivedOf(files[0])})`,
    );
    throw invalidData(
      `${folder}: expected files of one format, received ${received.join(" and ")}`,
      "Pass the folder of one of them.",
    );
  }
  const [[kind, files]] = [...kinds] as [[Kind, readonly string[]]];
  const source = { boxes: folder, folder, names: files };
  switch (kind) {
    case "yolo":
      return openYolo({ ...source, ...classListBeside(names, folder) });
    case "voc":
      return openVoc({ ...source, ...firstPixelOf(options) });
    case "kitti":
      return perImage("kitti", folder, { folder, names: files, read: readKitti });
    case "labelme":
      return perImage("labelme", folder, { folder, names: files, read: readLabelMe });
    case "cvat": {
      const [only, ...others] = files;
      if (others.length > 0)
        throw invalidData(
          `${folder}: expected one CVAT file, received ${files.length} (${files.slice(0, 3).map(receivedOf).join(", ")})`,
          "Pass one of the files by its own name.",
        );
      return openCvat(await openByteFile(join(folder, only!), "box file"));
    }
    case "coco": // Read by its own name alone.
      return undefined;
  }
}

/** For a JSON object with `shapes`: one file of LabelMe. */
export function openLabelMeFile(boxes: string): ForeignReader {
  const source = { folder: dirname(boxes), names: [basename(boxes)], read: readLabelMe };
  return perImage("labelme", boxes, source);
}

/** @returns undefined where the elements of the list are no tasks */
export async function openTasks(file: ByteFile): Promise<ForeignReader | undefined> {
  const tasks: ByteRange[] = [];
  const seen = { other: false };
  await walkJson(file, {
    root: {
      fields: ["data", "annotations", "predictions"],
      element({ offset, length, fields }) {
        if (!fields.has(0) || !(fields.has(1) || fields.has(2))) seen.other = true;
        tasks.push({ offset, length });
      },
    },
  });
  return seen.other || tasks.length === 0 ? undefined : openLabelStudio(file, tasks);
}

type Kind = "yolo" | "voc" | "kitti" | "labelme" | "cvat" | "coco";

const TITLES: Readonly<Record<Kind, string>> = {
  yolo: "YOLO",
  voc: "Pascal VOC",
  kitti: "KITTI",
  labelme: "LabelMe",
  cvat: "CVAT",
  coco: "COCO",
};

/** Each kind that was seen, with its files. */
async function kindsIn(names: readonly string[], folder: string): Promise<Map<Kind, readonly string[]>> {
  const kinds = new Map<Kind, readonly string[]>();
  const ending = (pattern: RegExp): string[] => names.filter((name) => pattern.test(name));
  for (const [files, kindOf] of [
    [labelFiles(names), kindOfRows],
    [ending(/\.xml$/iu), kindOfXml],
    [ending(/\.json$/iu), kindOfJson],
  ] as const) {
    const { seen, others } = await lookInto(files, folder, kindOf);
    // Where all that was looked into is of one kind the rest is taken for it; what is not fails by itself.
    for (const [kind, some] of seen) kinds.set(kind, seen.size === 1 && kindOf !== kindOfJson ? files : some);
    if (seen.has("labelme"))
      kinds.set(
        "labelme",
        files.filter((name) => !others.has(name)),
      );
  }
  // Labels without a row in a readable file: images without objects, or damage that is listed line by line.
  if (kinds.size === 0 && labelFiles(names).length > 0 && classListIn(names, folder) !== undefined)
    kinds.set("yolo", labelFiles(names));
  return kinds;
}

/** @returns files by their kind, and those that are of another kind than LabelMe or of none */
async function lookInto(
  files: readonly string[],
  folder: string,
  kindOf: (text: string) => Kind | undefined,
): Promise<{ readonly seen: ReadonlyMap<Kind, readonly string[]>; readonly others: ReadonlySet<string> }> {
  const seen = new Map<Kind, string[]>();
  const others = new Set<string>();
  let peeked = 0;
  for (const name of spread(files).slice(0, MOST_OPENED)) {
    const text = await peekAt(join(folder, name));
    if (text.trim() === "") continue;
    const kind = kindOf(text);
    if (kind !== undefined) seen.set(kind, [...(seen.get(kind) ?? []), name]);
    if (kind !== "labelme") others.add(name);
    if (++peeked === MOST_PEEKED) break;
  }
  return { seen, others };
}

/** All of a list in an order whose first part comes from everywhere in it, in step with no pattern. */
function spread<T>(list: readonly T[]): readonly T[] {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let step = Math.max(1, Math.round(list.length * 0.618));
  while (divisor(step, list.length) > 1) step++;
  return list.map((_, i) => list[(i * step) % list.length]!);
}

function kindOfRows(text: string): "yolo" | "kitti" | undefined {
  const rows = text.split(/\r\n?|\n/u, MOST_ROWS).map((row) => row.trim().split(/\s+/u));
  for (const row of rows) {
    if (/^[A-Za-z_]+$/u.test(row[0]!) && (row.length === 15 || row.length === 16)) return "kitti";
    if (row.length >= 5 && row.every((part) => /^[+-]?[\d.]+(?:e[+-]?\d+)?$/iu.test(part))) return "yolo";
  }
  return undefined;
}

function kindOfXml(text: string): "voc" | "cvat" | undefined {
  const root = rootOf(text);
  return root === "annotation" ? "voc" : root === "annotations" ? "cvat" : undefined;
}

function kindOfJson(text: string): "labelme" | "coco" | undefined {
  if (!/^\s*\{/u.test(text)) return undefined;
  if (/"shapes"\s*:/u.test(text)) return "labelme";
  return /"(?:images|annotations|categories)"\s*:\s*\[/u.test(text) ? "coco" : undefined;
}

/** Name of the first element. */
function rootOf(text: string): string | undefined {
  if (!text.trimStart().startsWith("<")) return undefined;
  return /<([A-Za-z_][\w.-]{0,60})[\s>/]/u.exec(text.replace(/<!--[^]*?-->/gu, ""))?.[1];
}

function isLines(text: string, ending: string): boolean {
  if (ending === ".ndjson" || ending === ".jsonl") return true;
  return recognize(Buffer.from(text))?.what === "one JSON object per line";
}

function isTable(start: string, ending: string): boolean {
  if (ending === ".csv" || ending === ".tsv") return true;
  const what = recognize(Buffer.from(start))?.what;
  return what === "a CSV file" || what === "a TSV file";
}

async function peek(file: ByteFile): Promise<string> {
  const bytes = Buffer.alloc(Math.min(PEEKED_BYTES, file.size));
  const read = await file.read(bytes, 0);
  return bytes.toString("utf8", 0, read);
}

async function peekAt(path: string): Promise<string> {
  const file = await openByteFile(path, "box file");
  try {
    return await peek(file);
  } finally {
    await file.close();
  }
}

function classListBeside(names: readonly string[], folder: string): { readonly classList?: string } {
  const classList = classListIn(names, folder);
  return classList === undefined ? {} : { classList };
}

function firstPixelOf({ boxesAre }: OpenDatasetOptions): { readonly firstPixel?: 0 | 1 } {
  if (boxesAre === "pixels-from-1") return { firstPixel: 1 };
  return boxesAre === undefined ? {} : { firstPixel: 0 };
}

function perImage(
  format: "kitti" | "labelme",
  source: string,
  { folder, names, read }: { readonly folder: string; readonly names: readonly string[]; readonly read: ReadText },
): ForeignReader {
  return {
    format,
    source,
    isRelative: false,
    walk: () => walkTextFiles(folder, names, read),
    close: () => Promise.resolve(),
  };
}

/** @throws E_USAGE where pixels are counted from 1 and the format counts them from 0 */
export function refuseFromOne({ boxesAre, boxes }: OpenDatasetOptions, format: string): void {
  if (boxesAre !== "pixels-from-1" || format === "voc") return;
  throw usageError(
    `--boxes-are pixels-from-1: expected only with Pascal VOC, received together with ${boxes}`,
    "Leave --boxes-are out.",
  );
}
