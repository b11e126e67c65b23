/** Finds a WebGPU adapter through the optional package `webgpu`, and says what it is. */
import type {} from "webgpu";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { reasonOf, unavailable } from "../../errors.js";

/** Bytes that one engine may hold on its device, unless a caller says otherwise. */
export const MEMORY_BOUND = 3 * 2 ** 30;

/** What `polyrnn doctor` shows of an adapter. */
export interface AdapterReport {
  readonly name: string;
  /** As the driver calls itself, with its version. */
  readonly driver: string;
  /** It computes on the CPU: SwiftShader, lavapipe. */
  readonly isSoftware: boolean;
  /** Whether kernels may compute in float16. Doubted: Dawn itself would leave it off, for errors of such drivers. */
  readonly float16: "offered" | "doubted" | "absent";
  readonly limits: {
    readonly bufferBytes: number;
    readonly bindingBytes: number;
    readonly buffersPerKernel: number;
    readonly workgroupBytes: number;
  };
  /** Bytes of it that an engine takes at most. */
  readonly memoryBound: number;
}

/** Dawn ends the process when this is collected while devices live (node-webgpu#18). */
let held: { gpu: GPU } | undefined;

/** @throws E_UNAVAILABLE without the package or an adapter */
export async function requestAdapter(): Promise<GPUAdapter> {
  held ??= { gpu: await loadGpu() };
  const missing = missingVulkan();
  if (missing !== undefined) {
    throw unavailable(
      `WebGPU: no Vulkan driver is installed (${missing})`,
      "Install the GPU's driver with Vulkan support and the Vulkan loader (Debian and Ubuntu: libvulkan1). " +
        "In a container with an NVIDIA GPU, add `graphics` to NVIDIA_DRIVER_CAPABILITIES.",
    );
  }
  const adapter = await held.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter !== null) return adapter;
  held = undefined; // another try may follow once there is a driver
  throw unavailable(
    "WebGPU: expected an adapter but found none",
    "Install the GPU's driver with Vulkan support and the Vulkan loader (Debian and Ubuntu: libvulkan1).",
  );
}

/** @throws E_UNAVAILABLE without the package or an adapter */
export async function describeAdapter(): Promise<AdapterReport> {
  return reportOf(await requestAdapter());
}

export function reportOf({ info, limits, features }: GPUAdapter): AdapterReport {
  const name = [info.vendor, info.device || info.architecture].filter((part) => part !== "").join(" ");
  return {
    name: name || info.description || "an adapter without a name",
    driver: info.description || "a driver without a name",
    isSoftware: info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(name + info.description),
    float16: features.has("shader-f16") ? (isDoubted(info) ? "doubted" : "offered") : "absent",
    limits: {
      bufferBytes: limits.maxBufferSize,
      bindingBytes: limits.maxStorageBufferBindingSize,
      buffersPerKernel: limits.maxStorageBuffersPerShaderStage,
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    },
    memoryBound: MEMORY_BOUND,
  };
}

/** Dawn offers float16 of NVIDIA's driver for Linux only where it is told to. */
function isDoubted({ vendor }: GPUAdapterInfo): boolean {
  return process.platform === "linux" && vendor === "nvidia";
}

/**
 * Where drivers are looked for in vain, on Linux; undefined elsewhere and where there is one. Dawn would say so, too,
 * but on standard error, past whoever formats messages.
 */
function missingVulkan(): string | undefined {
  const { env, platform } = process;
  if (platform !== "linux") return undefined;
  if (["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES"].some((name) => env[name])) return undefined;
  const listed = (value: string | undefined, otherwise: string): string[] => (value || otherwise).split(":");
  const roots = [
    ...listed(env["XDG_CONFIG_DIRS"], "/etc/xdg"),
    "/etc",
    ...listed(env["XDG_DATA_DIRS"], "/usr/local/share:/usr/share"),
    ...(env["HOME"] === undefined ? [] : [join(env["HOME"], ".local/share")]),
  ];
  const folders = roots.map((root) => join(root, "vulkan", "icd.d"));
  const hasDriver = folders.some(
    (folder) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".json")),
  );
  return hasDriver ? undefined : `no .json in ${folders.join(", ")}`;
}

async function loadGpu(): Promise<GPU> {
  try {
    const { create } = await import("webgpu");
    return create(["enable-dawn-features=vulkan_enable_f16_on_nvidia"]);
  } catch (error) {
    const text = reasonOf(error);
    const isMissing = /Cannot find (package|module) 'webgpu'/.test(text);
    throw unavailable(
      isMissing
        ? "WebGPU: the package webgpu is not installed"
        : `WebGPU: the package webgpu does not load (${text.trim().split("\n", 1)[0]!.slice(0, 200)})`,
      "Run: npm install webgpu",
    );
  }
}

/** Of the package `webgpu`, which is there. */
export function dawnVersion(): string {
  const file = createRequire(import.meta.url).resolve("webgpu/package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}
