/** Cheap signs of a GPU: files the drivers make. They decide whether `auto` spends time on loading a GPU library. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Files that stand for a driver, by platform; "dxg" is the GPU inside WSL, "nvhost" the one of a Jetson. */
const NVIDIA_FILES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl-gpu"],
  win32: [join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "nvcuda.dll")],
};

export function hasNvidiaDriver(): boolean {
  return (NVIDIA_FILES[process.platform] ?? []).some((file) => existsSync(file));
}

/**
 * Whether WebGPU would find hardware: always assumed on macOS (Metal) and Windows (Direct3D 12), by device files on Linux. Vulkan
 * set up for a driver that computes on the CPU (SwiftShader, lavapipe) does not count; `--device webgpu` still takes it.
 */
export function hasGpuHardware(): boolean {
  const drivers = `${process.env["VK_ICD_FILENAMES"] ?? ""}${process.env["VK_DRIVER_FILES"] ?? ""}`;
  if (/swiftshader|lvp|lavapipe/i.test(drivers)) return false;
  if (process.platform !== "linux") return true;
  return (
    hasNvidiaDriver() || (existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD")))
  );
}
