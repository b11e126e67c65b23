/**
 * Finds a TensorFlow.js with a native library behind it. None is required: the packages download libtensorflow when
 * they are installed, and where that failed the reason is reported, not thrown.
 *
 * POLYRNN_TFJS_NODE names the folder of a tfjs-node package somewhere else, for example one linked to another
 * TensorFlow. A process holds one native TensorFlow; the first that loads stays.
 */
import "./guard.js";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { reasonOf } from "../../errors.js";
import type { Tfjs } from "./ops.js";

export interface LoadedTfjs {
  readonly tf: Tfjs;
  /** "@tensorflow/tfjs-node 4.22.0" */
  readonly version: string;
  /** Where its operations run. */
  readonly device: "cpu" | "cuda";
}

/** Why a package was not taken, and what would change that. */
export interface TfjsObstacle {
  readonly packageName: string;
  readonly reason: string;
  readonly fix: string;
}

const VERSION = "4.22.0";
const GPU_PACKAGE = "@tensorflow/tfjs-node-gpu";
const CPU_PACKAGE = "@tensorflow/tfjs-node";
const require = createRequire(import.meta.url);

let loaded: LoadedTfjs | undefined;

/**
 * Where `loadTfjs` has found the library before.
 * @throws Error where it does not
 */
export function loadFoundTfjs(device: "cpu" | "cuda", threads?: number): LoadedTfjs {
  const found = loadTfjs(device, threads);
  if ("tf" in found) return found;
  throw new Error("TensorFlow.js was there a moment ago");
}

/**
 * @param device  where operations have to run
 * @param threads for one operation; only the first load of a process can set it
 * @returns the library, or every package that was tried with its obstacle
 */
export function loadTfjs(
  device: "cpu" | "cuda",
  threads?: number,
): LoadedTfjs | { readonly obstacles: readonly TfjsObstacle[] } {
  if (loaded?.device === device) return loaded;
  const elsewhere = process.env["POLYRNN_TFJS_NODE"];
  const packages =
    elsewhere !== undefined && elsewhere !== ""
      ? [resolve(elsewhere)]
      : device === "cuda"
        ? [GPU_PACKAGE]
        : [CPU_PACKAGE, GPU_PACKAGE];
  const obstacles: TfjsObstacle[] = [];
  for (const packageName of packages) {
    const outcome = loadPackage(packageName, threads);
    if ("tf" in outcome) loaded = outcome;
    if ("tf" in outcome && outcome.device === device) return outcome;
    obstacles.push("tf" in outcome ? wrongDevice(packageName, outcome.device) : { packageName, ...outcome });
  }
  return { obstacles };
}

function wrongDevice(packageName: string, found: "cpu" | "cuda"): TfjsObstacle {
  return found === "cpu"
    ? {
        packageName,
        reason: "it loads but sees no GPU",
        fix: "Check that nvidia-smi lists a GPU and that the CUDA libraries it was built for can be found.",
      }
    : { packageName, reason: "it runs on the GPU", fix: "Use --device cuda, or set CUDA_VISIBLE_DEVICES=-1." };
}

function loadPackage(packageName: string, threads: number | undefined): LoadedTfjs | { reason: string; fix: string } {
  if (loaded !== undefined) return loaded; // two native TensorFlows in one process overwrite each other's kernels
  const folder = packageFolder(packageName);
  if (folder === undefined) {
    return {
      reason: "it is not installed",
      fix: `Run: npm install ${packageName.startsWith("@") ? packageName : CPU_PACKAGE}@${VERSION}`,
    };
  }
  if (!hasAddon(folder)) {
    return {
      reason: "its native library is not there; the download of its install step did not succeed",
      fix: `Where storage.googleapis.com is reachable, run: npm rebuild ${packageName}`,
    };
  }
  // TensorFlow's start-up notes are not for the user of this program; warnings and errors still reach standard error.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "1";
  if (threads !== undefined) process.env["TF_NUM_INTRAOP_THREADS"] = String(threads);
  try {
    const tf: unknown = require(folder);
    if (!isTfjs(tf)) return { reason: "it is not TensorFlow.js", fix: `Run: npm install ${CPU_PACKAGE}@${VERSION}` };
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      name: string;
      version: string;
    };
    return { tf, version: `${name} ${version}`, device: usesGpu(tf) ? "cuda" : "cpu" };
  } catch (error) {
    const firstLine = reasonOf(error).split("\n", 1)[0]!;
    return {
      reason: `it does not load (${firstLine})`,
      fix: "Install the libraries it names, or build it again: npm rebuild --build-from-source " + packageName,
    };
  }
}

function packageFolder(packageName: string): string | undefined {
  try {
    return dirname(require.resolve(join(packageName, "package.json")));
  } catch {
    return undefined; // not installed, or not a package
  }
}

/** The addon lies in lib/napi-v<N>/; without it, loading the package would take a second to say so. */
function hasAddon(folder: string): boolean {
  const lib = join(folder, "lib");
  return existsSync(lib) && readdirSync(lib).some((version) => existsSync(join(lib, version, "tfjs_binding.node")));
}

function isTfjs(value: unknown): value is Tfjs {
  return typeof value === "object" && value !== null && "tidy" in value && "conv2d" in value && "backend" in value;
}

function usesGpu(tf: Tfjs): boolean {
  const backend: object = tf.backend();
  return "isUsingGpuDevice" in backend && backend.isUsingGpuDevice === true;
}
