import { expect, test } from "vitest";
import { cutCrop } from "../../src/crop/read-crops.js";
import { resampleWindow } from "../../src/crop/resample-window.js";
import { instanceOf, mapImage } from "./images.js";

const IMAGE = mapImage(300, 200);

test("the window is square, 15 % longer than the box's long side, and centered on the box", async () => {
  const result = await cutCrop(IMAGE, instanceOf(0, { left: 100, top: 80, width: 40, height: 20 }), 0.15);
  expect(result).toMatchObject({
    kind: "crop",
    crop: { window: { left: 97, top: 67, side: 46 }, clipped: false, imageWidth: 300, imageHeight: 200 },
  });
  if (result.kind === "crop") expect(result.crop.pixels).toEqual(await resampleWindow(IMAGE, result.crop.window, 224));
});

test("a box that reaches over the border is cut there before it is framed, and says so", async () => {
  const result = await cutCrop(IMAGE, instanceOf(0, { left: -50, top: 20, width: 100, height: 30 }), 0);
  expect(result).toMatchObject({ kind: "crop", crop: { window: { left: 0, top: 10, side: 50 }, clipped: true } });
});

test.each([
  { box: { left: 300, top: 10, width: 20, height: 20 }, why: "begins where the image ends" },
  { box: { left: -30, top: -30, width: 20, height: 20 }, why: "ends before the image begins" },
  { box: { left: 10, top: 9000, width: 20, height: 20 }, why: "lies far below" },
])("a box that $why fails with the box and the image's size in the message", async ({ box }) => {
  const instance = instanceOf(4, box);
  const result = await cutCrop(IMAGE, instance, 0.15);
  expect(result).toMatchObject({ kind: "failed", instance, failure: { reason: "box-outside" } });
  const message = result.kind === "failed" ? result.failure.message : "";
  expect(message).toContain("annotation 5");
  expect(message).toContain("300 x 200 pixels");
  expect(message).toContain(`[${box.left}, ${box.top}, ${box.width}, ${box.height}]`);
});

test("a box smaller than a pixel still gives a crop", async () => {
  const result = await cutCrop(IMAGE, instanceOf(0, { left: 10.2, top: 10.2, width: 0.1, height: 0.05 }), 0.15);
  expect(result).toMatchObject({ kind: "crop", crop: { window: { side: 1 } } });
});
