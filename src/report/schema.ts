/**
 * The schema of report.json, version 1: published with the package, and by it the tests judge what is written. The
 * meaning of each field is in report/types.ts. Fields it does not know are refused, so that neither can change without
 * the other.
 */

const text = { type: "string" };
const id = { type: ["number", "string"] };
const number = { type: "number" };
const count = { type: "integer", minimum: 0 };
const ratio = { type: "number", minimum: 0, maximum: 1 };
const list = (items: object): object => ({ type: "array", items });
const orNull = (schema: { readonly type: string }): object => ({ ...schema, type: [schema.type, "null"] });

export interface ObjectSchema {
  readonly type: "object";
  readonly properties: object;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

/** @param optional names that may be absent */
export function object(properties: Readonly<Record<string, object>>, optional: readonly string[] = []): ObjectSchema {
  return {
    type: "object",
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  };
}

const interval = object({ mean: orNull(number), low: orNull(number), high: orNull(number), count });
const points = list({ type: "array", items: number, minItems: 2, maxItems: 2 });
const groups = list(object({ name: text, iou: interval, boundaryIou: interval }));
const reasons = list(object({ reason: text, words: text, count, firstIds: list(id) }));
const rasterizer = { enum: ["coco", "pil"] };

const method = object(
  {
    name: text,
    words: text,
    file: text,
    comparedAs: { enum: ["polygon", "mask", "polygons and masks"] },
    classMean: interval,
    instanceMean: interval,
    boundaryClassMean: interval,
    boundaryInstanceMean: interval,
    failed: count,
    perClass: groups,
    perSize: { ...groups, minItems: 3, maxItems: 3 },
    perSource: groups,
    seconds: number,
  },
  ["file", "comparedAs", "perSource", "seconds"],
);

const oracleName = { enum: ["first", "steps", "teacher", "map", "grid"] };
const bins = list(object({ low: number, high: orNull(number), count }));

const example = object(
  {
    annotationId: id,
    imageId: id,
    fileName: text,
    imageWidth: count,
    imageHeight: count,
    category: text,
    box: { type: "array", items: number, minItems: 4, maxItems: 4 },
    iou: ratio,
    score: number,
    hiddenParts: count,
    truth: list(points),
    automatic: list(points),
    corrected: points,
    correctedIou: ratio,
    correctedThreshold: number,
    clicks: count,
  },
  ["score", "hiddenParts", "corrected", "correctedIou", "correctedThreshold", "clicks"],
);

const classClicks = list(
  object({
    name: text,
    count,
    clicks: interval,
    iou: interval,
    truthVertices: orNull(number),
    speedUp: orNull(number),
  }),
);

const clicks = object(
  {
    metric: { enum: ["chessboard", "manhattan"] },
    match: { enum: ["closest", "ring", "area", "worst"] },
    choice: { enum: ["true", "never", "always"] },
    maxClicks: orNull(count),
    rules: list(text),
    instances: count,
    exclusions: reasons,
    perThreshold: list(
      object(
        {
          threshold: number,
          clicksClassMean: interval,
          clicksInstanceMean: interval,
          iouClassMean: interval,
          iouInstanceMean: interval,
          truthVertices: orNull(number),
          speedUp: orNull(number),
          perClass: classClicks,
          perSource: classClicks,
        },
        ["perSource"],
      ),
    ),
    noc: list(object({ target: ratio, meanClicks: orNull(number), failures: count, cap: count })),
    iouAfterClicks: list(object({ clicks: count, iou: ratio })),
    effort: list(
      object({
        who: { enum: ["simulated", "measured"] },
        threshold: orNull(number),
        instances: count,
        clicksMean: number,
        clicksMedian: number,
        redrawTaken: orNull(count),
        redrawLeft: orNull(count),
        iouBefore: ratio,
        iouAfter: ratio,
        secondsMedian: orNull(number),
      }),
    ),
    reviewed: text,
    curveThreshold: number,
    secondsPerClick: orNull(number),
    wallSeconds: number,
    model: text,
    engine: text,
    device: text,
  },
  ["choice", "reviewed", "model", "engine", "device"],
);

export const REPORT_SCHEMA = object(
  {
    version: { const: 1 },
    generator: text,
    inputs: object(
      {
        predictions: text,
        truth: text,
        images: text,
        model: text,
        engine: text,
        device: text,
        rasterizer,
        groupBy: {
          type: "object",
          discriminator: { propertyName: "kind" },
          required: ["kind"],
          oneOf: [
            object({ kind: { const: "none" } }),
            object({ kind: { const: "prefix" } }),
            object({ kind: { const: "field" }, field: text }),
          ],
        },
        minArea: number,
        published: { type: "boolean" },
        seed: number,
        resamples: count,
      },
      ["images", "model", "engine", "device", "published"],
    ),
    counts: object({
      truthAnnotations: count,
      images: count,
      evaluated: count,
      failed: count,
      failures: reasons,
      exclusions: reasons,
      remarks: reasons,
    }),
    methods: { ...list(method), minItems: 1 },
    gridCeiling: method,
    histograms: object({ iou: bins, vertices: bins }),
    iouBySize: object({
      bins: list(object({ low: number, high: number, count, meanIou: orNull(number) })),
      sample: points,
    }),
    iouByScore: object({
      bins: list(object({ low: number, high: number, count, meanScore: orNull(number), meanIou: orNull(number) })),
      sample: points,
      rankCorrelation: orNull(number),
    }),
    oracle: object({
      oracles: list(object({ name: oracleName, words: text })),
      groups: list(
        object({
          kind: { enum: ["all", "size", "vertices"] },
          name: text,
          count,
          now: interval,
          shares: list(object({ oracle: oracleName, gain: interval, ofError: orNull(number) })),
        }),
      ),
    }),
    examples: object({ worst: list(example), median: list(example), best: list(example) }),
    clicks,
  },
  ["iouByScore", "oracle", "clicks"],
);
