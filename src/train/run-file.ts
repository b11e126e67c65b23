/** run.json of a training run: its options and its data, so that it can be repeated and resumed. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { invalidData, missingInput, reasonOf } from "../errors.js";
import { removeLeftovers, writeAtomic } from "../files/atomic-file.js";
import { whyNotJson } from "../files/recognize.js";
import { readRegularFile } from "../files/regular-file.js";
import { folderNotEmpty } from "../files/folders.js";
import { LOCK_FILES } from "../files/run-layout.js";
import { parseForeignJson } from "../foreign.js";
import type { TrainOptions } from "./options.js";
import type { StartWeights } from "./start-weights.js";

export const RUN_FILE = "run.json";
const VERSION = 3;
/** Everything that a training run writes in its folder by way of a partial file. */
const OWN_FILES: readonly string[] = [
  RUN_FILE,
  ...["metrics.ndjson", "training.html", "model.json", "model.safetensors", "model.new.safetensors"],
];
/** Options that version 2 called otherwise. Runs that were begun with it can still be resumed. */
const RENAMED_SINCE_2: Readonly<Record<string, keyof TrainOptions>> = {
  rate: "learningRate",
  trunkRate: "backboneLearningRate",
  average: "ema",
  warmUp: "warmup",
};

/** What was found in the data: a resumed run must find the same. */
export interface DataFound {
  readonly instances: number;
  readonly images: number;
  readonly bySource: Readonly<Record<string, number>>;
  readonly validationInstances: number;
  /** Of everything the annotations were read from. */
  readonly sha256: string;
  /** null: no validation. */
  readonly validationSha256: string | null;
}

export interface TrainingRun {
  readonly formatVersion: typeof VERSION;
  readonly type: "training";
  /** Paths are absolute; `out` is where the run was begun, and the folder may have moved since. */
  readonly options: TrainOptions;
  readonly data: DataFound;
  readonly start: Pick<StartWeights, "description" | "sha256">;
}

/** Removes what a killed process left half written. @throws E_WRITE */
export function clearLeftovers(folder: string): Promise<void> {
  return removeLeftovers(folder, OWN_FILES);
}

/** @param out a folder that exists @throws E_OUT_NOT_EMPTY when there is something in it, E_WRITE */
export async function prepareFolder(out: string): Promise<void> {
  await clearLeftovers(out); // of a killed process; without a whole file, nothing was begun
  const name = (await readdir(out)).find((found) => !LOCK_FILES.includes(found));
  if (name === undefined) return;
  throw folderNotEmpty(
    `${out}: expected an empty folder but there is ${name} in it`,
    `Choose another folder, or go on with the run in it: polyrnn train --resume ${out}`,
  );
}

export async function writeRun(folder: string, run: Omit<TrainingRun, "formatVersion" | "type">): Promise<void> {
  await writeAtomic(
    join(folder, RUN_FILE),
    `${JSON.stringify({ formatVersion: VERSION, type: "training", ...run }, null, 2)}\n`,
  );
}

/** Bytes; every source of a run's data takes a few hundred. */
const LARGEST_RUN_FILE = 2 ** 24;

/** @throws E_MISSING when there is none, E_DATA when it is not that of a training run, or of a version before 2 */
export async function readRun(folder: string): Promise<TrainingRun> {
  const path = join(folder, RUN_FILE);
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(path, LARGEST_RUN_FILE);
  } catch (error) {
    throw missingInput(
      `${path}: expected a training run but it cannot be read (${reasonOf(error)})`,
      "Name the folder of a run of polyrnn train.",
      error,
    );
  }
  try {
    const run = parseForeignJson(bytes.toString("utf8")) as TrainingRun | RunOfVersion2;
    // `type` keeps the run.json of other commands out.
    if ((run.type as unknown) === "training") {
      if (run.formatVersion === VERSION) return run;
      if ((run.formatVersion as unknown) === 2) return fromVersion2(run);
    }
    throw new Error("its type or version is another one");
  } catch (error) {
    const { why, hint } = whyNotJson(bytes, error, "Name the folder of a run of polyrnn train.");
    throw invalidData(`${path}: expected the run.json of a training run (${why})`, hint, error);
  }
}

interface RunOfVersion2 extends Omit<TrainingRun, "formatVersion" | "options" | "start"> {
  readonly formatVersion: 2;
  readonly options: Readonly<Record<string, unknown>>;
  readonly start: { readonly words: string; readonly sha256?: readonly string[] };
}

function fromVersion2({ options, start: { words, ...start }, ...run }: RunOfVersion2): TrainingRun {
  const renamed = Object.entries(options).map(([name, value]) => [
    Object.hasOwn(RENAMED_SINCE_2, name) ? RENAMED_SINCE_2[name] : name,
    value,
  ]);
  return {
    ...run,
    formatVersion: VERSION,
    options: Object.fromEntries(renamed) as TrainOptions, // checked by `checkOptions` before it is used
    start: { description: words, ...start },
  };
}

/** @throws E_DATA naming the first count that differs, or else the annotations that have changed */
export function checkSameData(folder: string, before: DataFound, now: DataFound): void {
  const facts = (data: DataFound): [string, string | number][] => [
    ["instances", data.instances],
    ["images", data.images],
    ["validation instances", data.validationInstances],
    ...Object.entries(data.bySource).map(([source, count]): [string, number] => [`instances of ${source}`, count]),
    ["as sha256 of the annotations", data.sha256],
    ["as sha256 of the validation's annotations", data.validationSha256 ?? "none"],
  ];
  const found = new Map(facts(now));
  for (const [what, fact] of facts(before)) {
    const received = found.get(what);
    if (received === fact) continue;
    throw invalidData(
      `${join(folder, RUN_FILE)}: expected ${fact} ${what}, as when the run began, but received ${received ?? 0}`,
      "A run goes on with the data it began with. Bring them back, or begin another run with --init.",
    );
  }
}
