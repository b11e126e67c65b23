/**
 * A worker whose batches last as long as the benchmark says: the real tiny network, then waiting for the rest of the
 * time.
 */
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLocalPredictor } from "../dist/annotate/local-predictor.js";
import { decoderOf } from "../dist/predict/decoder.js";
import { openEngine } from "../dist/engine/devices.js";
import { runWorker } from "../dist/queue/worker.js";

/** @returns an engine of which encoding a batch lasts at least `batchMs` */
function slowed(engine, batchMs) {
  return {
    name: engine.name,
    device: engine.device,
    version: engine.version,
    dispose: () => engine.dispose(),
    async encode(pixels, count) {
      const [decoding] = await Promise.all([engine.encode(pixels, count), wait(batchMs)]);
      return decoding;
    },
  };
}

/**
 * Opens decoders with such an engine. One thread for the network, here and in every worker, so that both compute alike.
 */
function slowDecoders(batchMs) {
  return async (model, { device }) => {
    const { engine, passedOver } = await openEngine(model, { device, threads: 1 });
    return { decoder: decoderOf(slowed(engine, batchMs)), passedOver };
  };
}

/** The plain run's predictor with such a decoder. */
export function batchPredictor(batchMs) {
  return (model, options, host) => openLocalPredictor(model, options, host, slowDecoders(batchMs));
}

// queue-worker.mjs ADDRESS IMAGES BATCH_MS MODEL: works until SIGTERM, then says in one JSON line how much processor
// time it took.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [address, images, batchMs, model] = process.argv.slice(2);
  const stop = new AbortController();
  process.once("SIGTERM", () => {
    stop.abort();
  });
  let began;
  // The first request for it marks the beginning of the measure: what starting up took is not counted.
  process.on("SIGUSR2", () => {
    began = process.cpuUsage();
  });
  await runWorker(
    {
      queue: address,
      queueTimeoutMs: 60_000,
      images,
      model,
      device: "cpu",
      concurrency: 2,
      stalledAfterMs: 30_000,
      maxBytes: 1e8,
      timeoutMs: 30_000,
      allowPrivateAddresses: false,
      metricsHost: "127.0.0.1",
    },
    { signal: stop.signal, note: () => undefined },
    slowDecoders(Number(batchMs)),
  );
  const { user, system } = process.cpuUsage(began);
  process.stdout.write(`${JSON.stringify({ cpuMs: (user + system) / 1000 })}\n`);
}
