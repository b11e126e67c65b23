/**
 * Opens what turns batches of crops into sequences. That is an engine in this thread, or engines in threads of their
 * own on a CPU with several cores (predict/decoder-pool.ts) and through WebGPU (predict/judges.ts for kernels of ours).
 */
import { stackPixels } from "../crop/crop.js";
import { countCores } from "../engine/cores.js";
import type { OpenEngineOptions, PassedOver } from "../engine/devices.js";
import { openCandidate, openFirst } from "../engine/devices.js";
import type { Engine } from "../engine/engine.js";
import type { WeightedNetwork } from "../model/model.js";
import type { BatchDecoder } from "./outline.js";
import { decodeOutlines } from "./outline.js";

/**
 * @returns a decoder for the model, which the caller disposes, and the devices that were passed over on the way to it
 * @throws E_UNAVAILABLE when no engine works on the device
 */
export async function openBatchDecoder(
  model: WeightedNetwork,
  options: OpenEngineOptions,
): Promise<{ decoder: BatchDecoder; passedOver: readonly PassedOver[] }> {
  const { threads: cores = countCores() } = options;
  const { taken: decoder, passedOver } = await openFirst<BatchDecoder>(options, async (candidate) => {
    const { engine, device } = candidate;
    if (engine === "wgsl") {
      const { judgesFor, openKernelThread } = await import("./judges.js");
      return openKernelThread(model, judgesFor(cores));
    }
    const hasThreads = engine === "onnxruntime" && (device === "webgpu" || (device === "cpu" && cores > 1));
    if (!hasThreads) return decoderOf(await openCandidate(candidate, model, options));
    const { openDecodeThreads } = await import("./decoder-pool.js");
    return openDecodeThreads(model, device, cores);
  });
  return { decoder, passedOver };
}

/** One batch at a time on an engine, which the decoder disposes. */
export function decoderOf(engine: Engine): BatchDecoder {
  const { name, device, version } = engine;
  return {
    name,
    device,
    version,
    batchesAtOnce: 1,
    decode: (crops, options) => decodeOutlines(engine, stackPixels(crops), crops, options),
    dispose: () => engine.dispose(),
  };
}
