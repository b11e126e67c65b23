/**
 * Beam search over the decoder: what it would bring beside the program's greedy choice. Started by drawing.mjs; the
 * program has none.
 */
import { CLASS_COUNT, EOS } from "../dist/geometry/grid.js";
import { fitOf } from "../dist/predict/mask-agreement.js";
import { maskOf } from "../dist/predict/candidates.js";
import { bestFirstVertices, stepInput } from "../dist/predict/decode-loop.js";

/** The two ways to choose among the polygons of a beam. */
export const LIKELIEST = ({ logProbability, steps }) => logProbability / steps;
export const FITS_BEST = ({ cells }, frame, map) => fitOf(cells, frame, map).candidateScore;

/** @returns one sequence per crop; the beam keeps what is likeliest per step */
export async function predictByBeam(engine, pixels, crops, { width, maxSteps, scoreOf }) {
  const encoded = await engine.encode(pixels, crops.length);
  const { maskLogits } = encoded;
  let beams = bestFirstVertices(encoded).map((first) => [
    { cells: [first], logProbability: 0, steps: 0, ended: false },
  ]);
  let rows = beams.flat();
  let decoding = encoded;
  for (let step = 0; step < maxSteps; step++) {
    const logits = await decoding.step(stepInput(rows));
    const grown = new Map(
      rows.map((hypothesis, row) => [
        hypothesis,
        likeliestClasses(logits, row, width).map(({ index, logProbability }) => ({
          cells: index === EOS ? hypothesis.cells : [...hypothesis.cells, index],
          ended: index === EOS,
          row,
          logProbability: hypothesis.logProbability + logProbability,
          steps: hypothesis.steps + 1,
        })),
      ]),
    );
    beams = beams.map((beam) =>
      beam
        .flatMap((hypothesis) => grown.get(hypothesis) ?? [hypothesis])
        .sort((a, b) => LIKELIEST(b) - LIKELIEST(a))
        .slice(0, width),
    );
    rows = beams.flat().filter(({ ended }) => !ended);
    if (rows.length === 0) break;
    const next = decoding.select(rows.map(({ row }) => row));
    decoding.dispose();
    decoding = next;
  }
  decoding.dispose();
  return beams.map((beam, crop) => {
    const map = maskOf(maskLogits, crop);
    const best = beam
      .map((hypothesis) => ({ hypothesis, value: scoreOf(hypothesis, crops[crop], map) }))
      .reduce((a, b) => (b.value > a.value ? b : a));
    return { cells: best.hypothesis.cells, maskLogits: map };
  });
}

/** The classes with the largest probabilities of one row of logits [rows, 785]. */
function likeliestClasses(logits, row, count) {
  const own = logits.subarray(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
  const largest = own.reduce((a, b) => Math.max(a, b));
  const all = Math.log(own.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)) + largest;
  const left = own.slice();
  return Array.from({ length: count }, () => {
    const index = left.indexOf(left.reduce((a, b) => Math.max(a, b)));
    left[index] = -Infinity;
    return { index, logProbability: own[index] - all };
  });
}
