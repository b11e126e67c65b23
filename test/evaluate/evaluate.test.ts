import { join } from "node:path";
import { expect, test } from "vitest";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { formatCounts } from "../../src/geometry/rle-string.js";
import { annotation, evaluateFiles, IMAGES, rectangle, useFolder, writeCoco, writeJson } from "./small-dataset.js";

const folder = useFolder();
const truth = (annotations: readonly unknown[], images?: readonly unknown[]): string =>
  writeCoco(folder.path, "truth.json", annotations, images);
const predicted = (annotations: readonly unknown[]): string => writeCoco(folder.path, "predictions.json", annotations);

/** Truths of 20 x 10 px; two cars on image 1, a person on image 2. */
const CAR = annotation(11, 10, 10, 20, 10);
const OTHER_CAR = annotation(12, 50, 40, 20, 10);
const PERSON = annotation("p", 5, 5, 20, 10, { image_id: 2, category_id: 7 });

test("IoU is averaged over instances, and over classes of which each counts the same", async () => {
  const half = annotation(12, 50, 40, 10, 10);
  const { report } = await evaluateFiles(predicted([PERSON, CAR, half]), truth([CAR, OTHER_CAR, PERSON]));
  const own = report.methods[0]!;
  expect(own.perClass.map(({ name, iou }) => [name, iou.mean, iou.count])).toEqual([
    ["car", 0.75, 2],
    ["person", 1, 1],
  ]);
  expect(own.classMean).toMatchObject({ mean: 0.875, count: 2 });
  expect(own.instanceMean.mean).toBeCloseTo(2.5 / 3, 12);
  expect(own.instanceMean.count).toBe(3);
});

test("an instance without a prediction counts as 0 and is listed", async () => {
  const { report, rows } = await evaluateFiles(predicted([CAR]), truth([CAR, OTHER_CAR]));
  expect(report.methods[0]).toMatchObject({
    failed: 1,
    instanceMean: { mean: 0.5 },
    boundaryInstanceMean: { mean: 0.5 },
  });
  expect(report.counts).toMatchObject({
    evaluated: 2,
    failed: 1,
    failures: [{ reason: "prediction-missing", count: 1, firstIds: [12] }],
  });
  expect(rows.find(({ annotationId }) => annotationId === 12)).toMatchObject({
    status: "failed",
    reason: "prediction-missing",
  });
});

test.each([
  { why: "two points", segmentation: [[0, 0, 5, 5]], reason: "polygon-invalid" },
  { why: "four numbers are no box", segmentation: [[10, 10, 20, 10]], reason: "polygon-invalid" },
  { why: "an odd list", segmentation: [[0, 0, 5, 5, 9]], reason: "polygon-invalid" },
  { why: "text among the numbers", segmentation: [[10, 10, 20, "x", 20, 20]], reason: "polygon-invalid" },
  { why: "a mask of another size", segmentation: { size: [5, 5], counts: [25] }, reason: "polygon-invalid" },
  { why: "coordinates beyond any image", segmentation: [[0, 0, 1e300, 0, 0, 1e300]], reason: "polygon-invalid" },
  { why: "a polygon beside the image", segmentation: [rectangle(300, 300, 20, 10)], reason: "polygon-outside" },
  { why: "a line", segmentation: [[10, 10, 20, 10, 15, 10]], reason: "polygon-empty" },
  { why: "no polygon", segmentation: [], reason: "polygon-missing" },
  { why: "null", segmentation: null, reason: "polygon-missing" },
])("a prediction with $why counts as 0 and is listed as $reason", async ({ segmentation, reason }) => {
  const { report } = await evaluateFiles(
    predicted([CAR, annotation(12, 50, 40, 20, 10, { segmentation })]),
    truth([CAR, OTHER_CAR]),
  );
  expect(report.counts.failures).toMatchObject([{ reason, count: 1, firstIds: [12] }]);
  expect(report.methods[0]!.instanceMean.mean).toBe(0.5);
});

