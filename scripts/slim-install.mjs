/**
 * Removes what other platforms would need from the onnxruntime-node that polyrnn uses, and from webgpu where it is
 * installed: their packages carry the libraries of five, some 290 and 130 MB, and have no setting for that. Only by hand, because the package is another's and a project may
 * share its folder between machines:
 *
 *     node node_modules/polyrnn/scripts/slim-install.mjs
 *
 * After another `npm install` of these packages they are back.
 */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const from = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
let removed = 0;
for (const napi of readdirSync(join(dirname(from), "bin")).map((name) => join(dirname(from), "bin", name))) {
  const own = join(napi, process.platform, process.arch);
  // Where there is nothing for this machine, nothing is taken away either.
  if (!existsSync(own)) continue;
  for (const platform of readdirSync(napi).map((name) => join(napi, name)))
    for (const folder of readdirSync(platform).map((name) => join(platform, name))) if (folder !== own) remove(folder);
}
const dawn = folderOfWebGpu();
if (dawn !== undefined) {
  const own = `${process.platform}-${process.platform === "darwin" ? "universal" : process.arch}`;
  const platforms = readdirSync(join(dawn, "dist"));
  if (platforms.includes(own)) for (const name of platforms) if (name !== own) remove(join(dawn, "dist", name));
}
const cleaned = [dirname(from), dawn].filter((folder) => folder !== undefined);
process.stdout.write(`removed ${Math.round(removed / 1e6)} MB of other platforms from ${cleaned.join(" and ")}\n`);

function folderOfWebGpu() {
  try {
    return dirname(createRequire(import.meta.url).resolve("webgpu/package.json"));
  } catch {
    return undefined; // it is optional
  }
}

function remove(folder) {
  for (const entry of readdirSync(folder, { recursive: true })) removed += statSync(join(folder, entry)).size;
  rmSync(folder, { recursive: true });
}
