import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import { decodeRle, rleArea } from "../../src/geometry/rle.js";
import type { JsonObject } from "../../src/types.js";
import { toCocoAnnotation } from "../../src/write/coco-annotation.js";
import { nameCategories } from "../../src/write/labels.js";
import { resultLine } from "../../src/write/coco-annotation.js";
import type { ResultItem } from "../../src/write/writer.js";
import {
  CATEGORIES,
  TRIANGLE,
  anyRing,
  done,
  failed,
  instanceOf,
  rejected,
  resultOf,
  skipped,
  withoutSize,
} from "./results.js";

const names = nameCategories(CATEGORIES);
const annotate = (item: ResultItem): JsonObject | undefined => toCocoAnnotation(item, resultOf([item]), names);

describe("a drawn polygon", () => {
  test("goes out with every field of the input, the segmentation replaced", () => {
    const raw = {
      id: 100,
      attributes: { occluded: true, tags: ["a", null] },
      note: "ours",
      segmentation: [[1, 2, 3, 4, 5, 6]],
      area: 7,
      iscrowd: 0,
    };
    expect(annotate(done(instanceOf(0, { raw })))).toEqual({
      ...raw,
      image_id: 1,
      category_id: 3,
      bbox: [5, 6, 70, 50],
      segmentation: [[10, 10, 60.25, 12.5, 30, 44.13]],
      area: rleArea(rasterizePolygon([TRIANGLE], 80, 100)),
      iscrowd: 0,
      score: 0.8125,
      polyrnn_score: 0.8125,
    });
  });

  test.each([
    { why: "large ids stay", id: 9007199254740991 },
    { why: "text ids stay", id: "0042" },
    { why: "empty text stays", id: "" },
  ])("$why", ({ id }) => {
    const instance = {
      ...instanceOf(0),
      annotationId: id,
      imageId: id,
      categoryId: id,
      raw: { id, image_id: id, category_id: id },
    };
    expect(annotate(done(instance))).toMatchObject({ id, image_id: id, category_id: id });
  });

  test("gets the ids and the box that its input had no fields for", () => {
    expect(annotate(done({ ...instanceOf(4), raw: { label: "car" } }))).toMatchObject({
      label: "car",
      id: 104,
      image_id: 1,
      category_id: 3,
      bbox: [5, 6, 70, 50],
    });
  });

  test("keeps a field called __proto__ as the field it is", () => {
    const raw = JSON.parse('{"__proto__":{"polluted":1},"id":100}') as JsonObject;
    expect(resultLine({ ...instanceOf(0), raw }, done(instanceOf(0)).outcome as never)).toContain(
      '"__proto__":{"polluted":1}',
    );
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each([
    { why: "without a detector's score, score is the polygon's", raw: {}, score: 0.8125 },
    { why: "a detector's score stays", raw: { score: 0.31 }, score: 0.31 },
    { why: "a detector's score of zero stays", raw: { score: 0 }, score: 0 },
    { why: "a score of an earlier run is replaced", raw: { score: 0.5, polyrnn_score: 0.5 }, score: 0.8125 },
    { why: "a detector's score beside an earlier run's stays", raw: { score: 0.31, polyrnn_score: 0.5 }, score: 0.31 },
    { why: "a score of null is none", raw: { score: null }, score: 0.8125 },
  ])("$why; polyrnn_score is always the polygon's", ({ raw, score }) => {
    expect(annotate(done(instanceOf(0, { raw })))).toMatchObject({ score, polyrnn_score: 0.8125 });
  });

  test("comes out to two decimals whatever its coordinates are, and reads back the same", () => {
    const anyValue = fc.double({ min: -500, max: 5000, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.record({ x: anyValue, y: anyValue }), { minLength: 3, maxLength: 9 }), (ring) => {
        const line = resultLine(instanceOf(0), done(instanceOf(0), ring).outcome as never);
        const [flat] = (JSON.parse(line) as { segmentation: number[][] }).segmentation;
        expect(flat).toHaveLength(2 * ring.length);
        ring.forEach(({ x, y }, i) => {
          expect(flat![2 * i]).toBeCloseTo(x, 1.99);
          expect(flat![2 * i + 1]).toBeCloseTo(y, 1.99);
        });
        expect(JSON.stringify(flat)).toMatch(/^\[(-?(0|[1-9]\d*)(\.\d{1,2})?,?)+\]$/u);
        expect(JSON.stringify(flat)).not.toMatch(/-0[,\]]/u);
      }),
    );
  });

  test("has at least six numbers, and its area is the mask's", () => {
    fc.assert(
      fc.property(anyRing, (ring) => {
        const { segmentation, area } = annotate(done(instanceOf(0), ring)) as {
          segmentation: number[][];
          area: number;
        };
        expect(segmentation[0]!.length).toBeGreaterThanOrEqual(6);
        expect(area).toBe(rleArea(rasterizePolygon([ring], 80, 100)));
      }),
    );
  });
});

