import { expect, test } from "vitest";
import { nearestName } from "../../src/schema/nearest.js";

test.each([
  { typed: "mobil", nearest: "mobile", why: "a letter missing" },
  { typed: "Mobile", nearest: "mobile", why: "case aside" },
  { typed: "vg16", nearest: "vgg16", why: "one letter of five" },
  { typed: "tinyrandom", nearest: "tiny-random", why: "a hyphen missing" },
  { typed: "resnet50", nearest: undefined, why: "nothing is near" },
  { typed: "", nearest: undefined, why: "nothing was typed" },
  { typed: "x".repeat(100_000), nearest: undefined, why: "a flood of text" },
])("$why: the name nearest to what was typed is $nearest", ({ typed, nearest }) => {
  expect(nearestName(typed, ["mobile", "vgg16", "tiny-random"])).toBe(nearest);
});
