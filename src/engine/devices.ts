/**
 * Which engine computes on which device. `auto` takes the first that works, in this order: CUDA through TensorFlow.js,
 * CUDA through onnxruntime, WebGPU on hardware through kernels of our own, the same through onnxruntime, the CPU through
 * onnxruntime, the CPU through TensorFlow.js. Each one passed over is reported with the reason and with what would
 * change that.
 *
 * Loading a library takes up to two seconds, so each is imported only when its turn comes. `auto` first looks for the
 * files that drivers make. POLYRNN_ENGINE=wgsl|tfjs|onnxruntime leaves only one engine to choose from, for comparing
 * them.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PolyrnnError, reasonOf, unavailable, usageError } from "../errors.js";
import type { WeightedNetwork } from "../model/model.js";
import type { DeviceName, Engine, EngineName } from "./engine.js";
import type { PrecisionChoice } from "./precision.js";
import { choosePrecision } from "./precision.js";
import type { AdapterReport } from "./webgpu/adapter.js";
import type { ChosenTiles } from "./webgpu/trial.js";

export type DeviceChoice = "auto" | DeviceName;

export interface Candidate {
  readonly engine: EngineName;
  readonly device: DeviceName;
}

/** Why a candidate does not serve, and one sentence on what would change that. */
export interface Obstacle {
  readonly reason: string;
  readonly fix: string;
}

export interface PassedOver extends Obstacle {
  readonly candidate: Candidate;
}

const ORDER: readonly Candidate[] = [
  { engine: "tfjs", device: "cuda" },
  { engine: "onnxruntime", device: "cuda" },
  { engine: "wgsl", device: "webgpu" },
  { engine: "onnxruntime", device: "webgpu" },
  { engine: "onnxruntime", device: "cpu" },
  { engine: "tfjs", device: "cpu" },
];

/** The candidates for a choice, best first. */
export function candidatesFor(device: DeviceChoice, engine?: EngineName): readonly Candidate[] {
  return ORDER.filter(
    (candidate) =>
      (device === "auto" || candidate.device === device) && (engine === undefined || candidate.engine === engine),
  );
}

/**
 * The first candidate that works.
 * @param attempt what was wanted of the candidate, or its obstacle
 * @throws E_UNAVAILABLE with every obstacle when none works
 */
export async function takeFirst<W extends object>(
  device: DeviceChoice,
  candidates: readonly Candidate[],
  attempt: (candidate: Candidate) => Promise<W | Obstacle>,
): Promise<{ readonly taken: W; readonly candidate: Candidate; readonly passedOver: readonly PassedOver[] }> {
  const passedOver: PassedOver[] = [];
  for (const candidate of candidates) {
    const outcome = await attempt(candidate);
    if (!isObstacle(outcome)) return { taken: outcome, candidate, passedOver };
    passedOver.push({ candidate, ...outcome });
  }
  const reasons = passedOver.map(({ candidate, reason }) => `${candidate.engine} on ${candidate.device}: ${reason}`);
  throw unavailable(
    `device ${device}: expected one engine that works ` +
      `but ${reasons.length === 0 ? "none offers this device" : reasons.join("; ")}`,
    passedOver[0]?.fix ?? "Use --device auto; `polyrnn doctor` shows what works here.",
  );
}

function isObstacle(outcome: object): outcome is Obstacle {
  return "reason" in outcome && "fix" in outcome;
}

export interface OpenEngineOptions {
  readonly device: DeviceChoice;
  /** Cores to compute on, for the CPU; all of them when absent. */
  readonly threads?: number;
  /** Of kernels on a GPU; auto when absent. */
  readonly precision?: PrecisionChoice;
}

/**
 * @returns an engine for the model, which the caller disposes, and what was passed over on the way to it
 * @throws E_UNAVAILABLE when no engine works on the device
 */
export async function openEngine(
  model: WeightedNetwork,
  options: OpenEngineOptions,
): Promise<{ engine: Engine; passedOver: readonly PassedOver[] }> {
  const { taken: engine, passedOver } = await openFirst(options, (candidate) =>
    openCandidate(candidate, model, options),
  );
  return { engine, passedOver };
}

/**
 * The same for whatever is opened on an engine.
 * @param open on a candidate that works
 */
