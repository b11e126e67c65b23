/** A data set that is drawn in a second, the command that draws it, and the undisturbed result to compare with. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import sharp from "sharp";
import { unsealLine } from "../../src/runs/journal.js";
import type { AnnotateOptions } from "../../src/annotate/options.js";
import type { Ended } from "../helpers/command.js";
import { runInHost, runToEnd } from "../helpers/command.js";
import { IS_FULL } from "./ledger.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
export const TINY = join(FIXTURES, "models", "tiny-random");

const PICTURES = ["aquarium", "balloons", "fruit", "lake", "meadow", "street"];
const WIDTH = 160,
  HEIGHT = 120;

export interface SmallData {
  readonly home: string;
  readonly images: string;
  readonly boxes: string;
  readonly imageNames: readonly string[];
  readonly count: number;
}

/** A new folder under the system's temporary one. */
export function newHome(): string {
  return temporaryFolder();
}

/** @param perImage boxes per image. @param pictures images, at most six */
export async function makeSmallData(
  home: string,
  perImage: number,
  pictures: number = PICTURES.length,
): Promise<SmallData> {
  const images = join(home, "images");
  mkdirSync(images);
  const imageNames = PICTURES.slice(0, pictures).map((name) => `${name}.jpg`);
  for (const name of imageNames)
    await sharp(join(FIXTURES, "images", name))
      .resize(WIDTH, HEIGHT, { fit: "fill" })
      .toFile(join(images, name));
  const annotations = imageNames.flatMap((_, image) =>
    Array.from({ length: perImage }, (_, i) => ({
      id: image * perImage + i + 1,
      image_id: image + 1,
      category_id: 1 + (i % 2),
      iscrowd: 0,
      note: `"${i}" é\u2028`,
      bbox: [(i * 13) % 100, (i * 7) % 70, 20 + ((i * 5) % 30), 15 + ((i * 3) % 30)],
    })),
  );
  const boxes = join(home, "boxes.json");
  writeFileSync(
    boxes,
    JSON.stringify({
      images: imageNames.map((name, i) => ({ id: i + 1, file_name: name, width: WIDTH, height: HEIGHT })),
      categories: [
        { id: 1, name: "one" },
        { id: 2, name: "two" },
      ],
      annotations,
    }),
  );
  return { home, images, boxes, imageNames, count: annotations.length };
}

export const ALL_FORMATS = ["--format", "coco,labelme,yolo-seg,label-studio", "--overlays", "all"];
/** Where the fault ends the run before any file is written from its journal. */
export const FEW_FORMATS = IS_FULL ? ALL_FORMATS : ["--format", "coco", "--overlays", "none"];

/**
 * Random weights draw to the step limit; four steps and one candidate keep a run short, small batches make it many steps
 * long; two are always in work. One thread in the short form: starting another takes longer than its part of the run.
 * What is in `more` goes before all of this.
 */
export function annotateArgs(data: SmallData, out: string, ...more: string[]): string[] {
  const usual = {
    "--boxes": data.boxes,
    "--out": out,
    "--device": "cpu",
    "--model": TINY,
    "--batch-size": "4",
    "--max-steps": "4",
    "--candidates": "1",
    "--threads": IS_FULL ? "2" : "1",
  };
  const words = Object.entries(usual).filter(([name]) => !more.includes(name));
  return ["annotate", data.images, ...words.flat(), ...more];
}

/** The same run as the words ask for, for a child that runs it in process; `ALL_FORMATS` included. */
export function annotateOptions(data: SmallData, out: string, resume: boolean): AnnotateOptions {
  return {
    images: data.images,
    boxes: data.boxes,
    out,
    formats: ["coco", "labelme", "yolo-seg", "label-studio"],
    model: TINY,
    device: "cpu",
    batchSize: 4,
    maxSteps: 4,
    candidates: 1,
    minScore: 0,
    simplify: 0,
    categories: [],
    existing: "predict",
    overlays: "all",
    resume,
    force: false,
  };
}

export interface Undisturbed {
  readonly out: string;
  readonly code: number | null;
  readonly files: Files;
}

/**
 * Runs that nothing disturbs: in the full form a process each, as a user would start them; in the short form one process
 * for all, because starting takes longer than they do.
 */
