/**
 * Runs of the main path in this process, with a host in memory and the tiny model. Shared by the tests of annotate/.
 */
import { createHash } from "node:crypto";
import { cp, readFile, readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { annotate } from "../../src/annotate/annotate.js";
import { readJournal, toOutcome } from "../../src/runs/journal.js";
import type { AnnotateHost, AnnotateOptions, AnnotateProgress, ReportedFailure } from "../../src/annotate/options.js";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { PolyrnnError } from "../../src/errors.js";
import type { JsonObject, Outcome } from "../../src/types.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

export const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
export const IMAGES = join(FIXTURES, "images");
export const BOXES = join(FIXTURES, "boxes.json");
export const HOSTILE = join(FIXTURES, "hostile");
export const TINY = join(FIXTURES, "models", "tiny-random");

/** Path of an output folder that does not exist yet. */
export function newOut(): string {
  return join(temporaryFolder(), "out");
}

export interface MemoryHost extends AnnotateHost {
  readonly notes: string[];
  readonly failures: ReportedFailure[];
  readonly progressed: AnnotateProgress[];
  readonly lines: string[];
  readonly stop: AbortController;
}

/** @param stopAfter aborts when that many instances are finished */
export function memoryHost(stopAfter = Infinity): MemoryHost {
  const stop = new AbortController();
  const host: MemoryHost = {
    notes: [],
    failures: [],
    progressed: [],
    lines: [],
    stop,
    signal: stop.signal,
    note: (line) => {
      host.notes.push(line);
    },
    failure: (failure) => {
      host.failures.push(failure);
    },
    progress: (progress) => {
      host.progressed.push(progress);
      if (progress.finishedNow >= stopAfter) stop.abort();
    },
    data: (line) => {
      host.lines.push(line);
      return Promise.resolve();
    },
  };
  return host;
}

/** One thread: the engine of several is started as a built file, and test/process compares both. */
const DEFAULTS: Omit<AnnotateOptions, "out"> = {
  images: IMAGES,
  boxes: BOXES,
  formats: ["coco"],
  model: TINY,
  device: "cpu",
  threads: 1,
  batchSize: 16,
  maxSteps: 12,
  candidates: 3,
  minScore: 0,
  simplify: 0,
  categories: [],
  existing: "predict",
  overlays: "none",
  resume: false,
  force: false,
};

export type RunOptions = Partial<AnnotateOptions>;

export interface Ran {
  readonly summary: AnnotateSummary;
  readonly host: MemoryHost;
  readonly out: string;
}

/** Annotates the sample unless told otherwise, into a new folder unless told otherwise. */
export async function runAnnotate(options: RunOptions = {}, host = memoryHost()): Promise<Ran> {
  const out = options.out ?? newOut();
  return { summary: await annotate({ ...DEFAULTS, ...options, out }, host), host, out };
}

/** What a run that cannot begin was refused with; fails when it began, or with anything but an expected error. */
export async function refusalOf(options: RunOptions): Promise<PolyrnnError> {
  const thrown: unknown = await runAnnotate(options).then(
    () => new Error("the run began"),
    (error: unknown) => error,
  );
  if (thrown instanceof PolyrnnError) return thrown;
  throw thrown;
}

export interface CocoAnnotation extends JsonObject {
  id: number;
  image_id: number;
  category_id: number;
  bbox: number[];
  segmentation: number[][];
}
export interface Coco {
  info: JsonObject;
  licenses: JsonObject[];
  images: { id: number; file_name: string; width: number; height: number }[];
  categories: { id: number; name: string }[];
  annotations: CocoAnnotation[];
}

export async function readJson<T>(...path: string[]): Promise<T> {
  return JSON.parse(await readFile(join(...path), "utf8")) as T;
}

export const readCoco = (...path: string[]): Promise<Coco> => readJson<Coco>(...path);

/** The sample's boxes, changed, in a file of their own. @returns its path */
export async function boxesWith(change: (coco: Coco) => void, from = BOXES): Promise<string> {
  const coco = await readCoco(from);
  change(coco);
  const path = join(temporaryFolder(), "boxes.json");
  await writeFile(path, JSON.stringify(coco));
  return path;
}

/** The last word of the journal on each instance, by ordinal. */
export async function journalOf(out: string): Promise<Outcome[]> {
  const outcomes = new Map<number, Outcome>();
  for await (const { number, value } of readJournal(join(out, "journal.ndjson"))) {
    if (number === 1) continue;
    if (value === undefined) throw new Error(`line ${number} is damaged`);
    const outcome = toOutcome(value)!;
    outcomes.set(outcome.ordinal, outcome);
  }
  return [...outcomes.values()].sort((a, b) => a.ordinal - b.ordinal);
}

/** Every file below a folder with the hash of its bytes, a link with where it leads; by relative path. */
export async function hashesOf(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    hashes[path.slice(folder.length + 1)] = entry.isSymbolicLink()
      ? `-> ${await readlink(path)}`
      : createHash("sha256")
          .update(await readFile(path))
          .digest("hex");
  }
  return hashes;
}

/** What a run wrote that does not tell the time: two runs of the same thing agree in it. */
export async function resultsOf(out: string): Promise<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(await hashesOf(out)).filter(([path]) => !["run.json", "summary.json"].includes(path)),
  );
}

/** Pictures of `copyOfSample`. */
export const COPIED = ["street.jpg", "park.jpg", "balloons.jpg"];

/** A copy of a quarter of the sample that may be written to. */
export async function copyOfSample(): Promise<string> {
  const folder = temporaryFolder();
  await Promise.all(COPIED.map((name) => cp(join(IMAGES, name), join(folder, "images", name))));
  await cp(await boxesOf(COPIED), join(folder, "boxes.json"));
  return folder;
}

/** The sample's boxes on a few of its pictures, in a file of their own. @returns its path */
export function boxesOf(names: readonly string[]): Promise<string> {
  return boxesWith((coco) => {
    coco.images = coco.images.filter(({ file_name }) => names.includes(file_name));
    coco.annotations = coco.annotations.filter(({ image_id }) => coco.images.some(({ id }) => id === image_id));
  });
}
