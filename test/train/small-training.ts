/** A training run small enough for tests: the tiny network on the drawn scenes of fixtures/. */
import { join } from "node:path";
import { NO_AUGMENTATION } from "../../src/train/data/augmentation.js";
import type { TrainOptions } from "../../src/train/options.js";
import { DEFAULT_RECIPE } from "../../src/train/options.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");

export const SMALL: TrainOptions = {
  ...DEFAULT_RECIPE,
  model: "tiny",
  device: "cpu",
  out: "",
  seed: 5,
  batchSize: 2,
  steps: 6,
  learningRate: 1e-2,
  backboneLearningRate: 1e-2,
  warmup: 2,
  ema: 0.9,
  reportEvery: 2,
  validateEvery: 4,
  checkpointEvery: 3,
  // Weights of a few steps draw to the limit.
  maxSteps: 6,
  data: {
    boxes: join(FIXTURES, "boxes.json"),
    images: join(FIXTURES, "images"),
    maxInstances: 12,
    filter: { simplifyCells: 3 },
    augmentation: NO_AUGMENTATION,
  },
  validation: {
    boxes: join(FIXTURES, "cityscapes", "gtFine"),
    images: join(FIXTURES, "cityscapes", "leftImg8bit"),
    maxInstances: 4,
    filter: { minAreaPx: 100 },
  },
};
