import { describe, expect, test } from "vitest";
import { readSegmentation } from "../../src/geometry/segmentation.js";

const SIZE = { width: 20, height: 10 };
const square = [1, 1, 5, 1, 5, 5, 1, 5];
const ring = [
  { x: 1, y: 1 },
  { x: 5, y: 1 },
  { x: 5, y: 5 },
  { x: 1, y: 5 },
];
const pairs = ring.map(({ x, y }) => [x, y]);
const mask = { size: [10, 20], counts: [10, 20, 170] };
const polygon = { kind: "polygon", polygon: [ring] };

describe("what can mean one thing only is read", () => {
  test.each([
    { why: "COCO's own form", value: [square] },
    { why: "a closed ring", value: [[...square, 1, 1]] },
    { why: "one flat list", value: square },
    { why: "a list of points", value: [pairs] },
    { why: "points without a list around them", value: pairs },
    { why: "points as objects", value: [ring] },
    { why: "a list too many around the part", value: [[square]] },
    { why: "lists too many around the points", value: [[[pairs]]] },
    { why: "numbers as text", value: [square.map(String)] },
    { why: "the whole as JSON text", value: JSON.stringify([square]) },
    { why: "an empty part beside it", value: [[], square, null] },
  ])("$why", ({ value }) => {
    expect(readSegmentation(value, "here", SIZE)).toEqual({ truth: polygon });
  });

  test.each([
    { why: "run lengths as a list", value: mask },
    { why: "in a list", value: [mask] },
    { why: "in two lists", value: [[mask]] },
    { why: "as JSON text", value: JSON.stringify(mask) },
  ])("a mask: $why", ({ value }) => {
    const { truth } = readSegmentation(value, "here", SIZE);
    expect(truth?.kind === "rle" && [...truth.rle.counts]).toEqual(mask.counts);
  });

  test("several masks are one, as several polygons are", () => {
    const other = { size: [10, 20], counts: [0, 5, 195] };
    const { truth } = readSegmentation([mask, other], "here", SIZE);
    expect(truth?.kind === "rle" && [...truth.rle.counts]).toEqual([0, 5, 5, 20, 170]);
  });

  test("each of several parts may have a list of its own around it", () => {
    const { truth } = readSegmentation([[pairs], [square]], "here", SIZE);
    expect(truth).toEqual({ kind: "polygon", polygon: [ring, ring] });
  });
});

test.each([[null], [undefined], [[]], [{}], [[[]]], [[[], null]], [""]])("%j holds nothing", (value) => {
  expect(readSegmentation(value, "here", SIZE)).toEqual({});
});

describe("a good part is kept beside one that cannot be read, and what is left out is said", () => {
  test.each([
    { why: "two points", part: [1, 1, 5, 5], says: "at least 3 points, received 2" },
    { why: "an odd count", part: [1, 1, 5, 1, 5, 5, 1], says: "expected pairs" },
    { why: "a coordinate that is none", part: [1, 1, 5, 1, 5, null], says: "received null" },
    { why: "a word", part: "NaN", says: 'received "NaN"' },
    { why: "a coordinate no image has", part: [1, 1, 5, 1, 5, 1e300], says: "finite numbers" },
  ])("$why", ({ part, says }) => {
    const read = readSegmentation([part, square], "here", SIZE);
    expect(read.truth).toEqual(polygon);
    expect(read.truthLeftOut).toContain("here, segmentation[0]");
    expect(read.truthLeftOut).toContain(says);
    expect(readSegmentation([square, part], "here", SIZE).truth).toEqual(polygon);
  });
});

describe("everything else is a problem, never nothing", () => {
  test.each([
    { why: "an odd count", value: [[...square, 1]], says: "segmentation[0]: expected pairs" },
    { why: "two points", value: [[1, 1, 5, 5]], says: "at least 3 points" },
    { why: "a word", value: "car", says: 'received "car"' },
    { why: "torn text of a list", value: "[[1, 2, 3", says: "received" },
    { why: "a number", value: 7, says: "received 7" },
    { why: "no number as a coordinate", value: [[1, 1, 5, 1, 5, "five"]], says: 'received "five"' },
    { why: "hexadecimal text", value: [["0x1", 1, 5, 1, 5, 5]], says: 'received "0x1"' },
    { why: "a decimal comma", value: [["1,5", 1, 5, 1, 5, 5]], says: 'received "1,5"' },
    { why: "a mask of another size", value: { size: [5, 10], counts: [10, 20, 20] }, says: "received 10 x 5" },
    {
      why: "a mask whose sides are exchanged",
      value: { size: [20, 10], counts: [10, 20, 170] },
      says: "(size is [height, width])",
    },
    { why: "run lengths that do not add up", value: { size: [10, 20], counts: [10, 20] }, says: "sum to" },
    { why: "run lengths below 0", value: { size: [10, 20], counts: [10, -20, 210] }, says: "non-negative" },
    { why: "a size alone", value: { size: [10, 20] }, says: "counts" },
    { why: "a mask beside a polygon", value: [mask, square], says: "received both" },
    { why: "half of a mask", value: [mask, { size: [10, 20], counts: [1] }], says: "sum to" },
    { why: "an object of another kind", value: { type: "Polygon" }, says: "size" },
    {
      why: "lists without end",
      value: JSON.parse("[".repeat(400) + "1" + "]".repeat(400)) as unknown,
      says: "expected",
    },
  ])("$why", ({ value, says }) => {
    const read = readSegmentation(value, "here", SIZE);
    expect(read.truth).toBeUndefined();
    expect(read.truthProblem).toContain("here, segmentation");
    expect(read.truthProblem).toContain(says);
  });
});
