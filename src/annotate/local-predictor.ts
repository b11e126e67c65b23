/** Predicts in this process: crops are cut ahead while batches are decoded. */
import type { CropResult } from "../crop/crop.js";
import { Cutters, cuttersFor } from "../crop/cutters.js";
import { readCrops } from "../crop/read-crops.js";
import { countCores } from "../engine/cores.js";
import { engineText } from "../engine/precision.js";
import type { Model } from "../model/model.js";
import { openBatchDecoder } from "../predict/decoder.js";
import type { BatchDecoder } from "../predict/outline.js";
import type { Plan } from "./plan.js";
import { NOT_NOW } from "./plan.js";
import type { PredictedInstance } from "./predict-batch.js";
import { predictInstances } from "./predict-batch.js";
import type { AnnotateHost, AnnotateOptions } from "./options.js";
import type { Predictor, PredictRequest } from "./predictor.js";

/**
 * Crops per model call when the user does not say: enough to fill the device, few enough to journal often. A GPU wants
 * large batches, because most of a step's time goes into starting kernels (bench/README.md).
 */
export const BATCH_SIZES = { cpu: 16, webgpu: 256, cuda: 256 } as const;
/** Where several batches are decoded at once: each takes working memory of its own. */
const BATCH_SIZE_OF_MANY = 8;

/**
 * Instances per second of `mobile`, as measured (bench/README.md): a first guess at the time a run takes, until its
 * first batch is done.
 */
const USUAL_PER_SECOND = { perCore: 24, gpu: 150 };

/** @returns undefined for other architectures, whose rate was not measured on enough machines */
function usualPerSecond(model: Model, device: "cpu" | "webgpu" | "cuda", cores: number): number | undefined {
  if (model.card.architecture.name !== "mobile") return undefined;
  return device === "cpu" ? cores * USUAL_PER_SECOND.perCore : USUAL_PER_SECOND.gpu;
}

const ENGINE_WORDS = { wgsl: "with own kernels", onnxruntime: "through onnxruntime", tfjs: "through TensorFlow.js" };

/**
 * Threads that cut, which the caller closes. Our own kernels draw faster than one thread cuts; every other engine draws
 * slower, and gets none.
 */
export function cuttersBeside(decoder: BatchDecoder, cores: number): Cutters | undefined {
  return decoder.name === "wgsl" ? new Cutters(cuttersFor(cores)) : undefined;
}

/**
 * @param open opens the decoder; benchmarks pass another than the device's own
 * @throws E_UNAVAILABLE when no engine works on the device
 */
export async function openLocalPredictor(
  model: Model,
  options: AnnotateOptions,
  host: AnnotateHost,
  open = openBatchDecoder,
): Promise<Predictor> {
  const { decoder, passedOver } = await open(model, options);
  const { batchesAtOnce } = decoder;
  let isOpen = true;
  const cores = options.threads ?? countCores();
  const cutters = cuttersBeside(decoder, cores);
  const usual = usualPerSecond(model, decoder.device, cores);
  // Other devices are doctor's matter; whoever gets the second best of this one should know what would change that.
  for (const { candidate, reason, fix } of passedOver) {
    if (candidate.device === decoder.device) {
      host.note(`not ${ENGINE_WORDS[candidate.engine]} on ${candidate.device}: ${reason}. ${fix}`);
    }
  }
  host.note(`drawing with ${model.card.name} on ${decoder.device} (${engineText(decoder)})`);
  return {
    batchSize: decoder.device === "cpu" && batchesAtOnce > 1 ? BATCH_SIZE_OF_MANY : BATCH_SIZES[decoder.device],
    passedOver,
    ...(decoder.precision === "float16" && { precision: decoder.precision }),
    ...(usual !== undefined && { usualPerSecond: usual }),
    engine: () => ({ name: decoder.name, device: decoder.device, version: decoder.version }),
    async *predict({ sources, plan, identity, batchSize, clock }: PredictRequest) {
      const crops = readCrops(sources, {
        context: identity.context,
        maxCropsAhead: Math.max(2, batchesAtOnce) * batchSize,
        onTime: (stage, milliseconds) => {
          clock.add(stage, milliseconds);
        },
        ...(cutters && { maker: cutters }),
      });
      const underWay: Promise<PredictedInstance[]>[] = []; // yielded in this order, that of the input
      try {
        for await (const batch of batchesOf(crops, plan)) {
          if (host.signal.aborted) break;
          const predicting = predictInstances(decoder.decode, batch, identity, clock);
          predicting.catch(() => undefined); // handled when its turn comes
          underWay.push(predicting);
          if (underWay.length >= batchesAtOnce) yield await underWay.shift()!;
        }
        while (underWay.length > 0) yield await underWay.shift()!;
      } catch (error) {
        // The other batches under way may end well: they are kept, and the first error is the run's.
        for (const ended of await Promise.allSettled(underWay)) if (ended.status === "fulfilled") yield ended.value;
        throw error;
      }
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await Promise.all([decoder.dispose(), cutters?.close()]);
    },
  };
}

/** Cuts the stream where the plan's batch number changes. */
async function* batchesOf(results: AsyncIterable<CropResult>, plan: Plan): AsyncGenerator<CropResult[]> {
  let batch: CropResult[] = [];
  let current = NOT_NOW;
  for await (const result of results) {
    const instance = result.kind === "crop" ? result.crop.instance : result.instance;
    const number = plan.batchOf[instance.ordinal]!;
    if (number !== current && batch.length > 0) {
      yield batch;
      batch = [];
    }
    current = number;
    batch.push(result);
  }
  if (batch.length > 0) yield batch;
}
