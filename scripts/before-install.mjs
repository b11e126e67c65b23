/**
 * Runs before the install scripts of the dependencies (npm runs every `preinstall` first, when all packages are on the
 * disk), and makes of onnxruntime-node what most people want:
 *
 * - Nobody downloads CUDA who did not ask for it. The package's own script fetches hundreds of megabytes from a NuGet
 *   feed on Linux and fails the whole installation where that is out of reach; the libraries for CPU and WebGPU are in
 *   the package. The script is moved beside itself and runs only when the settings that it documents ask for it.
 * - The libraries of four other platforms, 255 MB, are removed. POLYRNN_KEEP_PLATFORMS=1 keeps them, for a folder that
 *   machines of different kinds share. `npm install --os --cpu` is followed.
 *
 * In a checkout, the lock file holds back the script, and nothing is removed. Where a project depends on onnxruntime-node
 * itself, the package is left as it is. A shrinkwrap of our own would pin versions, but npm then installs sharp's
 * libraries for all platforms.
 *
 * Nothing here may fail an installation.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeOtherPlatforms } from "./other-platforms.mjs";

const PACKAGE = "onnxruntime-node";
const HOME = fileURLToPath(new URL("..", import.meta.url));

const ASK_FIRST = `// Put here by polyrnn: CUDA is fetched where it is asked for, for example with ONNXRUNTIME_NODE_INSTALL=1.
const { env, argv } = process;
const names = ["ONNXRUNTIME_NODE_INSTALL", "ONNXRUNTIME_NODE_INSTALL_CUDA"];
const isAsked =
  names.some((name) => env[name] || env["npm_config_" + name.toLowerCase()]) ||
  argv.some((word) => word.startsWith("--onnxruntime-node-install"));
if (isAsked) require("./install-from-nuget.js");
`;

try {
  const folder = findPackage();
  if (folder !== undefined && !isCheckout() && !isOfProject()) {
    askFirst(join(folder, "script"));
    const { POLYRNN_KEEP_PLATFORMS: keep, npm_config_os: platform, npm_config_cpu: arch } = process.env;
    if (!keep) removeOtherPlatforms(folder, { platform: platform || process.platform, arch: arch || process.arch });
  }
} catch (error) {
  const message = error instanceof Error ? error.message : error;
  process.stderr.write(`polyrnn: ${PACKAGE} stays as it is, and may download CUDA: ${message}\n`);
}

/** As an import in this package would find it. */
function findPackage() {
  const folders = createRequire(import.meta.url).resolve.paths(PACKAGE) ?? [];
  return folders.map((folder) => join(folder, PACKAGE)).find((folder) => existsSync(join(folder, "package.json")));
}

function isCheckout() {
  return existsSync(join(HOME, "src"));
}

/** Whether the project that npm installs into names the package, too. */
function isOfProject() {
  const root = process.env.npm_config_local_prefix;
  if (root === undefined || !existsSync(join(root, "package.json"))) return false;
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  return [dependencies, devDependencies, optionalDependencies].some((named) => named?.[PACKAGE] !== undefined);
}

/** Files are replaced, never written into: some package managers share them between projects. */
function askFirst(folder) {
  const script = join(folder, "install.js");
  const moved = join(folder, "install-from-nuget.js");
  if (!existsSync(script) || existsSync(moved)) return;
  const waiting = `${script}.${process.pid}`;
  writeFileSync(waiting, ASK_FIRST);
  renameSync(script, moved);
  renameSync(waiting, script);
}
