/**
 * Takes the libraries of other platforms out of the onnxruntime-node that polyrnn uses, by hand: in an image that is
 * built from a checkout, or after an installation without install scripts.
 *
 *     node node_modules/polyrnn/scripts/slim-install.mjs
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { removeOtherPlatforms } from "./other-platforms.mjs";

const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
const removed = removeOtherPlatforms(folder, process);
process.stdout.write(`removed ${Math.round(removed / 1e6)} MB of other platforms from ${folder}\n`);
