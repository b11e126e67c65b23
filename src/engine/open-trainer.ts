/**
 * Finds the TensorFlow.js that training runs on: CUDA where there is a GPU, else the native CPU library. The pure
 * JavaScript backends are never chosen: the plain one has every gradient but is a hundred times slower, the WASM one
 * lacks gradients. Tests of the tiny network pass the plain one to `trainingDevice`.
 */
import { unavailable, usageError } from "../errors.js";
import type { WeightedNetwork } from "../model/model.js";
import type { DeviceChoice } from "./devices.js";
import { hasNvidiaDriver, missingHardware } from "./devices.js";
import type { Engine } from "./engine.js";
import type { Tfjs } from "./tfjs/ops.js";
import type { Trainer, TrainerOptions } from "./trainer.js";

/** What a run computes with. */
export interface TrainingDevice {
  readonly device: "cpu" | "cuda";
  /** "@tensorflow/tfjs-node 4.22.0" */
  readonly version: string;
  openTrainer(start: WeightedNetwork, options: TrainerOptions): Trainer;
  /** For validation, on the same device; the caller disposes it. */
  openEngine(model: WeightedNetwork): Engine;
}

/** @throws E_UNAVAILABLE saying what to install, E_USAGE for a device TensorFlow.js does not have */
export async function openTrainingDevice(choice: DeviceChoice, threads?: number): Promise<TrainingDevice> {
  if (choice === "webgpu")
    throw usageError(
      "device: expected auto, cuda or cpu for training but received webgpu",
      "TensorFlow.js trains on CUDA and on the CPU.",
    );
  const { loadTfjs } = await import("./tfjs/load.js");
  const wanted = choice === "auto" ? (hasNvidiaDriver() ? (["cuda", "cpu"] as const) : (["cpu"] as const)) : [choice];
  const reasons: string[] = [];
  const fixes: string[] = [];
  for (const device of wanted) {
    const outcome = loadTfjs(device, threads);
    if ("tf" in outcome) return trainingDevice(outcome.tf, device, outcome.version);
    for (const { packageName, reason, fix } of outcome.obstacles) {
      reasons.push(`${packageName}: ${reason}`);
      fixes.push(fix);
    }
  }
  const missing = choice === "cuda" ? missingHardware(choice) : undefined;
  if (missing !== undefined)
    throw unavailable(`training on cuda: ${missing.reason}; ${reasons.join("; ")}`, missing.fix);
  throw unavailable(
    `training on ${choice}: expected TensorFlow.js with its native library but ${reasons.join("; ")}`,
    `${fixes[0]!}. POLYRNN_TFJS_NODE may name the folder of a tfjs-node package elsewhere.`,
  );
}

/** @param tf a backend that has all gradients */
export async function trainingDevice(tf: Tfjs, device: "cpu" | "cuda", version: string): Promise<TrainingDevice> {
  const [{ openTfjsTrainer }, { openTfjsEngine }] = await Promise.all([
    import("./tfjs/trainer.js"),
    import("./tfjs/engine.js"),
  ]);
  return {
    device,
    version,
    openTrainer: (start, options) => openTfjsTrainer(tf, start, { ...options, device, version }),
    openEngine: (model) => openTfjsEngine(tf, model, { device, version }),
  };
}