test("an example has all parts of an outline, or says how many it leaves out", async () => {
  const parts = (count: number): number[][] =>
    Array.from({ length: count }, (_, i) => rectangle(2 + 4 * (i % 10), 2 + 4 * Math.floor(i / 10), 2, 2));
  const of = (count: number) => annotation(11, 2, 2, 40, 30, { segmentation: parts(count) });
  const all = await evaluateFiles(predicted([of(50)]), truth([of(50)]));
  expect(all.report.examples.worst[0]).not.toHaveProperty("hiddenParts");
  expect(all.report.examples.worst[0]!.truth).toHaveLength(50);
  const some = await evaluateFiles(predicted([of(60)]), truth([of(60)]));
  expect(some.report.examples.worst[0]).toMatchObject({ hiddenParts: 20 });
  expect(some.report.examples.worst[0]!.automatic).toHaveLength(50);
});

test("NaN, as Python writes it, costs its own prediction only", async () => {
  const text = JSON.stringify({ images: IMAGES, categories: [], annotations: [CAR, OTHER_CAR] }).replace(
    "50,40,70",
    "NaN,40,70",
  );
  const { report } = await evaluateFiles(writeJson(folder.path, "predictions.json", text), truth([CAR, OTHER_CAR]));
  expect(report.counts.failures.map(({ reason, count }) => [reason, count])).toEqual([["prediction-missing", 1]]);
  expect(report.counts.exclusions.map(({ reason }) => reason)).toEqual(["prediction-without-id"]);
  expect(report.methods[0]!.instanceMean.mean).toBe(0.5);
});

test("polygons that cross themselves or have thousands of points are evaluated and remarked on", async () => {
  const bowTie = annotation(12, 50, 40, 20, 10, { segmentation: [[50, 40, 70, 50, 70, 40, 50, 50]] });
  const comb = Array.from({ length: 3000 }, (_, i) => [10 + (20 * i) / 3000, i % 2 === 0 ? 10 : 10.4]).flat();
  const long = annotation(11, 10, 10, 20, 10, { segmentation: [[...comb, 30, 20, 10, 20]] });
  const { report } = await evaluateFiles(predicted([long, bowTie]), truth([CAR, OTHER_CAR]));
  expect(report.counts.failed).toBe(0);
  expect(report.counts.remarks.map(({ reason, firstIds }) => [reason, firstIds])).toEqual([
    ["polygon-many-vertices", [11]],
    ["polygon-crosses-itself", [12]],
  ]);
});

test("the first of two predictions for one instance counts; the second and those for unknown ids and images are listed", async () => {
  const { report, rows } = await evaluateFiles(
    predicted([
      CAR,
      annotation(11, 0, 0, 5, 5),
      annotation(99, 0, 0, 5, 5),
      annotation(12, 50, 40, 20, 10, { image_id: 3 }),
      annotation("p", 1, 1, 5, 5),
    ]),
    truth([CAR, PERSON]),
  );
  expect(report.methods[0]!.instanceMean.mean).toBe(0.5);
  expect(report.counts.exclusions.map(({ reason, count, firstIds }) => [reason, count, firstIds])).toEqual([
    ["prediction-duplicate", 1, [11]],
    ["prediction-unknown", 2, [99, "p"]],
    ["prediction-image-unknown", 1, [12]],
  ]);
  expect(rows.filter(({ status }) => status === "excluded")).toHaveLength(4);
});

test("the order of the predictions changes nothing but which of two counts", async () => {
  const half = annotation(12, 50, 40, 10, 10);
  const gt = truth([CAR, OTHER_CAR, PERSON]);
  const one = await evaluateFiles(predicted([CAR, half, PERSON]), gt);
  const two = await evaluateFiles(predicted([PERSON, half, CAR]), gt);
  expect(two.report).toEqual(one.report);
});

