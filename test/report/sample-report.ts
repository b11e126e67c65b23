/** A report with every part filled and names as hostile as files can hold, for the page's tests. */
import { createRandom } from "../../src/random.js";
import type {
  EvaluationReport,
  Example,
  GroupScore,
  Interval,
  MethodReport,
  OracleShare,
} from "../../src/report/types.js";

export const HOSTILE_NAMES = [
  "<script>document.title='owned'</script>",
  '"><img src=x onerror="document.title=\'owned\'">',
  "../../../etc/passwd",
  "nul\u0000byte",
  "right\u202Eto left",
  "x".repeat(4000),
  "{{7*7}}",
  "car",
] as const;

const random = createRandom("sample report");
const interval = (mean: number, count = 100): Interval => ({
  mean,
  low: Math.max(0, mean - 0.02),
  high: mean + 0.02,
  count,
});
const group = (name: string): GroupScore => ({
  name,
  iou: interval(random.between(0.3, 0.9)),
  boundaryIou: interval(random.between(0.2, 0.7)),
});

function method(name: string): MethodReport {
  return {
    name,
    words: `method ${name}`,
    ...(name === "grabcut" && { comparedAs: "mask" as const }),
    classMean: interval(0.7),
    instanceMean: interval(0.72),
    boundaryClassMean: interval(0.5),
    boundaryInstanceMean: interval(0.5),
    failed: 3,
    perClass: HOSTILE_NAMES.map(group),
    perSize: ["small", "medium", "large"].map(group),
    perSource: ["coco", "<b>people</b>"].map(group),
  };
}

const EMPTY = { mean: null, low: null, high: null, count: 0 };
const ORACLE_SHARES: readonly OracleShare[] = [
  { oracle: "map", gain: interval(-0.01), ofError: -0.03 },
  { oracle: "grid", gain: interval(0.05), ofError: 0.17 },
];
const emptyShare = ({ oracle }: OracleShare): OracleShare => ({ oracle, gain: EMPTY, ofError: null });

function example(id: number): Example {
  const ring = [
    [20, 20],
    [90, 25],
    [80, 95],
    [15, 80],
  ] as const;
  return {
    annotationId: id,
    imageId: `image "${id}"`,
    fileName: HOSTILE_NAMES[id % HOSTILE_NAMES.length]!,
    imageWidth: 640,
    imageHeight: 480,
    category: HOSTILE_NAMES[(id + 1) % HOSTILE_NAMES.length]!,
    box: [10, 10, 90, 90],
    iou: 0.5,
    score: 0.4,
    hiddenParts: 12,
    truth: [ring],
    automatic: [ring],
    corrected: ring,
    correctedIou: 0.9,
    correctedThreshold: 1,
    clicks: 4,
  };
}

