/**
 * Removes what other platforms would need from an onnxruntime-node: its package carries the libraries of five, some
 * 290 MB, and has no setting for that.
 */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * @param folder of the package
 * @param {{ platform: string, arch: string }} target as Node names them
 * @returns bytes removed; 0 where the package has nothing for that platform
 */
export function removeOtherPlatforms(folder, { platform, arch }) {
  const bin = join(folder, "bin");
  if (!existsSync(bin)) return 0;
  let removed = 0;
  for (const napi of readdirSync(bin).map((name) => join(bin, name))) {
    const own = join(napi, platform, arch);
    // Where there is nothing for this machine, nothing is taken away either.
    if (!existsSync(own)) continue;
    for (const other of readdirSync(napi).map((name) => join(napi, name)))
      for (const libraries of readdirSync(other).map((name) => join(other, name)))
        if (libraries !== own) removed += removeFolder(libraries);
  }
  return removed;
}

function removeFolder(folder) {
  const bytes = readdirSync(folder, { recursive: true }).reduce(
    (sum, entry) => sum + statSync(join(folder, entry)).size,
    0,
  );
  rmSync(folder, { recursive: true });
  return bytes;
}
