/**
 * Writes npm-shrinkwrap.json for the package that is packed (npm runs this as `prepack`; `postpack` takes the file away
 * again): the versions of package-lock.json, without what only development needs. Whoever installs `polyrnn` from a
 * registry gets what was tested.
 *
 * It also decides that nobody downloads CUDA who did not ask for it. onnxruntime-node's install script fetches hundreds
 * of megabytes of CUDA libraries on Linux and fails the whole installation where it cannot; npm has no setting for that
 * which a package can bring along (scripts/before-install.mjs helps where no lock is read), but it runs install scripts of a locked package only where the lock says that there
 * are some. package-lock.json leaves that mark out for onnxruntime-node (test/process/install.test.ts holds it), and so
 * does the file written here. The CPU and WebGPU libraries are inside onnxruntime-node's own package. npm 12 asks
 * before it runs any script; `allowScripts` in package.json answers for this project.
 */
import { readFileSync, writeFileSync } from "node:fs";

const file = (name) => new URL(`../${name}`, import.meta.url);
const lock = JSON.parse(readFileSync(file("package-lock.json"), "utf8"));
const packages = Object.fromEntries(Object.entries(lock.packages).filter(([, entry]) => entry.dev !== true));
delete packages[""].devDependencies;
writeFileSync(file("npm-shrinkwrap.json"), `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
