/**
 * Draws on WebGPU, then ends in the middle of a batch, with exit code 3: node webgpu-child.mjs MODEL CROPS BATCHES.
 * CROPS: file of crops, 224 x 224 x 3 bytes each. BATCHES: JSON, options of a batch of one crop each.
 */
import { readFileSync, writeSync } from "node:fs";
import { argv, exit } from "node:process";
import { setTimeout } from "node:timers";
import { loadModel } from "../../dist/model/model.js";
import { openBatchDecoder } from "../../dist/predict/decoder.js";

const CROP_BYTES = 224 * 224 * 3;
const crops = readFileSync(argv[3]);
const { decoder } = await openBatchDecoder(await loadModel(argv[2]), { device: "webgpu", threads: 1 });
const { name, device, batchesAtOnce } = decoder;
const cropAt = (at) => ({
  window: { left: 0, top: 0, side: 224 },
  bounds: { left: 15, top: 15, width: 194, height: 194 },
  pixels: new Uint8Array(crops.subarray(at * CROP_BYTES, (at + 1) * CROP_BYTES)),
});
const batches = await Promise.all(JSON.parse(argv[4]).map((options, at) => decoder.decode([cropAt(at)], options)));
const rings = batches.flatMap(({ outlines }) => outlines.map(({ ring }) => ring));
writeSync(1, JSON.stringify({ name, device, batchesAtOnce, rings }));

void decoder.decode([cropAt(0)], { maxSteps: 70, candidates: 1 });
setTimeout(() => exit(3), 100);
