import { expect, test } from "vitest";
import { PUBLISHED_CITYSCAPES } from "../../src/report/published.js";

test.each(PUBLISHED_CITYSCAPES.rows.map((row) => ({ ...row })))(
  "the published mean of $method is that of its classes",
  ({ perClass, mean }) => {
    expect(perClass).toHaveLength(PUBLISHED_CITYSCAPES.classes.length);
    // Two decimals are printed.
    expect(Math.abs(perClass.reduce((sum, value) => sum + value, 0) / perClass.length - mean)).toBeLessThan(0.011);
  },
);
