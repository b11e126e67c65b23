/**
 * What the ways of drawing are worth: mean IoU of the shipped model with vertices at the centers, the paper's choice of
 * a vertex, other candidates, beams, the outline of its mask map and other margins around the box, each beside what the
 * program does, on the same photographs. Intervals are of the difference, instance by instance. Training is not in it.
 */
import { iouWithTruth } from "../dist/geometry/iou.js";
import { bootstrapMean } from "../dist/evaluate/bootstrap.js";
import { decodeBest, maskOf } from "../dist/predict/candidates.js";
import { DEFAULT_CANDIDATES, MAX_STEPS } from "../dist/predict/options.js";
import { decodeFrom } from "../dist/predict/decode.js";
import { bestFirstVertices, decodeLoop } from "../dist/predict/decode-loop.js";
import { firstVertices } from "../dist/predict/choose-vertex.js";
import { sequenceToRing } from "../dist/predict/outline.js";
import { stackPixels } from "../dist/crop/crop.js";
import { chooseLikeliest } from "../dist/predict/choose-vertex.js";
import { createRandom } from "../dist/random.js";
import { openEngine } from "../dist/engine/devices.js";
import { loadModel } from "../dist/model/model.js";
import { FITS_BEST, LIKELIEST, predictByBeam } from "./beam.mjs";
import { timed } from "./harness.mjs";
import { sampleCrops } from "./inputs.mjs";
import { maskOutline } from "./mask-outline.mjs";

const BATCH = 16;
const RESAMPLES = 1000;
const MARGINS = [0.1, 0.2];
const MASK_LEVELS = [0.43, 0.5];

class Accept {
  constructor(first) {
    this.first = first;
  }
  decide(predicted, proposed) {
    return { taken: predicted.length === 0 ? this.first : proposed };
  }
}

const predictWith = (candidates) => async (engine, pixels, crops) =>
  (await decodeBest(engine, pixels, crops, { maxSteps: MAX_STEPS, candidates })).sequences;

/**
 * The paper's rule: the cell with the largest probability of its own, or end-of-sequence; from the best first vertex
 * only.
 */
async function predictByPaper(engine, pixels, crops) {
  const encoded = await engine.encode(pixels, crops.length);
  const predicted = await decodeLoop(
    encoded,
    bestFirstVertices(encoded).map((first) => [new Accept(first)]),
    { maxSteps: MAX_STEPS, choose: chooseLikeliest },
  );
  return predicted.sort((a, b) => a.crop - b.crop).map(({ sequence }) => sequence);
}

/** As many polygons for every crop, doubted or not, none of them in the mirror; the one that fits best. */
const predictForEvery = (count) => async (engine, pixels, crops) => {
  const encoded = await engine.encode(pixels, crops.length);
  const best = crops.map((_, crop) => ({ value: -1, maskLogits: maskOf(encoded.maskLogits, crop) }));
  for (let candidate = 0; candidate < count; candidate++) {
    const firsts = crops.map((_, crop) => firstVertices(encoded.firstVertexLogits, crop, candidate + 1).at(-1));
    (await decodeFrom(encoded.select(firsts.map((_, crop) => crop)), firsts, MAX_STEPS)).forEach((sequence, crop) => {
      const value = FITS_BEST(sequence, crops[crop], best[crop].maskLogits);
      if (value > best[crop].value) best[crop] = { ...best[crop], value, cells: sequence.cells };
    });
  }
  encoded.dispose();
  return best;
};

/** No polygon of the decoder at all: the outline of the mask map that the program judges and places by. */
const outlineMask = (level) => async (engine, pixels, crops) =>
  (await predictWith(DEFAULT_CANDIDATES)(engine, pixels, crops)).map(({ maskLogits }, crop) => ({
    ring: maskOutline(maskLogits, crops[crop], level),
  }));

const predictWithBeam = (width, scoreOf) => (engine, pixels, crops) =>
  predictByBeam(engine, pixels, crops, { width, maxSteps: MAX_STEPS, scoreOf });

