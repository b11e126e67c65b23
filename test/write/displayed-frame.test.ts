/** Photographs stored turned: where a stored pixel is on the displayed picture, sharp's own turning says. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { Ring } from "../../src/types.js";
import { inDisplayedFrame } from "../../src/write/displayed-frame.js";
import { openWriters } from "../../src/write/open-writers.js";
import { contextOf, done, instanceOf, readJson, resultOf, useFolder } from "./results.js";

const STORED = { width: 12, height: 20 };
/** The pixel in column 3 and row 7 is white. */
const MARK: Ring = [
  { x: 3, y: 7 },
  { x: 4, y: 7 },
  { x: 4, y: 8 },
  { x: 3, y: 8 },
];
const folder = useFolder();

async function photograph(orientation: number): Promise<string> {
  const pixels = Buffer.alloc(STORED.width * STORED.height);
  pixels[7 * STORED.width + 3] = 255;
  const path = join(folder.path, `${orientation}.png`);
  await sharp(pixels, { raw: { ...STORED, channels: 1 } })
    .withMetadata({ orientation })
    .png()
    .toFile(path);
  return path;
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "orientation %i: a stored ring lies where the tools show it",
  async (orientation) => {
    const path = await photograph(orientation);
    const result = resultOf([], { path, size: STORED });
    const { size, toDisplayed } = await inDisplayedFrame(result);
    if (orientation < 5) {
      // Both frames are of one size: such a file counts displayed pixels.
      expect({ size, toDisplayed }).toEqual({ size: STORED, toDisplayed: undefined });
      return;
    }
    const { data, info } = await sharp(path)
      .autoOrient()
      .toColourspace("b-w")
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(size).toEqual({ width: info.width, height: info.height });
    const at = data.indexOf(255) / info.channels;
    const [left, top] = [at % info.width, Math.floor(at / info.width)];
    const ring = toDisplayed!(MARK);
    expect(Math.min(...ring.map(({ x }) => x))).toBe(left);
    expect(Math.min(...ring.map(({ y }) => y))).toBe(top);
    const area = ring.reduce((sum, p, i) => sum + ring.at(i - 1)!.x * p.y - p.x * ring.at(i - 1)!.y, 0) / 2;
    expect(area).toBe(1); // Clockwise on screen, mirrored or not.
    // A file that counts displayed pixels stays as it is.
    const displayed = resultOf([], { path, size: { width: STORED.height, height: STORED.width } });
    expect(await inDisplayedFrame(displayed)).toBe(displayed);
  },
);

test.each([
  { why: "is not there", content: undefined },
  { why: "is no photograph", content: "nothing" },
])("a photograph that $why leaves the result as it is", async ({ content }) => {
  const path = join(folder.path, "a.jpg");
  if (content !== undefined) await writeFile(path, content);
  const result = resultOf([], { path });
  expect(await inDisplayedFrame(result)).toBe(result);
});

/** The first two points of a polygon on a picture of 120 x 200 that is shown 200 x 120, in every format. */
test("formats whose tools turn photographs have turned polygons, the others those of the box file", async () => {
  const path = join(folder.path, "a.jpg");
  await sharp({ create: { width: 120, height: 200, channels: 3, background: "#888" } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(path);
  const ring = [
    { x: 24, y: 103.57 },
    { x: 77, y: 80 },
    { x: 84, y: 160 },
    { x: 24, y: 150 },
  ];
  const out = join(folder.path, "out");
  const writer = await openWriters(
    ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio", "cvat"],
    contextOf(out, { images: folder.path }),
  );
  const item = done(instanceOf(0), ring);
  await writer.image(
    resultOf([item], {
      fileName: "a.jpg",
      path,
      size: { width: 120, height: 200 },
      raw: { id: 1, file_name: "a.jpg" },
    }),
  );
  await writer.finish();

  expect(await readJson(out, "annotations.json")).toMatchObject({
    annotations: [{ segmentation: [[24, 103.57, 77, 80, 84, 160, 24, 150]] }],
    images: [{ width: 120, height: 200 }],
  });
  expect(await readFile(join(out, "cvat.xml"), "utf8")).toMatch(
    /width="200" height="120">\s*<polygon [^>]*points="96\.43,24;120,77;40,84;50,24"/u,
  );
  expect(await readJson(out, "cityscapes", "a_gtFine_polygons.json")).toMatchObject({ imgWidth: 120, imgHeight: 200 });
  const labelme = await readJson<{ imageWidth: number; imageHeight: number; shapes: { points: [number, number][] }[] }>(
    out,
    "labelme",
    "a.json",
  );
  expect(labelme).toMatchObject({ imageWidth: 200, imageHeight: 120 });
  const [first, second] = labelme.shapes[0]!.points;
  // x' = 200 - y, y' = x; at most a pixel inward (write/labelme.ts).
  for (const [i, value] of [96.43, 24, 120, 77].entries())
    expect(Math.abs([...first!, ...second!][i]! - value)).toBeLessThanOrEqual(1);
  const [task] = await readJson<
    {
      predictions: { result: { original_width: number; original_height: number; value: { points: number[][] } }[] }[];
    }[]
  >(out, "label-studio.json");
  const [studio] = task!.predictions[0]!.result;
  expect(studio).toMatchObject({ original_width: 200, original_height: 120 });
  expect(studio!.value.points.slice(0, 2)).toEqual([
    [48.215, 20],
    [60, 64.1667],
  ]);
  expect(await readFile(join(out, "yolo-seg", "labels", "a.txt"), "utf8")).toMatch(/^0 0\.48215 0\.2 0\.6 0\.641667 /);
});
