/**
 * WebGPU through SwiftShader, the Vulkan driver for the CPU inside Debian's `chromium` package (`libvulkan1` is needed
 * as well): slow, but it runs the same shaders as a graphics card.
 */
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";

const DRIVER = process.env["VK_ICD_FILENAMES"] ?? "/usr/lib/chromium/vk_swiftshader_icd.json";
const LIBRARY_FOLDERS = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/lib"];

/** Shaders of a whole network are compiled for the CPU. */
export const SLOW_MS = 240_000;

/** Why there is no WebGPU for tests here; undefined where there is. */
export const whyNoWebGpu = !existsSync(DRIVER)
  ? `no Vulkan driver at ${DRIVER} (Debian: apt-get install chromium)`
  : hasLoader()
    ? undefined
    : "no Vulkan loader (Debian: apt-get install libvulkan1)";
if (whyNoWebGpu !== undefined) console.log(`WebGPU tests skipped: ${whyNoWebGpu}`);

function hasLoader(): boolean {
  return LIBRARY_FOLDERS.some(
    (folder) => existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("libvulkan.so.1")),
  );
}

/** Before the first WebGPU session of this process. */
export function useSwiftShader(): void {
  process.env["VK_ICD_FILENAMES"] = DRIVER;
  process.env["XDG_RUNTIME_DIR"] ??= tmpdir(); // else Mesa's layer, where it is installed, complains on standard error
}