export function openFirst<W extends object>(
  { device, threads, precision }: OpenEngineOptions,
  open: (candidate: Candidate) => Promise<W>,
): Promise<{ readonly taken: W; readonly passedOver: readonly PassedOver[] }> {
  return takeFirst(device, candidatesFor(device, forcedEngine()), async (candidate) => {
    const obstacle = whyNotIn(precision, candidate) ?? (await probe(candidate, device, threads));
    if (obstacle !== undefined) return obstacle;
    try {
      return await open(candidate);
    } catch (error) {
      if (candidate.device === "cpu") throw error; // nothing about the machine explains this
      if (precision === "float16" && error instanceof PolyrnnError) return { reason: error.message, fix: error.hint };
      return { reason: `the model does not run there (${reasonOf(error)})`, fix: "Use --device cpu." };
    }
  });
}

function whyNotIn(precision: PrecisionChoice | undefined, { engine }: Candidate): Obstacle | undefined {
  if (precision !== "float16" || engine === "wgsl") return undefined;
  return {
    reason: "it computes in float32 only",
    fix: "Use --precision auto, or --device webgpu on a graphics card that offers float16.",
  };
}

/** What `polyrnn doctor` shows for one candidate. */
export type ProbeReport = Candidate & {
  readonly adapter?: AdapterReport;
  readonly tiles?: ChosenTiles;
  /** What `--precision auto` takes, and why. */
  readonly precision?: string;
} & ({ readonly works: true } | ({ readonly works: false } & Obstacle));

/** Tries every candidate, in the order of `auto`; the first that works is the one `auto` takes. */
export async function probeDevices(): Promise<readonly ProbeReport[]> {
  const reports: ProbeReport[] = [];
  for (const candidate of candidatesFor("auto", forcedEngine())) {
    const obstacle = await probe(candidate, "auto");
    const isThere = candidate.engine === "wgsl" && missingHardware(candidate.device) === undefined;
    const adapter = isThere ? await knownAdapter() : undefined;
    // Where there was no trial yet, it is made here: a run would choose the same.
    const tiles = adapter !== undefined && obstacle === undefined ? await tilesOf(adapter) : undefined;
    const precision = adapter && choosePrecision("auto", adapter).remark;
    const known = {
      ...candidate,
      ...(adapter && { adapter }),
      ...(tiles && { tiles }),
      ...(precision && { precision }),
    };
    reports.push(obstacle === undefined ? { ...known, works: true } : { ...known, works: false, ...obstacle });
  }
  return reports;
}

function forcedEngine(): EngineName | undefined {
  const name = process.env["POLYRNN_ENGINE"];
  if (name === undefined || name === "") return undefined;
  if (name === "tfjs" || name === "onnxruntime" || name === "wgsl") return name;
  throw usageError(
    `POLYRNN_ENGINE: expected wgsl, tfjs or onnxruntime but received ${JSON.stringify(name.slice(0, 80))}`,
    "Correct or unset the environment variable.",
  );
}

/** @param asked `auto` looks for signs of hardware first; a device that was asked for is tried in any case */
async function probe(
  { engine, device }: Candidate,
  asked: DeviceChoice,
  threads?: number,
): Promise<Obstacle | undefined> {
  const missing = missingHardware(device);
  if (asked === "auto" && missing !== undefined) return missing;
  // What says so is the package `webgpu`: onnxruntime would take the same adapter but cannot tell.
  if (asked === "auto" && device === "webgpu" && (await knownAdapter())?.isSoftware === true) {
    return {
      reason: "the only adapter computes on the CPU",
      fix: "Install the GPU's own driver with Vulkan support; --device webgpu also takes a software driver.",
    };
  }
  const obstacle = await tryDevice(engine, device, threads);
  if (obstacle === undefined || missing === undefined) return obstacle;
  // What doctor says comes first: nothing else helps without a driver.
  return { reason: `${missing.reason}, and ${obstacle.reason}`, fix: missing.fix };
}

async function tryDevice(engine: EngineName, device: DeviceName, threads?: number): Promise<Obstacle | undefined> {
  try {
    if (engine === "wgsl") return await probeKernels();
    return engine === "tfjs"
      ? await probeTfjs(device, threads)
      : await (await import("./onnx/probe.js")).probeOnnx(device);
  } catch (error) {
    // The import itself: a native library for another platform, or one that is missing.
    return {
      reason: `${engine} does not load (${reasonOf(error).split("\n", 1)[0]!})`,
      fix: "Run npm ci again on this machine.",
    };
  }
}

async function probeKernels(): Promise<Obstacle | undefined> {
  const { describeAdapter } = await import("./webgpu/adapter.js");
  try {
    await describeAdapter();
    return undefined;
  } catch (error) {
    if (!(error instanceof PolyrnnError)) throw error;
    return { reason: error.message.replace(/^WebGPU: /, ""), fix: error.hint };
  }
}

