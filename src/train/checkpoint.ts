/**
 * Where a stopped run goes on: everything the next step depends on. A kill or a full disk at any moment leaves the
 * previous checkpoint whole.
 *
 *     checkpoint/step-00001500.safetensors   weights, moments, moving average, F32
 *     checkpoint/state.json                  names that file with its sha256; replaced last, by a rename
 */
import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TrainerState } from "../engine/trainer.js";
import { cannotWrite, missingInput, PolyrnnError, reasonOf, unavailable } from "../errors.js";
import { PARTIAL_SUFFIX, writeAtomic } from "../files/atomic-file.js";
import { whyNotJson } from "../files/recognize.js";
import { readRegularFile } from "../files/regular-file.js";
import { describeValue, parseForeignJson } from "../foreign.js";
import type { WeightTensor } from "../model/safetensors.js";
import { firstNotFinite, readSafetensors, serializeSafetensors, tensorValues } from "../model/safetensors.js";
import type { Sums } from "./metrics.js";
import { NO_SUMS } from "./metrics.js";

export const CHECKPOINT_FOLDER = "checkpoint";
const STATE_FILE = "state.json";
const VERSION = 1;
const WEIGHTS_FILE = /^step-\d{8,}\.safetensors$/;
/** Prefixes of the tensors' names in the file. */
const GROUPS = {
  weights: "weights",
  firstMoments: "first_moments",
  secondMoments: "second_moments",
  averages: "averages",
} as const;

/** The loop's own state. */
export interface LoopState {
  /** Best validation so far. */
  readonly best?: { readonly step: number; readonly iou: number };
  /** Steps since the last line of the metrics. */
  readonly sums: Sums;
  /** Bytes of metrics.ndjson at this step; a resumed run cuts off the rest and writes it again. */
  readonly metricsBytes: number;
  /** Computing time so far, of all processes. */
  readonly seconds: number;
}

interface StateFile extends LoopState {
  readonly formatVersion: number;
  readonly step: number;
  readonly file: string;
  readonly sha256: string;
}

/** @throws E_WRITE, with a message that says which earlier checkpoint is whole */
export async function writeCheckpoint(folder: string, state: TrainerState, loop: LoopState): Promise<void> {
  const place = join(folder, CHECKPOINT_FOLDER);
  const file = `step-${String(state.step).padStart(8, "0")}.safetensors`;
  const before = await readState(place).catch(() => undefined);
  try {
    const tensors = new Map<string, WeightTensor>();
    for (const [group, prefix] of Object.entries(GROUPS)) {
      for (const [name, tensor] of state[group as keyof typeof GROUPS] ?? []) tensors.set(`${prefix}/${name}`, tensor);
    }
    const bytes = serializeSafetensors(tensors, { dtype: "F32" });
    await writeAtomic(join(place, file), bytes);
    const content: StateFile = {
      formatVersion: VERSION,
      step: state.step,
      file,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      ...loop,
    };
    await writeAtomic(join(place, STATE_FILE), `${JSON.stringify(content, null, 2)}\n`);
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    // Makes room; state.json does not name this file.
    if (before?.file !== file) await rm(join(place, file), { force: true }).catch(() => undefined);
    const last = before === undefined ? "there is none from before" : `the one of step ${before.step} is whole`;
    throw cannotWrite(
      `checkpoint of step ${state.step}: ${error.message}; ${last}`,
      `Make room, then run: polyrnn train --resume ${folder}`,
      error,
    );
  }
  await removeOthers(place, file);
}

/** Removes the files of earlier checkpoints, and of writes that were cut off. */
async function removeOthers(place: string, kept: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (name !== kept && WEIGHTS_FILE.test(name.replace(PARTIAL_SUFFIX, "")))
      await rm(join(place, name), { force: true });
  }
}

