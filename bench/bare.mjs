/**
 * Bare onnxruntime: two sessions with annotate's own options, run over recorded batches. Inputs and outputs of every
 * size lie ready. In a thread it takes batches in turn with the others.
 */
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { countCores } from "../dist/engine/cores.js";
import { onnxSessionOptions } from "../dist/engine/onnx/engine.js";
import { buildEncoderModel, buildStepModel } from "../dist/engine/onnx/models.js";
import { timed } from "./harness.mjs";

/**
 * Opened and released each time, as annotate does: the other's gigabyte of idle arena costs vgg16 a tenth of its time.
 */
export async function timeBare(model, batches) {
  const bare = await openBare(modelsOf(model), batches, countCores());
  try {
    return await timed(async () => {
      for (const batch of batches) await bare.replay(batch);
    });
  } finally {
    await bare.release();
  }
}

/** The same, each batch on one thread. */
export async function timeBareThreads(model, batches) {
  const models = modelsOf(model);
  const next = new Int32Array(new SharedArrayBuffer(4));
  const threads = Array.from(
    { length: countCores() },
    () => new Worker(new URL(import.meta.url), { workerData: { models, batches, next } }),
  );
  const said = () =>
    Promise.all(
      threads.map(
        (thread) =>
          new Promise((resolve, reject) => {
            thread.once("message", resolve).once("error", reject);
          }),
      ),
    );
  await said();
  const run = await timed(async () => {
    const ended = said();
    for (const thread of threads) thread.postMessage("begin");
    await ended;
  });
  await Promise.all(
    threads.map(
      (thread) =>
        new Promise((resolve) => {
          thread.once("exit", resolve).postMessage("end");
        }),
    ),
  );
  return run;
}

function modelsOf(model) {
  return {
    widths: model.network.widths,
    encoder: buildEncoderModel(model, "decoding"),
    step: buildStepModel(model),
  };
}

async function openBare({ widths: [c1, c2], ...models }, batches, threads) {
  const options = onnxSessionOptions({ device: "cpu", threads });
  const encoder = await InferenceSession.create(models.encoder, options);
  const stepper = await InferenceSession.create(models.step, options);
  const tensorsOf = (size) => {
    const plane = (channels) =>
      new Tensor(
        "float32",
        new Float32Array(size * channels * 784).map((_, at) => Math.sin(at) / 2),
        [size, channels, 28, 28],
      );
    const state = (prefix) => ({
      [`${prefix}h1`]: plane(c1),
      [`${prefix}c1`]: plane(c1),
      [`${prefix}h2`]: plane(c2),
      [`${prefix}c2`]: plane(c2),
    });
    return {
      feeds: { hoisted: plane(4 * c1), ...state("") },
      fetches: { logits: new Tensor("float32", new Float32Array(size * 785), [size, 785]), ...state("next_") },
    };
  };
  const ready = new Map();
  for (const { size } of batches.flatMap(({ steps }) => steps)) if (!ready.has(size)) ready.set(size, tensorsOf(size));
  return {
    async replay({ pixels, count, steps }) {
      await encoder.run({ pixels: new Tensor("uint8", pixels, [count, 224, 224, 3]) });
      for (const { size, input } of steps) {
        const { feeds, fetches } = ready.get(size);
        const indices = (values) => new Tensor("int32", values, [size]);
        await stepper.run(
          {
            ...feeds,
            first: indices(input.first),
            previous: indices(input.previous),
            before_previous: indices(input.beforePrevious),
          },
          fetches,
        );
      }
    },
    async release() {
      await encoder.release();
      await stepper.release();
    },
  };
}

if (!isMainThread && workerData?.next !== undefined) {
  const { models, batches, next } = workerData;
  const bare = await openBare(models, batches, 1);
  parentPort.on("message", async (word) => {
    if (word === "begin") {
      for (let at = Atomics.add(next, 0, 1); at < batches.length; at = Atomics.add(next, 0, 1))
        await bare.replay(batches[at]);
      parentPort.postMessage("done");
    } else {
      await bare.release();
      parentPort.close();
    }
  });
  parentPort.postMessage("ready");
}