test("crowds are never a target, and predictions for them are no mistake", async () => {
  const crowd = annotation(20, 0, 0, 100, 80, { iscrowd: 1 });
  const { report } = await evaluateFiles(predicted([CAR, crowd]), truth([CAR, crowd]));
  expect(report.counts.exclusions.map(({ reason, firstIds }) => [reason, firstIds])).toEqual([
    ["crowd", [20]],
    ["prediction-excluded", [20]],
  ]);
  expect(report.methods[0]!.instanceMean).toMatchObject({ mean: 1, count: 1 });
});

test("truths that cannot be used are listed by reason and take part in no mean", async () => {
  const { report } = await evaluateFiles(
    predicted([CAR]),
    truth([
      CAR,
      annotation(21, 1, 1, 5, 5, { segmentation: undefined }),
      annotation(22, 1, 1, 5, 5, { segmentation: [[1, 1, 2, 2]] }),
      annotation(23, 1, 1, 5, 5, { segmentation: [rectangle(500, 1, 5, 5)] }),
      annotation(24, 1, 1, 0, 5),
      annotation(25, 1, 1, 5, 5, { category_id: 99 }),
      annotation(26, 1, 1, 5, 5, { segmentation: { size: [9, 9], counts: [81] } }),
    ]),
  );
  expect(report.counts.exclusions.map(({ reason, firstIds }) => [reason, firstIds])).toEqual([
    ["truth-box-empty", [24]],
    ["truth-category-unknown", [25]],
    ["truth-missing", [21]],
    ["truth-invalid", [22, 26]],
    ["truth-empty", [23]],
  ]);
  expect(report.counts).toMatchObject({ truthAnnotations: 7, evaluated: 1, failed: 0 });
});

test("the truth is the union of its parts, without those below the smallest area asked for", async () => {
  const parts = annotation(11, 10, 10, 40, 10, {
    segmentation: [rectangle(10, 10, 20, 10), rectangle(25, 10, 5, 10), rectangle(45, 10, 5, 5)],
  });
  const file = predicted([CAR]);
  const all = await evaluateFiles(file, truth([parts]));
  expect(all.rows[0]).toMatchObject({ area: 225 });
  expect(all.report.methods[0]!.instanceMean.mean).toBeCloseTo(200 / 225, 12);
  const large = await evaluateFiles(file, truth([parts]), { minArea: 26 });
  expect(large.rows[0]).toMatchObject({ area: 200 });
  expect(large.report.methods[0]!.instanceMean.mean).toBe(1);
  await expect(evaluateFiles(file, truth([parts]), { minArea: 201 })).rejects.toThrow(
    "without a part of the smallest area",
  );
});

test("truth and predictions may be masks, as lists of runs or as text", async () => {
  const counts = [80 * 10 + 10, ...Array.from({ length: 19 }, () => [10, 70]).flat(), 10];
  counts.push(80 * 100 - counts.reduce((sum, run) => sum + run, 0));
  const list = { ...CAR, segmentation: { size: [80, 100], counts } };
  const text = { ...CAR, segmentation: { size: [80, 100], counts: formatCounts(Uint32Array.from(counts)) } };
  for (const [own, gt] of [
    [list, text],
    [text, CAR],
    [CAR, list],
  ] as const) {
    const { report } = await evaluateFiles(predicted([own]), truth([gt]));
    expect(report.methods[0]!.instanceMean.mean).toBe(1);
    expect(report.examples.worst[0]).toMatchObject({
      truth: [
        [
          [10, 10],
          [30, 10],
          [30, 20],
          [10, 20],
        ],
      ],
      automatic: [
        [
          [10, 10],
          [30, 10],
          [30, 20],
          [10, 20],
        ],
      ],
    });
  }
});

test("sizes are COCO's: below 32 x 32, below 96 x 96, and above", async () => {
  const images = [{ ...IMAGES[0], width: 200, height: 200 }];
  const annotations = [annotation(1, 0, 0, 31, 33), annotation(2, 0, 0, 32, 32), annotation(3, 0, 0, 96, 96)];
  const { report } = await evaluateFiles(predicted(annotations), truth(annotations, images));
  expect(report.methods[0]!.perSize.map(({ name, iou }) => [name, iou.count])).toEqual([
    ["small", 1],
    ["medium", 1],
    ["large", 1],
  ]);
  expect(report.iouBySize.bins.map(({ low, high, count }) => [low, high, count])).toEqual([
    [16, 32, 1],
    [32, 64, 1],
    [64, 128, 1],
  ]);
});

