/** A worker whose batches last as long as the benchmark says: the real tiny network, then waiting for the rest of the time. */
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { drawHere } from "../dist/annotate/draw-here.js";
import { openEngine } from "../dist/runtime/devices.js";
import { runWorker } from "../dist/queue/run-worker.js";

/** @returns an engine of which encoding a batch lasts at least `batchMs` */
export function slowed(engine, batchMs) {
  return {
    name: engine.name, device: engine.device, version: engine.version,
    dispose: () => engine.dispose(),
    async encode(pixels, count) {
      const [decoding] = await Promise.all([engine.encode(pixels, count), wait(batchMs)]);
      return decoding;
    },
  };
}

/** The plain run's drawer with such an engine. */
export function batchDrawer(batchMs) {
  return (model, options, host) => drawHere(model, options, host, async (...given) => {
    const { engine, passedOver } = await openEngine(...given);
    return { engine: slowed(engine, batchMs), passedOver };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stop = new AbortController();
  process.once("SIGTERM", () => { stop.abort(); });
  await runWorker({
    queue: process.argv[2], queueTimeoutMs: 60_000, images: fileURLToPath(new URL("../fixtures/images", import.meta.url)),
    model: fileURLToPath(new URL("../fixtures/models/tiny-random", import.meta.url)), device: "cpu", concurrency: 2, stalledAfterMs: 30_000,
    maxBytes: 1e8, timeoutMs: 30_000, allowPrivateAddresses: false, metricsHost: "127.0.0.1",
  }, { signal: stop.signal, note: () => undefined }, async (model, device) => slowed((await openEngine(model, { device, threads: 1 })).engine, Number(process.argv[3])));
}
