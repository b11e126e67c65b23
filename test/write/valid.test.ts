/**
 * What every format holds of predicted polygons is valid: at least three vertices, none equal to the next, all inside
 * the image, no edges that cross. Read with each format's own words, not with this program's readers.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CELL_COUNT } from "../../src/geometry/grid.js";
import { isSimple } from "../../src/geometry/simple-ring.js";
import { sequenceToRing } from "../../src/predict/outline.js";
import type { JsonObject, Ring } from "../../src/types.js";
import { openWriters } from "../../src/write/open-writers.js";
import type { OutputFormat } from "../../src/write/writer.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { contextOf, done, instanceOf, readJson, resultOf } from "./results.js";

const [WIDTH, HEIGHT] = [100, 80];
const pairs = (flat: readonly number[]): Ring =>
  Array.from({ length: flat.length / 2 }, (_, i) => ({ x: flat[2 * i]!, y: flat[2 * i + 1]! }));
const points = (list: readonly (readonly number[])[]): Ring => list.map(([x, y]) => ({ x: x!, y: y! }));

/** A prediction in a box of the image, as networks of the first kind make it. */
const anyPrediction = fc
  .record({
    cells: fc.array(fc.nat(CELL_COUNT - 1), { minLength: 3, maxLength: 20 }),
    left: fc.integer({ min: 0, max: 8000 }).map((v) => v / 100),
    top: fc.integer({ min: 0, max: 6000 }).map((v) => v / 100),
    width: fc.integer({ min: 2, max: 20 }),
    height: fc.integer({ min: 2, max: 20 }),
  })
  .map(({ cells, ...bounds }) => {
    const side = Math.max(bounds.width, bounds.height) * 1.15;
    const window = { left: bounds.left - 1, top: bounds.top - 1, side };
    return sequenceToRing(cells, { window, bounds }, undefined);
  })
  .filter(({ distinct, ring }) => distinct >= 3 && isSimple(ring));

type Shapes = Readonly<Record<string, unknown>>;
interface Row {
  readonly format: OutputFormat;
  readonly ringsOf: (out: string) => Promise<readonly Ring[]>;
  /** Vertices name pixels: what is smaller has repeated ones, and edges can come together. */
  readonly isOfPixels?: true;
}

const ROWS: readonly Row[] = [
  {
    format: "coco",
    ringsOf: async (out) => {
      const { annotations } = await readJson<{ annotations: { segmentation: number[][] }[] }>(out, "annotations.json");
      return annotations.flatMap(({ segmentation }) => segmentation.map(pairs));
    },
  },
  {
    format: "cvat",
    ringsOf: async (out) =>
      [...(await readFile(join(out, "cvat.xml"), "utf8")).matchAll(/ points="([^"]*)"/g)].map(([, text]) =>
        points(text!.split(";").map((point) => point.split(",").map(Number))),
      ),
  },
  {
    format: "labelme",
    isOfPixels: true,
    ringsOf: async (out) =>
      (await readJson<{ shapes: { points: number[][] }[] }>(out, "labelme", "street.json")).shapes.map((shape) =>
        points(shape.points),
      ),
  },
  {
    format: "yolo-seg",
    ringsOf: async (out) =>
      (await readFile(join(out, "yolo-seg", "labels", "street.txt"), "utf8"))
        .trim()
        .split("\n")
        .map((line) =>
          pairs(line.split(" ").slice(1).map(Number)).map(({ x, y }) => ({ x: x * WIDTH, y: y * HEIGHT })),
        ),
  },
  {
    format: "label-studio",
    ringsOf: async (out) => {
      const [task] = await readJson<{ predictions: { result: { value: { points: number[][] } }[] }[] }[]>(
        out,
        "label-studio.json",
      );
      return task!.predictions[0]!.result.map(({ value }) =>
        points(value.points).map(({ x, y }) => ({ x: (x * WIDTH) / 100, y: (y * HEIGHT) / 100 })),
      );
    },
  },
  {
    format: "via",
    ringsOf: async (out) => {
      const project = await readJson<{ _via_img_metadata: Record<string, { regions: Shapes[] }> }>(out, "via.json");
      return Object.values(project._via_img_metadata).flatMap(({ regions }) =>
        regions.map((region) => {
          const shape = region["shape_attributes"] as { all_points_x: number[]; all_points_y: number[] };
          return shape.all_points_x.map((x, i) => ({ x, y: shape.all_points_y[i]! }));
        }),
      );
    },
  },
  {
    format: "cityscapes",
    isOfPixels: true,
    ringsOf: async (out) => {
      const file = await readJson<{ objects: JsonObject[] }>(out, "cityscapes", "street_gtFine_polygons.json");
      return file.objects.map((object) => points(object["polygon"] as number[][]));
    },
  },
];

test.each(ROWS)("$format", async ({ format, ringsOf, isOfPixels }) => {
  const root = temporaryFolder();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyPrediction, { minLength: 1, maxLength: 5 }), async (predictions) => {
      const out = join(root, String(number++));
      await mkdir(out);
      const writer = await openWriters([format], contextOf(out));
      const items = predictions.map(({ ring }, i) => done(instanceOf(i), ring));
      await writer.image(resultOf(items));
      await writer.finish();
      const rings = await ringsOf(out);
      expect(rings).toHaveLength(predictions.length);
      for (const ring of rings) {
        expect(ring.length).toBeGreaterThanOrEqual(3);
        ring.forEach(({ x, y }, i) => {
          expect(x >= 0 && y >= 0 && x <= WIDTH && y <= HEIGHT).toBe(true);
          if (ring.length > 3 || isOfPixels === undefined) expect(ring[(i + 1) % ring.length]).not.toEqual({ x, y });
        });
        // Formats in shares of the image round once more, by less than the rings keep clear.
        if (isOfPixels === undefined) expect(isSimple(ring, 0)).toBe(true);
      }
    }),
    { numRuns: 10 },
  );
});
