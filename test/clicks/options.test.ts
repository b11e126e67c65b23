import { expect, test } from "vitest";
import { parseThresholds } from "../../src/clicks/options.js";

test("thresholds are numbers in the order given", () => {
  expect(parseThresholds(["4", "1", "0", "2.5"], "--threshold")).toEqual([4, 1, 0, 2.5]);
});

test.each([
  { words: ["two"], message: '--threshold: expected numbers of 0 or more but received "two"', why: "a word" },
  { words: ["1", "-1"], message: '--threshold: expected numbers of 0 or more but received "-1"', why: "below 0" },
  {
    words: ["Infinity"],
    message: '--threshold: expected numbers of 0 or more but received "Infinity"',
    why: "no number of cells",
  },
  { words: ["NaN"], message: '--threshold: expected numbers of 0 or more but received "NaN"', why: "not a number" },
  {
    words: ["0x10"],
    message: '--threshold: expected numbers of 0 or more but received "0x10"',
    why: "a number as programs write it",
  },
  {
    words: ["9".repeat(400)],
    message: `--threshold: expected numbers of 0 or more but received "${"9".repeat(400)}"`,
    why: "larger than any number",
  },
  {
    words: ["1", "2", "1.0"],
    message: "--threshold: expected every threshold once but received 1 twice",
    why: "twice the same",
  },
  {
    words: Array.from({ length: 17 }, (_, i) => String(i)),
    message: "--threshold: expected 1 to 16 thresholds but received 17",
    why: "too many",
  },
])("$why is refused", ({ words, message }) => {
  expect(() => parseThresholds(words, "--threshold")).toThrow(message);
});
