import { expect, test } from "vitest";
import { nearestName } from "../src/nearest.js";

test.each([
  { typed: "mobil", nearest: "mobile", why: "a letter missing" },
  { typed: "Mobile", nearest: "mobile", why: "case aside" },
  { typed: "vg16", nearest: "vgg16", why: "one letter of five" },
  { typed: "tinyrandom", nearest: "tiny-random", why: "a hyphen missing" },
  { typed: "tiny", nearest: "tiny-random", why: "the beginning of one name" },
  { typed: "TI", nearest: "tiny-random", why: "two letters of one name" },
  { typed: "t", nearest: undefined, why: "one letter says nothing" },
  { typed: "vgg1", nearest: "vgg16", why: "both near and a beginning" },
  { typed: "resnet50", nearest: undefined, why: "nothing is near" },
  { typed: "", nearest: undefined, why: "nothing was typed" },
  { typed: "x".repeat(100_000), nearest: undefined, why: "a flood of text" },
])("$why: the name nearest to what was typed is $nearest", ({ typed, nearest }) => {
  expect(nearestName(typed, ["mobile", "vgg16", "tiny-random"])).toBe(nearest);
});

test("a beginning that several names have suggests none of them, a near name goes before a longer one that begins alike", () => {
  expect(nearestName("batch", ["batch-size", "batch-limit"])).toBeUndefined();
  expect(nearestName("bo", ["boxes", "boxes-are"])).toBe("boxes");
  expect(nearestName("boxe", ["boxe-and-more", "boxes"])).toBe("boxes");
});

test("candidates may come from anything that can be walked once", () => {
  expect(
    nearestName(
      "bat",
      new Map([
        ["batch-size", 1],
        ["out", 2],
      ]).keys(),
    ),
  ).toBe("batch-size");
});