describe("a label of the input that was passed over", () => {
  const polygon = [[1, 1, 9, 1, 9, 9]];
  test.each([
    { why: "a kept polygon", reason: "kept", segmentation: polygon, extra: { area: 33, iscrowd: false } },
    {
      why: "a crowd's mask",
      reason: "crowd",
      segmentation: { size: [80, 100], counts: "anything" },
      extra: { area: 7, iscrowd: 1 },
    },
    {
      why: "a category that was not asked for",
      reason: "category",
      segmentation: polygon,
      extra: { area: 0, iscrowd: 0 },
    },
    { why: "JSON as text", reason: "kept", segmentation: "[[2,2,7,2,7,7]]", extra: { area: 33, iscrowd: 0 } },
    { why: "a flat list", reason: "kept", segmentation: [2, 2, 7, 2, 7, 7], extra: { area: 33, iscrowd: 0 } },
    {
      why: "a list of points",
      reason: "kept",
      segmentation: [
        { x: 2, y: 2 },
        { x: 7, y: 2 },
        { x: 7, y: 7 },
      ],
      extra: { area: 33, iscrowd: 0 },
    },
    {
      why: "a crowd that nobody can read",
      reason: "crowd",
      segmentation: { polygon: 1 },
      extra: { area: 3, iscrowd: 1 },
    },
  ] as const)("goes out unchanged: $why", ({ reason, segmentation, extra }) => {
    const raw = {
      id: "a",
      image_id: 1,
      category_id: 3,
      bbox: [1, 1, 8, 8],
      segmentation,
      ...extra,
    } as unknown as JsonObject;
    expect(annotate(rejected(raw, { status: "skipped", reason }))).toEqual(raw);
    expect(annotate(skipped(instanceOf(0, { raw }), reason))).toEqual({ ...instanceOf(0).raw, ...raw });
  });

  test.each([
    { why: "a polygon", segmentation: polygon, bbox: [1, 1, 8, 8], area: 28 },
    { why: "a mask", segmentation: { size: [80, 100], counts: [8, 5, 7987] }, bbox: [0, 8, 1, 5], area: 5 },
    {
      why: "a mask nobody can read: its box",
      segmentation: { size: [80, 100], counts: "anything" },
      bbox: null,
      area: 0,
    },
  ])("gets what COCOeval stops without, and nothing else: $why", ({ segmentation, bbox, area }) => {
    const raw = { id: 1, image_id: 1, category_id: 3, segmentation, area: null, note: "x" } as JsonObject;
    const expected = { ...raw, ...(bbox !== null && { bbox }), area, iscrowd: 0 };
    expect(annotate(rejected(raw, { status: "skipped", reason: "kept" }))).toEqual(expected);
  });

  test("has the same area where nobody knows the size of its image", () => {
    const item = rejected({ segmentation: polygon }, { status: "skipped", reason: "kept" });
    expect(toCocoAnnotation(item, withoutSize(resultOf([item])), names)).toMatchObject({ area: 28 });
  });

  test("stays out when it is a box only: pycocotools asks every annotation for a segmentation", () => {
    expect(annotate(rejected({ id: 1, bbox: [1, 1, 8, 8] }, { status: "skipped", reason: "crowd" }))).toBeUndefined();
  });

  test.each([
    {
      why: "a kept object is an instance",
      raw: { label: "car" },
      reason: "kept",
      fields: { category_id: 3, iscrowd: 0 },
    },
    {
      why: "a group is a crowd of its members' category",
      raw: { label: "cargroup" },
      reason: "group",
      fields: { category_id: 3, iscrowd: 1 },
    },
  ] as const)("of Cityscapes gets COCO's fields: $why", ({ raw, reason, fields }) => {
    const item = rejected(
      {
        ...raw,
        polygon: [
          [10, 10],
          [20, 10],
          [20, 30],
          [10, 30],
        ],
      },
      { status: "skipped", reason, annotationId: 7 },
    );
    expect(annotate(item)).toMatchObject({
      ...raw,
      ...fields,
      id: 7,
      image_id: 1,
      // The file names pixels, and the outline's own belong to the object: 11 x 21 of them.
      bbox: [10, 10, 11, 21],
      segmentation: [[10, 10, 21, 10, 21, 31, 10, 31]],
      area: 231,
    });
  });

  test.each([
    {
      why: "its label is no category",
      raw: {
        label: "sky",
        polygon: [
          [1, 1],
          [2, 1],
          [2, 2],
        ],
      },
      isSized: true,
    },
    { why: "it has no polygon", raw: { label: "car" }, isSized: true },
    {
      why: "nobody knows the image's size",
      raw: {
        label: "car",
        polygon: [
          [1, 1],
          [2, 1],
          [2, 2],
        ],
      },
      isSized: false,
    },
  ])("of Cityscapes stays out when $why", ({ raw, isSized }) => {
    const item = rejected(raw, { status: "skipped", reason: "kept" });
    expect(toCocoAnnotation(item, isSized ? resultOf([item]) : withoutSize(resultOf([item])), names)).toBeUndefined();
  });
});

test.each([
  { why: "it failed", item: failed(instanceOf(0, { raw: { segmentation: [[1, 1, 9, 1, 9, 9]] } })) },
  {
    why: "its score is below the limit",
    item: skipped(instanceOf(0, { raw: { segmentation: [[1, 1, 9, 1, 9, 9]] } }), "score-below-minimum"),
  },
])("an instance has no annotation when $why", ({ item }) => {
  expect(annotate(item)).toBeUndefined();
});

test("run lengths hold the same mask as the polygon, and read back", () => {
  const item = done(instanceOf(0));
  const { segmentation, area } = toCocoAnnotation(item, resultOf([item]), names, "rle")!;
  const rle = decodeRle(segmentation, "");
  expect([...rle.counts]).toEqual([...rasterizePolygon([TRIANGLE], 80, 100).counts]);
  expect(area).toBe(rleArea(rle));
});

test("a line of the stream is the annotation of the file, on one line", () => {
  const instance = instanceOf(0, { raw: { note: "two\nlines" } });
  const item = done(instance);
  const line = resultLine(instance, item.outcome as never);
  expect(line).not.toContain("\n");
  expect(JSON.parse(line)).toEqual(annotate(item));
});
