import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { areaRule } from "../../src/clicks/area-rule.js";
import { closestRule, ringRule } from "../../src/clicks/rules.js";
import { closestIndex } from "../../src/clicks/rules.js";
import type { SimulatedInstance, Simulation } from "../../src/clicks/simulation.js";
import { simulateBatch } from "../../src/clicks/simulate-batch.js";
import { SimulatedAnnotator } from "../../src/clicks/rules.js";
import { truthOnGrid } from "../../src/clicks/simulation.js";
import { fillPolygon, iouOfRles, rasterizeTruth } from "../../src/geometry/iou.js";
import { cellToIndex, indexToCell } from "../../src/geometry/grid.js";
import { decodeCorrected } from "../../src/predict/corrected.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { sequenceToRing } from "../../src/predict/outline.js";
import { stackPixels } from "../../src/crop/crop.js";
import type { Crop } from "../../src/crop/crop.js";
import type { ClickMatch } from "../../src/report/types.js";
import { fakeEngine } from "../predict/fake-engine.js";
import { anyOutline, cropOf, SIDE } from "./arbitraries.js";

const BASE: Simulation = {
  thresholds: [1, 2, 4],
  match: "closest",
  metric: "chessboard",
  maxClicks: Infinity,
  maxSteps: 71,
  candidates: 3,
  rasterizer: "coco",
  choice: "true",
};
const anyMatch = fc.constantFrom("closest", "ring", "area");
const anyCrops = fc
  .uniqueArray(fc.integer({ min: 0, max: 9999 }), { minLength: 1, maxLength: 5 })
  .chain((seeds) => fc.tuple(...seeds.map((seed) => anyOutline.map((outline) => cropOf(outline, seed)))))
  .filter((crops) => crops.every(({ instance, window }) => truthOnGrid(instance.truth!, window) !== undefined));

async function simulate(crops: readonly Crop[], more: Partial<Simulation>): Promise<SimulatedInstance[]> {
  const engine = fakeEngine();
  const { results } = await simulateBatch(engine, crops, { ...BASE, ...more });
  expect(engine.held()).toBe(0);
  return results.map((result) => {
    if (result.kind !== "simulated") throw new Error(`excluded: ${result.reason}`);
    return result;
  });
}