/** The adapter of the package `webgpu`; undefined without the package, or where it finds none. */
async function knownAdapter(): Promise<AdapterReport | undefined> {
  const { describeAdapter } = await import("./webgpu/adapter.js");
  return describeAdapter().catch((error: unknown) => {
    if (error instanceof PolyrnnError) return undefined; // the probe of the kernels says why
    throw error;
  });
}

async function tilesOf(adapter: AdapterReport): Promise<ChosenTiles> {
  const { tilesFor } = await import("./webgpu/trial.js");
  return tilesFor(adapter);
}

async function probeTfjs(device: DeviceName, threads?: number): Promise<Obstacle | undefined> {
  if (device === "webgpu") return { reason: "TensorFlow.js has no WebGPU in Node", fix: "Use onnxruntime for WebGPU." };
  const { loadTfjs } = await import("./tfjs/load.js");
  const outcome = loadTfjs(device, threads);
  if ("tf" in outcome) return undefined;
  return {
    reason: outcome.obstacles.map(({ packageName, reason }) => `${packageName}: ${reason}`).join("; "),
    fix: outcome.obstacles[0]!.fix,
  };
}

/** The engine of a candidate that works. */
export async function openCandidate(
  { engine, device }: Candidate,
  model: WeightedNetwork,
  { threads, precision: choice = "auto" }: Pick<OpenEngineOptions, "threads" | "precision">,
): Promise<Engine> {
  if (engine === "wgsl") {
    const [{ openWebGpuEngine }, { checkAgainst, referenceOf }, { describeAdapter }] = await Promise.all([
      import("./webgpu/engine.js"),
      import("./self-check.js"),
      import("./webgpu/adapter.js"),
    ]);
    const reference = referenceOf(model); // while the device compiles
    reference.catch(() => undefined); // thrown where it is compared
    const { precision, remark } = choosePrecision(choice, await describeAdapter());
    return { ...(await checkAgainst(await openWebGpuEngine(model, { precision }), reference)), remark };
  }
  if (engine === "onnxruntime") {
    const { openOnnxEngine } = await import("./onnx/models.js");
    return openOnnxEngine(model, { device, ...(threads !== undefined && { threads }) });
  }
  const [{ loadFoundTfjs }, { openTfjsEngine }] = await Promise.all([
    import("./tfjs/load.js"),
    import("./tfjs/engine.js"),
  ]);
  const { tf, version } = loadFoundTfjs(device === "cuda" ? "cuda" : "cpu", threads);
  return openTfjsEngine(tf, model, { device, version });
}

/** Files that stand for a driver, by platform; "dxg" is the GPU inside WSL, "nvhost" the one of a Jetson. */
const NVIDIA_FILES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl-gpu"],
  win32: [join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "nvcuda.dll")],
};

/** Why nothing can compute on the device, whatever is installed; undefined where there are signs of hardware. */
export function missingHardware(device: DeviceName): Obstacle | undefined {
  if (device === "cuda" && process.platform === "darwin")
    return { reason: "macOS has no CUDA", fix: "Use --device webgpu or --device cpu." };
  if (device === "cuda" && !hasNvidiaDriver()) {
    return {
      reason: "no NVIDIA driver is visible",
      fix: "Install the driver, or give a container access to the GPU; then nvidia-smi lists it.",
    };
  }
  if (device === "webgpu" && !hasGpuHardware()) {
    return {
      reason: "no hardware GPU is visible",
      fix:
        "Install the GPU's driver, or give a container access to /dev/dri; " +
        "--device webgpu also takes a software driver.",
    };
  }
  return undefined;
}

export function hasNvidiaDriver(): boolean {
  return (NVIDIA_FILES[process.platform] ?? []).some((file) => existsSync(file));
}

/**
 * Whether WebGPU would find hardware: always assumed on macOS (Metal) and Windows (Direct3D 12), by device files on
 * Linux. Vulkan set up for a driver that computes on the CPU (SwiftShader, lavapipe) does not count; `--device webgpu`
 * still takes it.
 */
export function hasGpuHardware(): boolean {
  const drivers = `${process.env["VK_ICD_FILENAMES"] ?? ""}${process.env["VK_DRIVER_FILES"] ?? ""}`;
  if (/swiftshader|lvp|lavapipe/i.test(drivers)) return false;
  if (process.platform !== "linux") return true;
  return (
    hasNvidiaDriver() || (existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD")))
  );
}