test.each([
  { groupBy: { kind: "field", field: "source" }, names: ["park", "street"] },
  { groupBy: { kind: "prefix" }, names: ["weimar", "zurich"] },
] as const)("means per group by $groupBy", async ({ groupBy, names }) => {
  const { report } = await evaluateFiles(predicted([CAR, PERSON]), truth([CAR, OTHER_CAR, PERSON]), { groupBy });
  expect(report.methods[0]!.perSource!.map(({ name }) => name)).toEqual(names);
  expect(report.methods[0]!.perSource!.find(({ name }) => ["street", "weimar"].includes(name))!.iou).toMatchObject({
    mean: 0.5,
    count: 2,
  });
  expect(report.gridCeiling.perSource).toHaveLength(2);
});

test("a field no image has is wrong usage", async () => {
  await expect(
    evaluateFiles(predicted([CAR]), truth([CAR]), { groupBy: { kind: "field", field: "sorce" } }),
  ).rejects.toMatchObject({ code: "E_USAGE", message: expect.stringContaining('"sorce"') as string });
});

test("scores come from polyrnn_score before score; those outside 0 to 1 are remarked on and not set against IoU", async () => {
  const { report, rows } = await evaluateFiles(
    predicted([
      { ...CAR, score: 0.2, polyrnn_score: 0.91 },
      { ...OTHER_CAR, score: 87 },
      { ...PERSON, score: "high" },
    ]),
    truth([CAR, OTHER_CAR, PERSON]),
  );
  expect(rows.map((row) => (row.status === "excluded" ? undefined : row.score))).toEqual([0.91, 87, undefined]);
  expect(report.iouByScore!.bins.map(({ count }) => count)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(report.counts.remarks).toMatchObject([{ reason: "score-out-of-range", firstIds: [12] }]);
  const without = await evaluateFiles(predicted([CAR]), truth([CAR]));
  expect(without.report.iouByScore).toBeUndefined();
});

test("ids that belong to another file show: the boxes do not fit", async () => {
  const swapped = [
    { ...CAR, id: 12 },
    { ...OTHER_CAR, id: 11, category_id: 7 },
  ];
  const { report } = await evaluateFiles(predicted(swapped), truth([CAR, OTHER_CAR]));
  expect(report.methods[0]!.instanceMean.mean).toBe(0);
  expect(report.counts.remarks.map(({ reason, count }) => [reason, count])).toEqual([
    ["prediction-category", 1],
    ["prediction-box", 2],
  ]);
  const byBox = await evaluateFiles(
    predicted([
      { ...CAR, id: 12 },
      { ...OTHER_CAR, id: 11 },
    ]),
    truth([CAR, OTHER_CAR]),
    { matchBy: "box" },
  );
  expect(byBox.report.methods[0]!.instanceMean.mean).toBe(1);
});

test("a results list has no ids: predictions find their instance by image, category and box", async () => {
  const results = [
    { image_id: 2, category_id: 7, segmentation: [rectangle(5, 5, 10, 10)], bbox: [5, 5, 20, 10], score: 0.5 },
    { image_id: 1, category_id: 1, segmentation: [rectangle(50, 40, 20, 10)], score: 0.4 },
    { image_id: 1, category_id: 1, segmentation: [rectangle(51, 40, 20, 10)], score: 0.9 },
    { image_id: 1, category_id: 7, segmentation: [rectangle(10, 10, 20, 10)], score: 0.9 },
    { image_id: 1, category_id: 1, segmentation: [rectangle(80, 60, 5, 5)], score: 0.9 },
  ];
  const crowd = annotation(20, 75, 55, 20, 20, { iscrowd: 1 });
  const { report } = await evaluateFiles(
    writeJson(folder.path, "results.json", results),
    truth([CAR, OTHER_CAR, PERSON, crowd]),
  );
  expect(report.methods[0]!.perClass.map(({ name, iou }) => [name, iou.mean])).toEqual([
    ["car", 0.5],
    ["person", 0.5],
  ]);
  expect(report.counts.failures).toMatchObject([{ reason: "prediction-missing", firstIds: [11] }]);
  expect(report.counts.exclusions.map(({ reason, firstIds }) => [reason, firstIds])).toEqual([
    ["crowd", [20]],
    ["prediction-duplicate", ["element [2]"]],
    ["prediction-unknown", ["element [3]"]],
    ["prediction-crowd", ["element [4]"]],
  ]);
});

test("baselines and other files are judged on the same instances, and the worst, median and best are shown", async () => {
  const other = writeCoco(folder.path, "other.json", [annotation(11, 10, 10, 10, 10), annotation(77, 0, 0, 5, 5)]);
  const { report, names, rows } = await evaluateFiles(
    predicted([annotation(11, 10, 10, 5, 10), OTHER_CAR]),
    truth([CAR, OTHER_CAR]),
    {
      compare: [
        { kind: "shape", name: "box" },
        { kind: "shape", name: "square" },
        { kind: "file", name: "other tool", path: other },
      ],
    },
  );
  expect(names).toEqual(["polyrnn", "box", "square", "other tool", "grid-ceiling"]);
  expect(report.methods.map(({ name, instanceMean, failed }) => [name, instanceMean.mean, failed])).toEqual([
    ["polyrnn", 0.625, 0],
    ["box", 1, 0],
    ["square", 0.5, 0],
    ["other tool", 0.25, 1],
  ]);
  expect(report.counts.exclusions.map(({ reason, count }) => [reason, count])).toEqual([
    ["prediction-unknown:other tool", 1],
  ]);
  expect(rows.find(({ annotationId }) => annotationId === 11)).toMatchObject({
    scores: [{ iou: 0.25 }, { iou: 1 }, { iou: 0.5 }, { iou: 0.5 }, {}],
  });
  expect(report.gridCeiling.instanceMean.mean).toBeGreaterThan(0.9);
  expect(report.examples.worst.map(({ annotationId, iou }) => [annotationId, iou])).toEqual([
    [11, 0.25],
    [12, 1],
  ]);
  expect(report.examples.best.map(({ annotationId }) => annotationId)).toEqual([12, 11]);
});

test("Pillow's rule fills outlines, and the report says which rule was used", async () => {
  const { report, rows } = await evaluateFiles(predicted([CAR]), truth([CAR]), { rasterizer: "pil" });
  expect(rows[0]).toMatchObject({ area: 21 * 11 });
  expect(report.inputs.rasterizer).toBe("pil");
});

test.each([
  { why: "no annotations", gt: [], message: "expected annotations, received none" },
  {
    why: "boxes without polygons",
    gt: [{ ...CAR, segmentation: undefined }],
    message: "received none that can be used (1 annotations without a segmentation)",
  },
])("a truth with $why is an error, not a score of 0", async ({ gt, message }) => {
  await expect(evaluateFiles(predicted([CAR]), truth(gt))).rejects.toMatchObject({
    exitCode: 65,
    message: expect.stringContaining(message) as string,
  });
});

test.each([
  { why: "an empty list", content: [], message: "received an empty list" },
  { why: "no annotations", content: { images: [] }, message: "expected a COCO file with a list of annotations" },
  { why: "a list of other things", content: [{ a: 1 }], message: "nothing has an image_id" },
  {
    why: "only ids the truth does not have",
    content: { annotations: [annotation(900, 1, 1, 5, 5)] },
    message: "received none that fits; the first predictions are 900",
  },
  { why: "text", content: "no json", message: "predictions.json" },
])("predictions that are $why are an error", async ({ content, message }) => {
  await expect(evaluateFiles(writeJson(folder.path, "predictions.json", content), truth([CAR]))).rejects.toMatchObject({
    exitCode: 65,
    message: expect.stringContaining(message) as string,
  });
});

test("a missing file is said to be missing", async () => {
  await expect(evaluateFiles(join(folder.path, "nowhere.json"), truth([CAR]))).rejects.toMatchObject({ exitCode: 66 });
  await expect(evaluateFiles(predicted([CAR]), join(folder.path, "nowhere.json"))).rejects.toMatchObject({
    exitCode: 66,
  });
});

test("names that mean something to JavaScript mean nothing here", async () => {
  const evil = JSON.parse(
    '{"__proto__": {"polluted": true}, "constructor": 1, "id": "__proto__", "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 10], "segmentation": [[10, 10, 30, 10, 30, 20, 10, 20]]}',
  ) as Record<string, unknown>;
  const { report } = await evaluateFiles(predicted([evil]), truth([evil]), { groupBy: { kind: "prefix" } });
  expect(report.methods[0]!.instanceMean.mean).toBe(1);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("a truth without image sizes says that it needs the images, and takes the sizes from their headers", async () => {
  const images = join(import.meta.dirname, "..", "..", "fixtures", "images");
  const unsized = [
    { id: 1, file_name: "street.jpg" },
    { id: 2, file_name: "nowhere.jpg" },
  ];
  const gt = truth([CAR, PERSON], unsized);
  await expect(evaluateFiles(predicted([CAR]), gt)).rejects.toMatchObject({
    exitCode: 65,
    hint: expect.stringContaining("--images") as string,
  });
  const { report, imagePaths } = await evaluateFiles(predicted([CAR]), gt, { images });
  expect(report.methods[0]!.instanceMean).toMatchObject({ mean: 1, count: 1 });
  expect(report.counts.exclusions).toMatchObject([{ reason: "image-size-unknown", firstIds: ["p"] }]);
  expect(imagePaths.get(1)).toBe(join(images, "street.jpg"));
});

test("run.json beside the predictions gives model, engine and image folder to the report", async () => {
  const file = predicted([CAR]);
  writeJson(folder.path, "run.json", {
    model: { name: "mobile" },
    engine: { name: "onnxruntime", device: "cpu" },
    inputs: { images: "/nowhere" },
    options: { context: 0.2 },
  });
  expect((await evaluateFiles(file, truth([CAR]))).report.inputs).toMatchObject({
    model: "mobile",
    engine: "onnxruntime",
    device: "cpu",
  });
  writeJson(folder.path, "run.json", "{ broken");
  const { report, notes } = await evaluateFiles(file, truth([CAR]));
  expect(report.inputs.model).toBeUndefined();
  expect(notes.some((line) => line.startsWith("not used: ") && line.includes("run.json: expected JSON but"))).toBe(
    true,
  );
});

test("Cityscapes truth is evaluated by its visible parts", async () => {
  const boxes = join(import.meta.dirname, "..", "..", "fixtures", "cityscapes", "gtFine");
  const dataset = await openDataset({ boxes });
  const predictions: unknown[] = [];
  for await (const { entries } of dataset.groups()) {
    for (const entry of entries) {
      if (entry.kind !== "instance" || entry.instance.truth?.kind !== "rle") continue;
      const {
        annotationId: id,
        imageId: image_id,
        truth: { rle },
      } = entry.instance;
      predictions.push({ id, image_id, segmentation: { size: [rle.height, rle.width], counts: [...rle.counts] } });
    }
  }
  await dataset.close();
  const { report } = await evaluateFiles(
    writeJson(folder.path, "predictions.json", { annotations: predictions }),
    boxes,
    { groupBy: { kind: "prefix" } },
  );
  expect(report.counts.evaluated).toBe(predictions.length);
  expect(predictions.length).toBeGreaterThan(0);
  expect(report.methods[0]!.classMean.mean).toBe(1);
  expect(report.methods[0]!.comparedAs).toBe("mask");
});
