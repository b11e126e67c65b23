/**
 * Published numbers, for the columns beside the measured ones. The two are never mixed: other images, other boxes,
 * other classes. Every table says where it comes from and what it was measured on.
 */

export interface PublishedTable {
  /** Paper and table, or where else the numbers were stated. */
  readonly source: string;
  /** Data set and protocol. */
  readonly data: string;
}

const PAPER =
  "Castrejon, Kundu, Urtasun, Fidler: Annotating Object Instances with a Polygon-RNN, CVPR 2017 (arXiv:1704.05548)";

/** Mean IoU in per cent of boxes turned into masks without an annotator. */
export interface PublishedIouTable extends PublishedTable {
  readonly classes: readonly string[];
  /** `perClass` in the order of `classes`; `mean` is the mean of the class means. */
  readonly rows: readonly { readonly method: string; readonly perClass: readonly number[]; readonly mean: number }[];
}

/** The paper's Table 3. */
export const PUBLISHED_CITYSCAPES: PublishedIouTable = {
  source: `${PAPER}, Table 3`,
  data: "Cityscapes validation images, boxes from the ground truth, no annotator; mean IoU in per cent",
  classes: ["bicycle", "bus", "person", "train", "truck", "motorcycle", "car", "rider"],
  rows: [
    { method: "Square box", perClass: [35.41, 53.44, 26.36, 39.34, 54.75, 39.47, 46.04, 26.09], mean: 40.11 },
    { method: "Dilation10", perClass: [46.8, 48.35, 49.37, 44.18, 35.71, 26.97, 61.49, 38.21], mean: 43.89 },
    { method: "DeepMask", perClass: [47.19, 69.82, 47.93, 62.2, 63.15, 47.47, 61.64, 52.2], mean: 56.45 },
    { method: "SharpMask", perClass: [52.08, 73.02, 53.63, 64.06, 65.49, 51.92, 65.17, 56.32], mean: 60.21 },
    { method: "Polygon-RNN", perClass: [52.13, 69.53, 63.94, 53.74, 68.03, 52.07, 71.17, 60.58], mean: 61.4 },
  ],
};

/**
 * One threshold of a published click simulation; IoU in per cent. `threshold` null = automatic, without corrections.
 */
export interface PublishedClicks {
  readonly threshold: number | null;
  readonly clicks: number | null;
  readonly iou: number;
  readonly speedUp?: number;
}

export interface PublishedClickTable extends PublishedTable {
  /** What it covers: "all classes", "car". */
  readonly scope: string;
  /** Clicks of a person who draws the polygon without help, mean per instance. */
  readonly manualClicks?: number;
  readonly rows: readonly PublishedClicks[];
}

/** The paper's Tables 4, 5 and 6, in this order. */
export const PUBLISHED_CLICKS: readonly [PublishedClickTable, PublishedClickTable, PublishedClickTable] = [
  {
    source: `${PAPER}, Table 4`,
    data: "Cityscapes validation images, boxes from the ground truth, simulated annotator, means over 8 classes",
    scope: "all classes",
    rows: [
      { threshold: null, clicks: null, iou: 61.4 },
      { threshold: 1, clicks: 15.79, iou: 84.74 },
      { threshold: 2, clicks: 11.77, iou: 81.43 },
      { threshold: 3, clicks: 9.39, iou: 78.4 },
      { threshold: 4, clicks: 7.86, iou: 75.79 },
    ],
  },
  {
    source: `${PAPER}, Table 5`,
    data: "Cityscapes, cars, simulated annotator against annotation by hand",
    scope: "car",
    manualClicks: 33.56,
    rows: [
      { threshold: null, clicks: 0, iou: 73.3 },
      { threshold: 1, clicks: 9.3, iou: 87.7, speedUp: 3.61 },
      { threshold: 2, clicks: 6.6, iou: 85.7, speedUp: 5.11 },
      { threshold: 3, clicks: 5.6, iou: 84.0, speedUp: 6.01 },
      { threshold: 4, clicks: 4.6, iou: 82.2, speedUp: 7.31 },
    ],
  },
  {
    source: `${PAPER}, Table 6`,
    data: "KITTI cars, model trained on Cityscapes, simulated annotator",
    scope: "car",
    rows: [
      { threshold: null, clicks: 0, iou: 74.22 },
      { threshold: 1, clicks: 11.83, iou: 89.43 },
      { threshold: 2, clicks: 8.54, iou: 87.51 },
      { threshold: 3, clicks: 6.83, iou: 85.7 },
      { threshold: 4, clicks: 5.84, iou: 84.11 },
    ],
  },
];

/** Later work on the same Cityscapes protocol; mean of the class means in per cent. */
export const PUBLISHED_LATER: PublishedTable & {
  readonly rows: readonly { readonly method: string; readonly iou: number }[];
} = {
  source:
    "Acuna, Ling, Kar, Fidler: Efficient Interactive Annotation of Segmentation Datasets with Polygon-RNN++, CVPR 2018",
  data: "Cityscapes validation images, boxes from the ground truth, no annotator; mean IoU in per cent",
  rows: [
    { method: "Polygon-RNN++ (attention)", iou: 65.43 },
    { method: "Polygon-RNN++ (with reinforcement learning)", iou: 67.17 },
    { method: "Polygon-RNN++ (with evaluator network)", iou: 70.21 },
    { method: "Polygon-RNN++ (with graph network)", iou: 71.38 },
  ],
};
