import { expect, test } from "vitest";
import { viewAround } from "../../src/crop/view.js";

test("a box over a photograph of 8,000 x 6,000 pixels is shown with 1,600 at most, whatever lies around it", () => {
  const image = { width: 8000, height: 6000 };
  const whole = { left: 0, top: 0, width: 8000, height: 6000 };
  expect(viewAround(whole, image, { margin: 0.5, side: 1600 })).toEqual({
    x: 0,
    y: 0,
    scale: 0.2,
    width: 1600,
    height: 1200,
    sourceWidth: 8000,
    sourceHeight: 6000,
  });
  const small = { left: 10, top: 20, width: 100, height: 40 };
  expect(viewAround(small, image, { margin: 0.5, side: 1600 })).toMatchObject({
    x: 0,
    y: 0,
    scale: 1,
    sourceWidth: 160,
    sourceHeight: 80,
  });
});