export async function measure({ quick, model: modelPath = "mobile" }) {
  const model = await loadModel(modelPath);
  const { engine } = await openEngine(model, { device: "cpu" });
  const samples = new Map();
  for (const margin of [model.card.context, ...MARGINS])
    samples.set(margin, await sampleCrops(margin, quick ? 32 : 500));
  const ways = [
    {
      name: `as the program draws: ${DEFAULT_CANDIDATES} candidates, context ${model.card.context}`,
      draw: predictWith(DEFAULT_CANDIDATES),
    },
    {
      name: "vertices at the centers of their cells",
      draw: async (...given) => (await predictWith(DEFAULT_CANDIDATES)(...given)).map(({ cells }) => ({ cells })),
    },
    { name: "the paper's choice of a vertex, 1 candidate, vertices at the centers", draw: predictByPaper },
    ...[1, 2, 3, 5, 10].map((count) => ({
      name: `${count} candidate${count === 1 ? "" : "s"}`,
      draw: predictWith(count),
    })),
    {
      name: `${DEFAULT_CANDIDATES} candidates for every crop, none in the mirror`,
      draw: predictForEvery(DEFAULT_CANDIDATES),
    },
    ...[3, 5].flatMap((width) => [
      { name: `beam of ${width}, the likeliest per step`, draw: predictWithBeam(width, LIKELIEST) },
      { name: `beam of ${width}, the one that fits mask and box best`, draw: predictWithBeam(width, FITS_BEST) },
    ]),
    ...MASK_LEVELS.map((level) => ({
      name: `the outline of the mask map at ${level} instead of a polygon`,
      draw: outlineMask(level),
    })),
    ...MARGINS.map((margin) => ({ name: `context ${margin}`, draw: predictWith(DEFAULT_CANDIDATES), margin })),
  ];
  try {
    let base;
    const rows = [];
    for (const { name, draw, margin = model.card.context } of ways) {
      const { value: ious, cpuSeconds } = await timed(() => iousOf(engine, samples.get(margin).crops, draw));
      base ??= ious;
      const { mean, low, high } = bootstrapMean(
        Float64Array.from(
          [...ious.keys()].filter((id) => base.has(id)),
          (id) => ious.get(id) - base.get(id),
        ),
        RESAMPLES,
        createRandom(name),
      );
      const whole = [...ious.values()].reduce((sum, iou) => sum + iou, 0) / ious.size;
      rows.push([
        name,
        whole.toFixed(4),
        ious === base ? "" : `${signed(mean)} [${signed(low)}, ${signed(high)}]`,
        ((1000 * cpuSeconds) / ious.size).toFixed(1),
      ]);
    }
    const { crops, from } = samples.get(model.card.context);
    return [
      {
        name: "drawing",
        title: `Ways of drawing: ${modelPath}, ${crops.length} instances of ${from}`,
        columns: ["Way", "Mean IoU", "Difference, with 95 % interval", "CPU ms per instance"],
        rows,
        ratios: [],
      },
    ];
  } finally {
    await engine.dispose();
  }
}

/** IoU by annotation id; what is no polygon counts 0. */
async function iousOf(engine, crops, draw) {
  const ious = new Map();
  for (let start = 0; start < crops.length; start += BATCH) {
    const batch = crops.slice(start, start + BATCH).filter(({ instance }) => instance.truth !== undefined);
    const sequences = await draw(engine, stackPixels(batch), batch);
    batch.forEach((crop, at) => {
      const ring = sequences[at].ring ?? ringOf(sequences[at], crop);
      ious.set(
        crop.instance.annotationId,
        ring.length < 3
          ? 0
          : iouWithTruth([ring], crop.instance.truth, { height: crop.imageHeight, width: crop.imageWidth }),
      );
    });
  }
  return ious;
}

/** Empty where it is no polygon. */
function ringOf({ cells, maskLogits }, crop) {
  const { ring, distinct } = sequenceToRing(cells, crop, maskLogits);
  return distinct < 3 ? [] : ring;
}

function signed(value) {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(4)}`;
}