describe("a batch of simulated annotators", () => {
  test("with a threshold larger than the grid nobody clicks, and the polygon is the one of prediction mode", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, anyMatch, async (crops, match) => {
        const { sequences } = await decodeGreedy(fakeEngine(), stackPixels(crops), crops.length, 71);
        for (const [at, { perThreshold, automatic, iouAfterClicks }] of (
          await simulate(crops, { thresholds: [784], match })
        ).entries()) {
          expect(perThreshold[0]!.sequence).toEqual(sequences[at]);
          expect(automatic).toEqual(perThreshold[0]);
          expect(perThreshold[0]!.clicks).toBe(0);
          expect(new Set(iouAfterClicks)).toEqual(new Set([automatic.iou]));
        }
      }),
      { numRuns: 10 },
    );
  });

  test("with T = 0 and ring the result is the truth on the grid", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, async (crops) => {
        for (const { crop, perThreshold } of await simulate(crops, { thresholds: [0], match: "ring" })) {
          const truth = truthOnGrid(crop.instance.truth!, crop.window)!;
          const { cells, ended } = perThreshold[0]!.sequence!;
          expect(ended).toBe(true);
          const start = closestIndex(indexToCell(cells[0]!), truth, "chessboard");
          expect(cells).toEqual([...truth.slice(start), ...truth.slice(0, start)].map(cellToIndex));
        }
      }),
      { numRuns: 10 },
    );
  });

  test.each<ClickMatch>(["closest", "ring", "area"])(
    "%s: IoU after k corrections is that of an annotator with k clicks",
    async (match) => {
      await fc.assert(
        fc.asyncProperty(anyCrops, fc.integer({ min: 0, max: 6 }), async (crops, clicks) => {
          const free = await simulate(crops, { match });
          const limited = await simulate(crops, { match, maxClicks: clicks });
          for (const [at, { iouAfterClicks, automatic, perThreshold }] of free.entries()) {
            expect(iouAfterClicks).toHaveLength(21);
            expect(limited[at]!.perThreshold[0]!.iou).toBe(iouAfterClicks[clicks]);
            expect(limited[at]!.iouAfterClicks).toEqual(iouAfterClicks.slice(0, clicks + 1));
            expect(iouAfterClicks[0]).toBe(automatic.iou);
            if (perThreshold[0]!.clicks <= 20) expect(iouAfterClicks[20]).toBe(perThreshold[0]!.iou);
            for (const polygon of limited[at]!.perThreshold) expect(polygon.clicks).toBeLessThanOrEqual(clicks);
          }
        }),
        { numRuns: 6 },
      );
    },
  );

  test("crops, thresholds and their order do not change each other's result", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, anyMatch, async (crops, match) => {
        const together = await simulate(crops, { match, thresholds: [3, 1] });
        for (const [at, crop] of crops.entries()) {
          const three = await simulate([crop], { match, thresholds: [3] });
          const one = await simulate([crop], { match, thresholds: [1] });
          expect(together[at]!.perThreshold).toEqual([three[0]!.perThreshold[0], one[0]!.perThreshold[0]]);
          // the curve is that of the smallest threshold
          expect(together[at]!.iouAfterClicks).toEqual(one[0]!.iouAfterClicks);
        }
      }),
      { numRuns: 6 },
    );
  });

  test("IoU is that of the polygon at image resolution, against all parts of the truth", async () => {
    const [outline] = fc.sample(anyOutline, { numRuns: 1, seed: 3 });
    const small = [
      { x: 0, y: 0 },
      { x: 20, y: 0 },
      { x: 20, y: 20 },
      { x: 0, y: 20 },
    ];
    const crop = cropOf(outline!, 5);
    const twoParts = {
      ...crop,
      instance: { ...crop.instance, truth: { kind: "polygon" as const, polygon: [small, outline!] } },
    };
    const [result] = await simulate([twoParts], { thresholds: [0] });
    const { ring } = sequenceToRing(result!.perThreshold[0]!.sequence!.cells, crop, undefined);
    expect(result!.perThreshold[0]!.ring).toEqual(ring);
    expect(result!.perThreshold[0]!.iou).toBe(
      iouOfRles(fillPolygon([ring], SIDE, SIDE, "coco"), rasterizeTruth(twoParts.instance.truth, SIDE, SIDE)),
    );
    // The annotator follows the largest part alone.
    expect(result!.perThreshold[0]!.sequence).toEqual(
      (await simulate([crop], { thresholds: [0] }))[0]!.perThreshold[0]!.sequence,
    );
  });

  test("a polygon of fewer than three distinct vertices counts as 0", async () => {
    const [outline] = fc.sample(anyOutline, { numRuns: 1, seed: 3 });
    const engine = fakeEngine({ endsOneIn: 1 });
    const { results } = await simulateBatch(engine, [cropOf(outline!, 5)], { ...BASE, thresholds: [1000] });
    expect(results[0]).toMatchObject({ kind: "simulated", automatic: { iou: 0, clicks: 0 } });
  });

  test("an instance whose truth cannot be used is named with the reason, and the others go on", async () => {
    const [outline] = fc.sample(anyOutline, { numRuns: 1, seed: 3 });
    const good = cropOf(outline!, 1);
    const line = cropOf(
      [
        { x: 3, y: 3 },
        { x: 270, y: 6 },
        { x: 140, y: 4 },
      ],
      2,
    );
    const elsewhere = cropOf(
      [
        { x: 900, y: 900 },
        { x: 950, y: 900 },
        { x: 950, y: 950 },
      ],
      3,
    );
    const wrongSize = {
      ...good,
      instance: {
        ...good.instance,
        truth: { kind: "rle" as const, rle: { height: 5, width: 5, counts: Uint32Array.of(0, 25) } },
      },
    };
    const { results } = await simulateBatch(fakeEngine(), [line, elsewhere, good, wrongSize], BASE);
    expect(results.map((result) => (result.kind === "excluded" ? result.reason : result.kind))).toEqual([
      "truth-flat",
      "truth-empty",
      "simulated",
      "truth-invalid",
    ]);
  });

  test("a batch without a usable truth asks nothing of the engine", async () => {
    const line = cropOf(
      [
        { x: 3, y: 3 },
        { x: 270, y: 6 },
        { x: 140, y: 4 },
      ],
      2,
    );
    const engine = { ...fakeEngine(), encode: () => Promise.reject(new Error("asked")) };
    expect((await simulateBatch(engine, [line], BASE)).results).toMatchObject([{ kind: "excluded" }]);
  });
});

test("what is drawn stays: every decision sees the vertices before it as they end up in the polygon", async () => {
  await fc.assert(
    fc.asyncProperty(anyCrops, anyMatch, async (crops, match) => {
      const seen: (readonly number[])[] = [];
      const annotators = crops.map((crop) => {
        const rule = { closest: closestRule, ring: ringRule, area: areaRule }[match](
          truthOnGrid(crop.instance.truth!, crop.window)!,
          1,
          "chessboard",
        );
        return [
          new SimulatedAnnotator({
            run: 0,
            rule: (placed, proposed) => {
              seen.push(placed.map(cellToIndex));
              return rule(placed, proposed);
            },
            budget: Infinity,
            forkUpTo: -1,
          }),
        ];
      });
      const { polygons } = await decodeCorrected(
        fakeEngine(),
        { pixels: stackPixels(crops), frames: crops },
        (crop) => annotators[crop]!,
        {
          maxSteps: 71,
          candidates: 1,
        },
      );
      const finals = polygons.map(({ sequence }) => sequence.cells.join());
      for (const drawn of seen)
        expect(
          finals.some((final) => final === drawn.join() || final.startsWith(`${drawn.join()},`) || drawn.length === 0),
        ).toBe(true);
      expect(seen.length).toBeGreaterThan(crops.length);
    }),
    { numRuns: 10 },
  );
});