/** @throws E_MISSING without a checkpoint, E_UNAVAILABLE for one that is damaged */
export async function readCheckpoint(folder: string): Promise<{ state: TrainerState; loop: LoopState }> {
  const place = join(folder, CHECKPOINT_FOLDER);
  const { step, file, sha256, best, sums, metricsBytes, seconds } = await readState(place);
  const path = join(place, file);
  const stored = await readSafetensors(path);
  if (stored.sha256 !== sha256) {
    throw unavailable(
      `${path}: expected sha256 ${sha256.slice(0, 12)} but received ${stored.sha256.slice(0, 12)}`,
      "The checkpoint is damaged. Start anew from the model in the folder: --init.",
    );
  }
  const groups = new Map<string, Map<string, WeightTensor>>();
  for (const [key, tensor] of stored.tensors) {
    const [prefix, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    const group = groups.get(prefix) ?? new Map<string, WeightTensor>();
    groups.set(
      prefix,
      group.set(name, { shape: tensor.shape, values: tensorValues(tensor, `${path}: tensor ${key}`) }),
    );
  }
  const group = (name: keyof typeof GROUPS): Map<string, WeightTensor> =>
    groups.get(GROUPS[name]) ?? new Map<string, WeightTensor>();
  const averages = groups.get(GROUPS.averages);
  return {
    state: {
      step,
      weights: group("weights"),
      firstMoments: group("firstMoments"),
      secondMoments: group("secondMoments"),
      ...(averages && { averages }),
    },
    loop: { ...(best && { best }), sums, metricsBytes, seconds },
  };
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * The sum of a checkpoint may be right and its tensors another network's.
 * @param network shapes of its weights, and of those that are trained
 * @throws E_UNAVAILABLE naming the first tensor that does not fit
 */
export function checkFits(
  state: TrainerState,
  network: { readonly all: Shapes; readonly trained: Shapes },
  folder: string,
): void {
  for (const [group, prefix] of Object.entries(GROUPS)) {
    const tensors = state[group as keyof typeof GROUPS];
    if (tensors === undefined) continue; // averages, where none were kept
    for (const [name, shape] of group === "weights" ? network.all : network.trained) {
      const tensor = tensors.get(name);
      const wrong = (expected: string, received: string): PolyrnnError =>
        unavailable(
          `${join(folder, CHECKPOINT_FOLDER)}: tensor ${prefix}/${name}: expected ${expected} but received ${received}`,
          "The checkpoint is not that of this run. Start anew from the model in the folder: --init.",
        );
      if (tensor?.shape.join() !== shape.join())
        throw wrong(`shape ${describeValue(shape)}`, tensor === undefined ? "none" : describeValue(tensor.shape));
      const at = firstNotFinite(tensor.values);
      if (at >= 0) throw wrong("finite values", `${tensor.values[at]!} at position ${at}`);
    }
  }
}

/** A line takes some 500 bytes; the file is read as a whole. */
const MOST_METRICS_BYTES = 2 ** 28;
/** A state takes some 1,000 bytes. */
const MOST_STATE_BYTES = 2 ** 20;

function isSums(value: unknown): value is Sums {
  if (typeof value !== "object" || value === null) return false;
  // Of the sums of a run without an optional map of the network, none may be absent.
  return (
    Object.keys(NO_SUMS).every((name) => Object.hasOwn(value, name)) &&
    Object.values(value).every((sum) => Number.isFinite(sum))
  );
}

/** A file of somebody else may hold a text, or a time before it began. */
function isAmount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isBest(value: unknown): boolean {
  if (value === undefined) return true;
  const { step, iou } = Object(value) as { step?: unknown; iou?: unknown };
  return isAmount(step) && isAmount(iou);
}

async function readState(place: string): Promise<StateFile> {
  const path = join(place, STATE_FILE);
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(path, MOST_STATE_BYTES);
  } catch (error) {
    throw missingInput(
      `${path}: expected a checkpoint but it cannot be read (${reasonOf(error)})`,
      "Only a run that has written a checkpoint can be resumed.",
      error,
    );
  }
  try {
    const state = parseForeignJson(bytes.toString("utf8")) as StateFile;
    if (state.formatVersion !== VERSION)
      throw new Error(`formatVersion is ${describeValue(state.formatVersion)}, not ${VERSION}`);
    if (
      typeof state.file !== "string" ||
      !WEIGHTS_FILE.test(state.file) ||
      !Number.isSafeInteger(state.step) ||
      typeof state.sha256 !== "string" ||
      !Number.isSafeInteger(state.metricsBytes) ||
      state.step < 0 ||
      state.metricsBytes < 0 ||
      state.metricsBytes > MOST_METRICS_BYTES ||
      !isAmount(state.seconds) ||
      !isBest(state.best) ||
      !isSums(state.sums)
    ) {
      throw new Error("a field is missing or not sound");
    }
    return state;
  } catch (error) {
    const damaged = "The checkpoint is damaged or of another version of polyrnn.";
    const { why, hint } = whyNotJson(bytes, error, damaged);
    throw unavailable(`${path}: expected the state of a training run (${why})`, hint, error);
  }
}
