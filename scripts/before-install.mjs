/**
 * Runs before the install scripts of the dependencies (npm runs every `preinstall` first), so that nobody downloads
 * CUDA who did not ask for it. onnxruntime-node's own script fetches hundreds of megabytes from a NuGet feed on Linux
 * and fails the whole installation where that is out of reach; the libraries for CPU and WebGPU are in its package.
 *
 * The lock files settle this where npm reads them (scripts/write-shrinkwrap.mjs). It reads none of a packed tarball
 * that is installed by its path. There, the script is moved beside itself and runs only when it is asked for by the
 * settings that it documents. Where a project depends on onnxruntime-node itself, its script is left as it is.
 *
 * Nothing here may fail an installation.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

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
  if (folder !== undefined && !isCheckout() && !isOfProject()) askFirst(join(folder, "script"));
} catch (error) {
  process.stderr.write(`polyrnn: ${PACKAGE} may download CUDA: ${error instanceof Error ? error.message : error}\n`);
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
