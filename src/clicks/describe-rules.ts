/** The rules of a click simulation for the report, a sentence or two each; clicks/rules.ts has the rules themselves. */
import type { Simulation } from "./simulate-batch.js";

const METRICS = {
  chessboard: "chessboard distance, the larger of the column and row differences",
  manhattan: "Manhattan distance, the sum of the column and row differences",
} as const;

export function describeRules(simulation: Simulation): string[] {
  const { maxClicks, maxSteps, rasterizer } = simulation;
  const patience =
    maxClicks === Infinity
      ? "The annotator corrects as often as the rule asks"
      : `After ${maxClicks} ${maxClicks === 1 ? "click" : "clicks"} everything is accepted`;
  return [
    ...describeMatch(simulation),
    "A click is one replaced proposal: a vertex put elsewhere, an end put in the place of a vertex, " +
      "or a vertex in the place of an end. The replacement is fed back to the network as the last vertex; " +
      "earlier vertices never change.",
    `${patience}; a polygon ends at the latest after ${maxSteps} decoder steps.`,
    "The annotator follows one outline on the 28 x 28 grid: the largest polygon of an instance, " +
      "or the outline of its mask's largest part. Speed-up is the number of its vertices divided by the clicks.",
    "Outlines are measured as annotate writes them: a vertex, corrected or not, " +
      "lies where in its cell the network's mask map says (at the center, where a model has no such map).",
    "IoU is measured at image resolution against all parts of the truth, " +
      `masks filled by ${rasterizer === "coco" ? "COCO's rule (pycocotools)" : "Pillow's rule"}; ` +
      "a polygon with fewer than three different vertices counts as 0.",
  ];
}

function describeMatch({ match, metric }: Simulation): string[] {
  switch (match) {
    case "closest":
      return [
        `A predicted vertex further than T grid cells (${METRICS[metric]}) from the closest ground-truth vertex ` +
          "is replaced by it (lecture on Castrejon et al., CVPR 2017).",
        "The closest vertex is looked for in ring order from where the drawing stands: " +
          "a vertex whose edge passes over a ground-truth vertex further than T away is replaced as well, " +
          "by the closest one that can be drawn without that, because it could not be added later. " +
          "The first vertex is judged like any other.",
        "Ends are judged with the same T: " +
          "ending while a ground-truth vertex lies further than T from the outline that stands for it, " +
          "and going on after all of them are covered.",
      ];
    case "ring":
      return [
        "The ground truth is turned to start at the vertex nearest the first prediction; " +
          "at step t the prediction is compared with ground-truth vertex t and, " +
          `further than T grid cells away (${METRICS[metric]}), replaced by it ` +
          "(the authors' released training code, which uses Manhattan distance). " +
          "The first vertex is judged like any other.",
        "Ends are judged with the same T: " +
          "ending while a ground-truth vertex that is still to come lies further than T from the closing edge, " +
          "and going on after the last one with a vertex further than T from the first.",
      ];
    case "area":
      return [
        "A predicted vertex is replaced when the area between the drawn outline and the ground truth it stands for, " +
          "from the vertex before to the next ground-truth vertex behind it, exceeds T cells of area: " +
          "by the closest ground-truth vertex ahead whose edge keeps that limit. " +
          "The first vertex is judged like any other. " +
          "(The lecture on Castrejon et al., CVPR 2017, asks for a rule by area; this one is ours.)",
        "Ends are judged with the same limit: " +
          "ending while the area between the closing edge and the rest of the ground truth exceeds it, " +
          "and going on with a vertex that exceeds it when ending would not.",
      ];
  }
}
