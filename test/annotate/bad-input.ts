/**
 * Runs of the command line in this process on inputs that go wrong: what is asked of a box file, and what the user gets
 * to see.
 */
import { copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { run } from "../../src/cli/run.js";
import type { JsonValue } from "../../src/types.js";
import { memoryTerminal } from "../cli/memory-terminal.js";
import type { Coco, CocoAnnotation } from "./runs.js";
import { IMAGES, TINY, readCoco, BOXES } from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** A folder with two photographs, `images/`, and three boxes on the second, `boxes.json`. */
export interface Place {
  readonly folder: string;
  readonly images: string;
  readonly boxes: string;
  readonly out: string;
  readonly coco: Coco;
  /** Writes the box file anew. */
  readonly write: (coco: Coco | string | Buffer) => Promise<void>;
}

const NAMES = ["street.jpg", "park.jpg"];
/** park.jpg */
const IMAGE_ID = 1015;

export async function newPlace(): Promise<Place> {
  const folder = temporaryFolder();
  const images = join(folder, "images"),
    boxes = join(folder, "boxes.json");
  await mkdir(images);
  for (const name of NAMES) await copyFile(join(IMAGES, name), join(images, name));
  const all = await readCoco(BOXES);
  const coco: Coco = {
    ...all,
    images: all.images.filter(({ id }) => id === IMAGE_ID),
    annotations: all.annotations.filter(({ image_id }) => image_id === IMAGE_ID).slice(0, 3),
  };
  const write = (content: Coco | string | Buffer): Promise<void> =>
    writeFile(boxes, typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  await write(coco);
  return { folder, images, boxes, out: join(folder, "out"), coco, write };
}

export interface Told {
  readonly code: number;
  /** What is printed for people. */
  readonly words: string;
  /** The last line of standard output: a summary or an error. */
  readonly report:
    | AnnotateSummary
    | { readonly type: "error"; readonly code: string; readonly message: string; readonly hint: string };
}

/** @param more options that replace or follow the usual ones; later ones win */
export async function annotatePlace(
  { images, boxes, out }: Pick<Place, "images" | "boxes" | "out">,
  more: readonly string[] = [],
): Promise<Told> {
  const terminal = memoryTerminal();
  const usual = {
    "--boxes": boxes,
    "--out": out,
    "--model": TINY,
    "--device": "cpu",
    "--max-steps": "4",
    "--overlays": "none",
  };
  const words = Object.entries(usual)
    .filter(([name]) => !more.includes(name))
    .flat();
  const code = await run(["annotate", images, ...words, "--json", ...more], terminal);
  const lines = terminal.stdout.text.trimEnd().split("\n");
  return { code, words: terminal.stderr.text, report: JSON.parse(lines.at(-1)!) as Told["report"] };
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** An annotation like the first one of the place, with another id. */
export function oneMore({ coco }: Place, id: JsonValue, fields: Readonly<Record<string, JsonValue>>): CocoAnnotation {
  return { ...coco.annotations[0]!, segmentation: [], id, ...fields } as unknown as CocoAnnotation;
}

/** A PNG whose header promises more than the few bytes that follow can hold. */
export function promisingPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]),
      length = Buffer.alloc(4),
      check = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = 2;
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(1000))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

export async function half(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  return bytes.subarray(0, Math.floor(bytes.length * 0.6));
}
