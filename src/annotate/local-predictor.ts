/** Draws in this process: crops are cut ahead while batches are drawn. */
import type { CropResult } from "../crop/crop.js";
import { readCrops } from "../crop/read-crops.js";
import { openBatchDecoder } from "../predict/decoder.js";
import type { Plan } from "./plan.js";
import { NOT_NOW } from "./plan.js";
import type { PredictedInstance } from "./predict-batch.js";
import { predictInstances } from "./predict-batch.js";
import type { Predictor, PredictRequest, OpenPredictor } from "./predictor.js";

/**
 * Crops per model call when the user does not say: enough to fill the device, little enough to journal often. A step on
 * a GPU takes 7 ms for 256 crops and 4 for 64, most of it the starting of kernels (bench/README.md).
 */
export const BATCH_SIZES = { cpu: 16, webgpu: 256, cuda: 256 } as const;
/** The same where several batches are drawn at once: each takes working memory of its own. */
const BATCH_SIZE_OF_MANY = 8;

/**
 * @param open another decoder than the device's own, for benchmarks
 * @throws E_UNAVAILABLE when no engine works on the device
 */
export const openLocalPredictor = async (
  ...[model, options, host, open = openBatchDecoder]: [...Parameters<OpenPredictor>, open?: typeof openBatchDecoder]
): Promise<Predictor> => {
  const { decoder, passedOver } = await open(model, options);
  const { batchesAtOnce } = decoder;
  let isOpen = true;
  host.note(`drawing with ${model.card.name} on ${decoder.device} (${decoder.version})`);
  return {
    batchSize: decoder.device === "cpu" && batchesAtOnce > 1 ? BATCH_SIZE_OF_MANY : BATCH_SIZES[decoder.device],
    passedOver,
    engine: () => ({ name: decoder.name, device: decoder.device, version: decoder.version }),
    async *draw({ sources, plan, identity, batchSize, clock }: PredictRequest) {
      const crops = readCrops(sources, {
        context: identity.context,
        maxCropsAhead: Math.max(2, batchesAtOnce) * batchSize,
        onTime: (stage, milliseconds) => {
          clock.add(stage, milliseconds);
        },
      });
      const inWork: Promise<PredictedInstance[]>[] = []; // in input order, and so they are yielded
      for await (const batch of batchesOf(crops, plan)) {
        if (host.signal.aborted) break;
        const drawing = predictInstances(decoder.decode, batch, identity, clock);
        drawing.catch(() => undefined); // met when its turn comes
        inWork.push(drawing);
        if (inWork.length >= batchesAtOnce) yield await inWork.shift()!;
      }
      for (const drawing of inWork) yield await drawing;
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await decoder.dispose();
    },
  };
};

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