export function sampleReport(): EvaluationReport {
  const listed = { reason: "crowd", words: HOSTILE_NAMES[0], count: 2, firstIds: [1, "<i>two</i>"] };
  return {
    version: 1,
    generator: "polyrnn 0.0.0",
    inputs: {
      predictions: HOSTILE_NAMES[1],
      truth: "truth.json",
      images: "images",
      model: "mobile",
      rasterizer: "coco",
      groupBy: { kind: "field", field: "source" },
      minArea: 0,
      published: true,
      seed: 1,
      resamples: 1000,
    },
    counts: {
      truthAnnotations: 1000,
      images: 100,
      evaluated: 900,
      failed: 3,
      failures: [listed],
      exclusions: [listed],
      remarks: [listed],
    },
    methods: ["polyrnn", "box", "square", "ellipse", "grabcut", HOSTILE_NAMES[1]].map(method),
    gridCeiling: method("grid-ceiling"),
    histograms: {
      iou: Array.from({ length: 20 }, (_, at) => ({ low: at / 20, high: (at + 1) / 20, count: random.integer(90) })),
      vertices: Array.from({ length: 30 }, (_, at) => ({
        low: at + 3,
        high: at === 29 ? null : at + 4,
        count: random.integer(90),
      })),
    },
    iouBySize: {
      bins: [16, 32, 64, 128].map((low) => ({
        low,
        high: 2 * low,
        count: 10,
        meanIou: low === 32 ? null : random.next(),
      })),
      sample: Array.from({ length: 300 }, () => [random.between(16, 256), random.next()] as const),
    },
    iouByScore: {
      bins: Array.from({ length: 10 }, (_, at) => ({
        low: at / 10,
        high: (at + 1) / 10,
        count: 4,
        meanScore: at / 10 + 0.05,
        meanIou: random.next(),
      })),
      sample: Array.from({ length: 300 }, () => [random.next(), random.next()] as const),
      rankCorrelation: 0.5,
    },
    oracle: {
      oracles: [
        { name: "map", words: "the truth's mask" },
        { name: "grid", words: "the grid alone" },
      ],
      groups: [
        { kind: "all", name: "all", count: 10, now: interval(0.7), shares: ORACLE_SHARES },
        { kind: "size", name: "small", count: 0, now: EMPTY, shares: ORACLE_SHARES.map(emptyShare) },
        { kind: "vertices", name: "9 to 16", count: 10, now: interval(0.7), shares: ORACLE_SHARES },
      ],
    },
    examples: { worst: [1, 2, 3, 4, 5, 6].map(example), median: [7, 8].map(example), best: [9].map(example) },
    clicks: {
      metric: "chessboard",
      match: "closest",
      maxClicks: null,
      rules: ["A click is one replaced vertex.", HOSTILE_NAMES[0]],
      instances: 900,
      exclusions: [listed],
      perThreshold: [1, 2, 3, 4].map((threshold) => ({
        threshold,
        clicksClassMean: interval(12 - 2 * threshold),
        clicksInstanceMean: interval(11 - 2 * threshold),
        iouClassMean: interval(0.9 - threshold / 50),
        iouInstanceMean: interval(0.91 - threshold / 50),
        truthVertices: 22.3,
        speedUp: 2.5,
        perClass: HOSTILE_NAMES.map((name) => ({
          name,
          count: 10,
          clicks: interval(5),
          iou: interval(0.8),
          truthVertices: 20,
          speedUp: null,
        })),
      })),
      noc: [0.8, 0.85, 0.9].map((target) => ({ target, meanClicks: 4.2, failures: 10, cap: 20 })),
      iouAfterClicks: Array.from({ length: 11 }, (_, clicks) => ({ clicks, iou: 0.7 + clicks * 0.02 })),
      reviewed: HOSTILE_NAMES[0],
      effort: (["simulated", "measured"] as const).map((who) => ({
        who,
        threshold: who === "measured" ? null : 1,
        instances: 9,
        clicksMean: 3.5,
        clicksMedian: 3,
        redrawTaken: who === "measured" ? 2 : null,
        redrawLeft: who === "measured" ? 1 : null,
        iouBefore: 0.7,
        iouAfter: 0.9,
        secondsMedian: who === "measured" ? 6.5 : null,
      })),
      curveThreshold: 1,
      secondsPerClick: 0.004,
      wallSeconds: 100,
      model: "mobile",
      engine: "onnxruntime",
      device: "cpu",
    },
  };
}

/** Nothing was evaluated, nothing was drawn: every mean is null. */
export function emptyReport(): EvaluationReport {
  const { clicks: _clicks, iouByScore: _iouByScore, ...rest } = sampleReport();
  const nothing: Interval = { mean: null, low: null, high: null, count: 0 };
  const none: MethodReport = {
    name: "polyrnn",
    words: "",
    classMean: nothing,
    instanceMean: nothing,
    boundaryClassMean: nothing,
    boundaryInstanceMean: nothing,
    failed: 0,
    perClass: [],
    perSize: ["small", "medium", "large"].map((name) => ({ name, iou: nothing, boundaryIou: nothing })),
  };
  return {
    ...rest,
    counts: { ...rest.counts, evaluated: 0, failed: 0, failures: [], remarks: [] },
    methods: [none],
    gridCeiling: none,
    histograms: { iou: [], vertices: [] },
    iouBySize: { bins: [], sample: [] },
    examples: { worst: [], median: [], best: [] },
  };
}