export const runSoundly = IS_FULL ? (args: readonly string[]): Promise<Ended> => runToEnd(args) : runInHost;

export async function runUndisturbed(data: SmallData, ...more: string[]): Promise<Undisturbed> {
  const out = join(data.home, "undisturbed");
  return undisturbed(out, await runSoundly(annotateArgs(data, out, ...more)));
}

export function undisturbed(out: string, { code, stderr }: Ended): Undisturbed {
  if (code !== 0 && code !== 1) throw new Error(`the undisturbed run ended with ${code}:\n${stderr}`);
  return { out, code, files: filesOf(out) };
}

export type Files = Readonly<Record<string, string>>;

/**
 * Every file below a folder with its bytes; run.json and summary.json hold times, the journal may hold an instance
 * twice.
 */
export function filesOf(out: string): Files {
  const entries = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const paths = entries.map((entry) => ({ path: join(entry.parentPath, entry.name), isLink: entry.isSymbolicLink() }));
  return Object.fromEntries(
    paths.map(({ path, isLink }) => {
      const name = relative(out, path);
      return [
        name,
        /^(run|summary)\.json$|^journal\.ndjson$/.test(name)
          ? ""
          : isLink
            ? readlinkSync(path)
            : readFileSync(path, "latin1"),
      ];
    }),
  );
}

/** @returns what differs, in words */
export function differences(expected: Files, found: Files): string[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(found)])]
    .sort()
    .flatMap((name) =>
      expected[name] === undefined
        ? [`${name} is too much`]
        : found[name] === undefined
          ? [`${name} is missing`]
          : expected[name] === found[name]
            ? []
            : [`${name} differs`],
    );
}

/**
 * Looks at a folder whose run just died: nothing half-written under a final name, a journal with whole lines up to its
 * end.
 */
export function problemsAfterDeath(out: string, expected: Files): string[] {
  if (!existsSync(out)) return [];
  const problems: string[] = [];
  for (const [name, content] of Object.entries(filesOf(out))) {
    if (name.endsWith(".partial") || name.startsWith("run.lock")) continue;
    if (expected[name] === undefined) problems.push(`${name} is too much`);
    else if (expected[name] !== content) problems.push(`${name} is half-written`);
  }
  const journal = join(out, "journal.ndjson");
  if (existsSync(journal)) {
    const lines = readFileSync(journal, "utf8").split("\n").slice(0, -1);
    if (lines.length === 0) problems.push("the journal has no first line");
    lines.forEach((line, i) => {
      if (unsealLine(line) === undefined) problems.push(`journal line ${i + 1} is damaged`);
    });
  }
  return problems;
}

/** Each instance once in annotations.json. */
export function problemsInIds(out: string, data: SmallData): string[] {
  const coco = JSON.parse(readFileSync(join(out, "annotations.json"), "utf8")) as { annotations: { id: number }[] };
  const failed = new Set(
    readFileSync(join(out, "journal.ndjson"), "utf8")
      .split("\n")
      .slice(1, -1)
      .flatMap((line) => {
        const outcome = unsealLine(line);
        return outcome?.["status"] === "failed" ? [outcome["annotationId"]] : [];
      }),
  );
  const ids = coco.annotations.map(({ id }) => id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  const missing = Array.from({ length: data.count }, (_, i) => i + 1).filter(
    (id) => !ids.includes(id) && !failed.has(id),
  );
  return [
    ...(twice.length > 0 ? [`twice: ${twice.join(", ")}`] : []),
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
  ];
}

/** Resumes and compares. @returns what is not as in the undisturbed run */
export async function resumeProblems(
  data: SmallData,
  out: string,
  straight: Undisturbed,
  ...more: string[]
): Promise<{ problems: string[]; ended: Ended }> {
  const ended = await runSoundly(annotateArgs(data, out, ...more, "--resume"));
  if (ended.code !== straight.code)
    return { problems: [`--resume ended with ${ended.code ?? ended.signal}: ${ended.stderr}`], ended };
  return { problems: [...differences(straight.files, filesOf(out)), ...problemsInIds(out, data)], ended };
}

/** Any program, to its end; for what has to stand around the command. */
export function runTool(tool: string, words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, words, { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "",
      stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
}

export function removeHome(home: string): void {
  rmSync(home, { recursive: true, force: true });
}
