/** The rules of a click simulation for the report, a sentence or two each; clicks/rules.ts has the rules themselves. */
import { count } from "../count.js";
import type { ClickMatch, ClickMetric } from "../report/types.js";
import type { Simulation } from "./simulation.js";

const METRICS = {
  chessboard: "chessboard distance, the larger of the column and row differences",
  manhattan: "Manhattan distance, the sum of the column and row differences",
} as const;

export function describeRules(simulation: Simulation): string[] {
  const { match, maxClicks, maxSteps, rasterizer } = simulation;
  const measured =
    "IoU is measured at image resolution against all parts of the truth, " +
    `masks filled by ${rasterizer === "coco" ? "COCO's rule (pycocotools)" : "Pillow's rule"}; ` +
    "a polygon with fewer than three different vertices counts as 0.";
  if (match === "worst") return [...describeWorst(simulation), measured];
  const patience =
    maxClicks === Infinity
      ? "The annotator corrects as often as the rule asks"
      : `After ${maxClicks} ${maxClicks === 1 ? "click" : "clicks"} everything is accepted`;
  return [
    ...describeMatch(match, simulation.metric),
    "A click is one replaced proposal: a vertex put elsewhere, an end put in the place of a vertex, " +
      "or a vertex in the place of an end. The replacement is fed back to the network as the last vertex; " +
      "earlier vertices never change.",
    `${patience}; a polygon ends at the latest after ${maxSteps} decoder steps.`,
    "The annotator follows one outline on the 28 x 28 grid: the largest polygon of an instance, " +
      "or the outline of its mask's largest part. Speed-up is the number of its vertices divided by the clicks.",
    "Outlines are measured as annotate writes them: a vertex, corrected or not, " +
      "lies where in its cell the network's mask map says (at the center, where a model has no such map).",
    measured,
  ];
}

const CHOICES = {
  true: "is taken where its IoU with the ground truth is higher, which is the most that a person's eye could do",
  never: "is never taken",
  always: "is always taken",
} as const;

function describeWorst({ metric, choice, maxClicks, maxSteps }: Simulation): string[] {
  const most = Math.min(maxClicks, maxSteps);
  return [
    "The annotator sees the whole polygon and corrects its worst place first: the vertex furthest from the true outline, " +
      `or the true vertex furthest from the polygon (${METRICS[metric]}); nothing within T grid cells.`,
    "A vertex moves to the closest place of the true outline, and is deleted where its neighbor is there already; where a true vertex was missed, " +
      "the closest place of the polygon goes there, as a new vertex unless a wrong one is already there. " +
      "A click is one vertex placed or deleted, and what was placed stays.",
    "After each vertex placed the network proposes its way from that vertex to the next placed one, as in polyrnn review; " +
      `it ${CHOICES[choice]}. Taking it is no click.`,
    `The annotator stops after ${count(most, "click")}. ` +
      "Where the network gave no polygon, the outline is drawn by hand on the grid, a click per vertex.",
    "The annotator follows one outline in image pixels: the largest polygon of an instance, " +
      "or the outline of its mask's largest part. Speed-up is the number of its vertices on the grid divided by the clicks.",
  ];
}

function describeMatch(match: Exclude<ClickMatch, "worst">, metric: ClickMetric): string[] {
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
