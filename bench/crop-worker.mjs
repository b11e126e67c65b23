/**
 * Reads, decodes and cuts in a thread of its own, never more than `ahead` crops before the main thread. Started by
 * options-images.mjs.
 */
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { cropsOf } from "./inputs.mjs";

const { boxes, context, ahead } = workerData;
let untaken = 0;
parentPort.on("message", () => {
  untaken--;
});
for await (const { pixels } of cropsOf(boxes, context, { maxCropsAhead: ahead })) {
  while (untaken >= ahead) await once(parentPort, "message");
  untaken++;
  parentPort.postMessage(
    pixels,
    pixels.byteOffset === 0 && pixels.byteLength === pixels.buffer.byteLength ? [pixels.buffer] : [],
  );
}
parentPort.postMessage(undefined);
parentPort.close();
