/**
 * The score by which the next vertex is chosen, made of the logits of a step; the class with the largest one wins.
 *
 * Training smooths its targets: weight 1 at the cell and 0.5 at each of its four neighbors, normalized. A network that
 * is sure of a vertex therefore gives its cell a third of the probability; a sure end gets all of it. The paper's
 * choice, the largest probability, ends such polygons too early, and prefers a lone cell to the middle of a hill. Here
 * a cell counts together with its neighbors, weighted as the targets were. The scale lets a vertex the network is sure
 * of score 1, as an end does: score(cell) = sum of exp(logit) * kernel over 3 x 3 cells, score(end) = exp(logit). What
 * this brings: bench/README.md.
 */

/**
 * Weight along one axis at distance 0 and 1; the kernel is their outer product, scaled: 1.5 at the cell, .75 beside,
 * .375 across corners.
 */
export const NEIGHBOR_WEIGHT = 0.5;
/** 1 over what the unscaled kernel gives a smoothed target at its own cell: 1/3 + 4 * 0.5/6. */
export const SCORE_SCALE = 1.5;

/** The 3 x 3 kernel, row by row. */
export function vertexScoreKernel(): Float32Array {
  const axis = [NEIGHBOR_WEIGHT, 1, NEIGHBOR_WEIGHT];
  return Float32Array.from(axis.flatMap((down) => axis.map((across) => SCORE_SCALE * down * across)));
}
