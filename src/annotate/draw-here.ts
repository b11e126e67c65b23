/** Draws in this process: crops are cut ahead while the engine computes. */
import type { CropResult } from "../crop/crop.js";
import { readCrops } from "../crop/read-crops.js";
import { openEngine } from "../runtime/devices.js";
import { drawBatch } from "./draw-batch.js";
import type { DrawRequest, Drawer, OpenDrawer } from "./drawer.js";
import { NOT_NOW, type Plan } from "./plan.js";

/** Crops per model call when the user does not say: enough to fill the device, little enough to journal often. */
export const BATCH_SIZES = { cpu: 16, webgpu: 64, cuda: 64 } as const;

/**
 * @param open another engine than the device's own, for benchmarks
 * @throws E_UNAVAILABLE when no engine works on the device
 */
export const drawHere = async (...[model, options, host, open = openEngine]: [...Parameters<OpenDrawer>, open?: typeof openEngine]): Promise<Drawer> => {
  const { engine, passedOver } = await open(model, { device: options.device });
  let isOpen = true;
  host.note(`drawing with ${model.card.name} on ${engine.device} (${engine.version})`);
  return {
    batchSize: BATCH_SIZES[engine.device],
    passedOver,
    engine: () => ({ name: engine.name, device: engine.device, version: engine.version }),
    async *draw({ sources, plan, identity, batchSize, clock }: DrawRequest) {
      const crops = readCrops(sources, {
        context: identity.context,
        maxCropsAhead: 2 * batchSize,
        onTime: (stage, milliseconds) => { clock.add(stage, milliseconds); },
      });
      for await (const batch of batchesOf(crops, plan)) yield await drawBatch(engine, batch, identity, clock);
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await engine.dispose();
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
