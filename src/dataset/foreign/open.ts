/**
 * Which format of another tool a file or folder is in, by what it holds: each format is asked. JSON of COCO and
 * Cityscapes is told apart in open-dataset.ts.
 */
import { join } from "node:path";
import { count } from "../../count.js";
import { invalidData, receivedOf } from "../../errors.js";
import { recognize } from "../../files/recognize.js";
import type { OpenDatasetOptions } from "../dataset.js";
import type { ByteFile } from "../json/byte-file.js";
import { openByteFile } from "../json/byte-file.js";
import { CSV } from "./csv.js";
import { CVAT } from "./cvat.js";
import type { ForeignReader } from "./dataset.js";
import type { FileInput, FileStart, FolderForm, FolderInput, ForeignFormat, JsonTop } from "./format.js";
import { PEEKED_BYTES, startOf } from "./format.js";
import { KITTI } from "./kitti.js";
import { LABEL_STUDIO } from "./label-studio.js";
import { LABELME } from "./labelme.js";
import { NDJSON, isLines } from "./ndjson.js";
import { VOC } from "./voc.js";
import { YOLO } from "./yolo.js";

/**
 * Every format of other tools that is read. A new one is a file with a `ForeignFormat` (foreign/format.ts) and a place
 * here. They are asked in this order: a format that is told by little stands behind those that are told by more.
 */
const FOREIGN_FORMATS: readonly ForeignFormat[] = [NDJSON, CVAT, VOC, LABELME, LABEL_STUDIO, CSV, KITTI, YOLO];

/** Files with contents that are looked into, evenly over a folder, before it is decided what it holds. */
const MOST_PEEKED = 100;
/** Files that are looked into to find these: images without objects have empty files. */
const MOST_OPENED = 2000;

/** Endings of files that are no JSON, whatever they begin with. */
const NO_JSON: ReadonlySet<string> = new Set([".txt", ".xml", ".yaml", ".yml"]);

/** @returns undefined for JSON and for what no format takes, which are left to the caller */
export async function openForeignFile(input: FileInput): Promise<ForeignReader | undefined> {
  const { boxes } = input.options;
  const start = startOf(await peek(input.file), boxes);
  const { text, ending, root } = start;
  if (!NO_JSON.has(ending) && /^[{[]/u.test(text) && !isLines(start)) return undefined;
  const format = FOREIGN_FORMATS.find(({ isFile }) => isFile?.(start) === true);
  if (format !== undefined) return format.openFile(input);
  if (root === undefined && ending !== ".xml") return undefined;
  const received = root === undefined ? (recognize(await firstBytes(input.file))?.what ?? "no element") : `<${root}>`;
  throw invalidData(
    `${boxes}: expected XML of Pascal VOC (<annotation>) or CVAT for images (<annotations>), received ${received}`,
    "Export the boxes in one of these formats as UTF-8, or pass another file.",
  );
}

/** @returns undefined where the file is not JSON of another tool */
export async function openForeignJson(input: FileInput, top: JsonTop): Promise<ForeignReader | undefined> {
  for (const { isJson, openFile } of FOREIGN_FORMATS) {
    const reader = isJson?.(top) === true ? await openFile(input) : undefined;
    if (reader !== undefined) return reader;
  }
  return undefined;
}

/** @param all files below the folder, in a fixed order */
export async function openForeignFolder(
  all: readonly string[],
  options: OpenDatasetOptions,
): Promise<ForeignReader | undefined> {
  const folder = options.boxes;
  const found = await formatsIn({ boxes: folder, folder, all, options });
  if (found.length > 1) {
    const received = found.map(
      ({ title, names }) => `${count(names.length, "file")} of ${title} (${receivedOf(names[0])})`,
    );
    throw invalidData(
      `${folder}: expected files of one format, received ${received.join(" and ")}`,
      "Pass the folder of one of them.",
    );
  }
  const [only] = found;
  return only?.form?.open({ boxes: folder, folder, names: only.names, all, options });
}

interface Found {
  readonly title: string;
  readonly names: readonly string[];
  /** Absent for COCO, which is read by its own name alone. */
  readonly form?: FolderForm;
}

/** A format that its files are asked for. */
type Asked = Omit<ForeignFormat, "folder" | "openFile"> & { readonly folder: FolderForm };

/** Each format that was seen, with its files. */
async function formatsIn(input: Omit<FolderInput, "names">): Promise<readonly Found[]> {
  const formats = FOREIGN_FORMATS.filter((format): format is ForeignFormat & Asked => format.folder !== undefined);
  const found: Found[] = [];
  for (const ending of [".txt", ".xml", ".json"] as const) {
    const own = formats.filter(({ folder }) => folder.ending === ending);
    const files = own.reduce<readonly string[]>(
      (names, { folder }) => folder.boxFiles?.(names) ?? names,
      input.all.filter((name) => name.toLowerCase().endsWith(ending)),
    );
    const { seen, others } = await lookInto(files, input.folder, own);
    // Where all that was looked into is of one format the rest is taken for it; what is not fails by itself. JSON is
    // used for anything: what was seen to be something else is left out.
    const rest = ending === ".json" ? files.filter((name) => !others.has(name)) : files;
    for (const [title, some] of seen) {
      const form = own.find((format) => format.title === title)?.folder;
      const names = form !== undefined && (seen.size === 1 || ending === ".json") ? rest : some;
      found.push({ title, names, ...(form !== undefined && { form }) });
    }
    // Files without a row that can be read: images without objects, or damage that is listed line by line.
    if (seen.size > 0 || files.length === 0) continue;
    const told = own.find(({ folder }) => folder.isToldBySide?.(input) === true);
    if (told !== undefined) found.push({ title: told.title, names: files, form: told.folder });
  }
  return found;
}

interface Seen {
  /** Files by the title of their format. */
  readonly seen: ReadonlyMap<string, readonly string[]>;
  /** Files of none of the formats that were asked for. */
  readonly others: ReadonlySet<string>;
}

async function lookInto(files: readonly string[], folder: string, formats: readonly Asked[]): Promise<Seen> {
  const seen = new Map<string, string[]>();
  const others = new Set<string>();
  let peeked = 0;
  for (const name of spread(files).slice(0, MOST_OPENED)) {
    const start = startOf(await peekAt(join(folder, name)), name);
    if (start.text.trim() === "") continue;
    const known = formats.find((format) => format.folder.isOne(start));
    const title = known?.title ?? (isCoco(start) ? "COCO" : undefined);
    if (title !== undefined) seen.set(title, [...(seen.get(title) ?? []), name]);
    if (known === undefined) others.add(name);
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

function isCoco({ text, ending }: FileStart): boolean {
  return ending === ".json" && text.startsWith("{") && /"(?:images|annotations|categories)"\s*:\s*\[/u.test(text);
}

async function peek(file: ByteFile): Promise<string> {
  return (await firstBytes(file)).toString("utf8");
}

async function firstBytes(file: ByteFile): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.min(PEEKED_BYTES, file.size));
  return bytes.subarray(0, await file.read(bytes, 0));
}

async function peekAt(path: string): Promise<string> {
  const file = await openByteFile(path, "box file");
  try {
    return await peek(file);
  } finally {
    await file.close();
  }
}
