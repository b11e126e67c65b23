import { describe, expect, test } from "vitest";
import { encodeRleString, rleFromBitmap } from "../../src/geometry/rle.js";
import { signedArea } from "../../src/geometry/ring.js";
import type { JsonObject } from "../../src/types.js";
import {
  categoryOf,
  existingPolygon,
  hasCocoSegmentation,
  nameCategories,
  passedOver,
} from "../../src/write/labels.js";
import { CATEGORIES, done, failed, instanceOf, rejected, skipped, TRIANGLE } from "./results.js";

const rejectedAs = (raw: JsonObject): ReturnType<typeof rejected> =>
  rejected(raw, { status: "skipped", reason: "kept" });
/** 6 x 6 with a hole in the middle. */
const ringMask = rleFromBitmap(
  Uint8Array.from({ length: 36 }, (_, at) => (at === 14 || Math.floor(at / 6) > 4 || at % 6 > 4 ? 0 : 1)),
  6,
  6,
);

describe("the polygon of a label of the input", () => {
  test("is what a person drew, not the part of it that is visible", () => {
    const truth = { kind: "rle", rle: ringMask } as const;
    expect(
      existingPolygon(
        skipped(
          instanceOf(0, {
            truth,
            raw: {
              polygon: [
                [0, 0],
                [5, 0],
                [5, 5],
                [0, 5],
              ],
            },
          }),
          "kept",
        ),
      ),
    ).toEqual([
      [
        // Six pixels each way: the outline names the first and the last.
        { x: 0, y: 0 },
        { x: 6, y: 0 },
        { x: 6, y: 6 },
        { x: 0, y: 6 },
      ],
    ]);
  });

  test("is the ground truth where the annotation itself has none", () => {
    const truth = { kind: "polygon", polygon: [TRIANGLE] } as const;
    expect(existingPolygon(skipped(instanceOf(0, { truth }), "kept"))).toEqual([TRIANGLE]);
  });

  test.each([
    {
      why: "COCO polygons are rings",
      raw: {
        segmentation: [
          [0, 0, 5, 0, 5, 5],
          [9, 9, 10, 9, 10, 10],
        ],
      },
      rings: 2,
    },
    {
      why: "a Cityscapes polygon is one ring",
      raw: {
        polygon: [
          [0, 0],
          [5, 0],
          [5, 5],
        ],
      },
      rings: 1,
    },
    {
      why: "a compressed mask is traced, its hole bridged",
      raw: { segmentation: { size: [6, 6], counts: encodeRleString(ringMask) } },
      rings: 1,
    },
    {
      why: "a mask in plain counts is traced",
      raw: { segmentation: { size: [6, 6], counts: [...ringMask.counts] } },
      rings: 1,
    },
  ])("$why", ({ raw, rings }) => {
    expect(existingPolygon(rejectedAs(raw))).toHaveLength(rings);
  });

  test("of a mask encloses its pixels, holes taken out", () => {
    const truth = { kind: "rle", rle: ringMask } as const;
    expect(signedArea(existingPolygon(skipped(instanceOf(0, { truth }), "kept"))![0]!)).toBe(24);
  });

  test("of a mask in two parts is two rings", () => {
    const rle = rleFromBitmap(Uint8Array.of(1, 0, 1), 1, 3);
    expect(existingPolygon(skipped(instanceOf(0, { truth: { kind: "rle", rle } }), "kept"))).toHaveLength(2);
  });

  test.each([
    { why: "nothing at all", raw: {} },
    { why: "an empty list", raw: { segmentation: [] } },
    { why: "a polygon of two points", raw: { segmentation: [[0, 0, 5, 5]] } },
    { why: "an odd number of coordinates", raw: { segmentation: [[0, 0, 5, 0, 5, 5, 1]] } },
    { why: "text among coordinates", raw: { segmentation: [[0, 0, 5, 0, 5, "x"]] } },
    { why: "numbers instead of lists", raw: { segmentation: [1, 2, 3] } },
    { why: "a mask whose runs do not fit its size", raw: { segmentation: { size: [2, 2], counts: [1] } } },
    { why: "an empty mask", raw: { segmentation: { size: [2, 2], counts: [4] } } },
    {
      why: "a Cityscapes polygon of two points",
      raw: {
        polygon: [
          [0, 0],
          [1, 1],
        ],
      },
    },
    { why: "a Cityscapes polygon with a number for a point", raw: { polygon: [[0, 0], 5, [1, 1]] } },
    {
      why: "a Cityscapes polygon with text",
      raw: {
        polygon: [
          [0, 0],
          ["a", 1],
          [1, 1],
        ],
      },
    },
  ])("is missing where the annotation has $why", ({ raw }) => {
    expect(existingPolygon(rejectedAs(raw))).toBeUndefined();
  });
});

test("labels that were passed over go out; what the run had to draw does not", () => {
  const kinds = (["kept", "category", "crowd", "group", "deleted", "hidden", "score-below-minimum"] as const).map(
    (reason) => passedOver(skipped(instanceOf(0), reason)),
  );
  expect(kinds).toEqual(["instance", "instance", "region", "region", "none", "none", "none"]);
  expect(passedOver(failed(instanceOf(0)))).toBe("none");
  expect(passedOver(done(instanceOf(0)))).toBe("none");
});

test.each([
  { segmentation: [[1, 2, 3, 4, 5, 6]], has: true },
  { segmentation: { size: [1, 1], counts: [1] }, has: true },
  { segmentation: [], has: false },
  { segmentation: {}, has: false },
  { segmentation: null, has: false },
  { segmentation: " ", has: false },
  { segmentation: "[[1, 2, 3, 4, 5, 6]]", has: true },
  { segmentation: { polygon: [] }, has: true },
])("something is there to go out as it came in the segmentation $segmentation: $has", ({ segmentation, has }) => {
  expect(hasCocoSegmentation({ segmentation })).toBe(has);
});

describe("the category of an item", () => {
  const names = nameCategories([...CATEGORIES, { id: "x", name: "  ", raw: {} }]);
  test.each([
    {
      why: "its instance's",
      item: skipped(instanceOf(0, { categoryId: 17 }), "kept"),
      is: { categoryId: 17, label: "person" },
    },
    { why: "the annotation's id", item: rejectedAs({ category_id: 3 }), is: { categoryId: 3, label: "car" } },
    {
      why: "named by its id when it has no name",
      item: rejectedAs({ category_id: "x" }),
      is: { categoryId: "x", label: "category x" },
    },
    {
      why: "named by its id when the data set does not list it",
      item: rejectedAs({ category_id: 99 }),
      is: { categoryId: 99, label: "category 99" },
    },
    {
      why: "found by a Cityscapes label",
      item: rejectedAs({ label: "person" }),
      is: { categoryId: 17, label: "person" },
    },
    {
      why: "that of the members, for a group",
      item: rejectedAs({ label: "cargroup" }),
      is: { categoryId: 3, label: "car" },
    },
    {
      why: "unknown for a label that is none",
      item: rejectedAs({ label: "sky" }),
      is: { categoryId: undefined, label: "sky" },
    },
    { why: "unknown without any", item: rejectedAs({}), is: { categoryId: undefined, label: "unknown" } },
  ])("is $why", ({ item, is }) => {
    expect(categoryOf(item, names)).toEqual(is);
  });
});
