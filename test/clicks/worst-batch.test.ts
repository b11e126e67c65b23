import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { simulateBatch } from "../../src/clicks/simulate-batch.js";
import type { SimulatedInstance, Simulation } from "../../src/clicks/simulation.js";
import { truthOnGrid } from "../../src/clicks/simulation.js";
import type { Crop } from "../../src/crop/crop.js";
import { redrawRing, redrawRings } from "../../src/predict/redraw.js";
import { stackPixels } from "../../src/crop/crop.js";
import { fakeEngine } from "../predict/fake-engine.js";
import { anyOutline, cropOf, SIDE } from "./arbitraries.js";

const BASE: Simulation = {
  thresholds: [1, 3],
  match: "worst",
  choice: "true",
  metric: "chessboard",
  maxClicks: 4,
  maxSteps: 8,
  candidates: 1,
  rasterizer: "coco",
};
const CHOICES = ["true", "never", "always"] as const;
const anyCrops = fc
  .uniqueArray(fc.integer({ min: 0, max: 9999 }), { minLength: 1, maxLength: 3 })
  .chain((seeds) => fc.tuple(...seeds.map((seed) => anyOutline.map((outline) => cropOf(outline, seed)))))
  .filter((crops) => crops.every(({ instance, window }) => truthOnGrid(instance.truth!, window) !== undefined));
const runs = { numRuns: 3 };

async function simulate(
  crops: readonly Crop[],
  more: Partial<Simulation>,
  endsOneIn = 9,
): Promise<SimulatedInstance[]> {
  const engine = fakeEngine({ endsOneIn });
  const { results } = await simulateBatch(engine, crops, { ...BASE, ...more });
  expect(engine.held()).toBe(0);
  return results.map((result) => {
    if (result.kind !== "simulated") throw new Error(`excluded: ${result.reason}`);
    return result;
  });
}

describe("annotators who go to the worst place first", () => {
  test("in one batch do what each of them does alone", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, fc.constantFrom(...CHOICES), async (crops, choice) => {
        const together = await simulate(crops, { choice });
        const alone = [];
        for (const crop of crops) alone.push(...(await simulate([crop], { choice })));
        expect(together).toEqual(alone);
      }),
      runs,
    );
  });

  test("with another threshold beside it do what they do without", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, async (crops) => {
        const both = await simulate(crops, { thresholds: [3, 1] });
        const strict = await simulate(crops, { thresholds: [1] });
        const lenient = await simulate(crops, { thresholds: [3] });
        for (const [at, { perThreshold, iouAfterClicks }] of both.entries()) {
          expect(perThreshold).toEqual([lenient[at]!.perThreshold[0], strict[at]!.perThreshold[0]]);
          expect(iouAfterClicks).toEqual(strict[at]!.iouAfterClicks);
          expect(perThreshold[0]!.clicks).toBeLessThanOrEqual(perThreshold[1]!.clicks);
        }
      }),
      runs,
    );
  });

  test("stop after k clicks where one with more clicks stood after k", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, fc.constantFrom(...CHOICES), fc.nat(3), async (crops, choice, maxClicks) => {
        const free = await simulate(crops, { choice });
        for (const [at, { perThreshold, iouAfterClicks }] of (await simulate(crops, { choice, maxClicks })).entries()) {
          expect(iouAfterClicks).toEqual(free[at]!.iouAfterClicks.slice(0, maxClicks + 1));
          for (const { clicks } of perThreshold) expect(clicks).toBeLessThanOrEqual(maxClicks);
        }
      }),
      runs,
    );
  });

  test("gain by the choice what the plain move gains, at least, and take what they say", async () => {
    await fc.assert(
      fc.asyncProperty(anyCrops, async (crops) => {
        const [chosen, plain, forced] = [
          await simulate(crops, { choice: "true" }),
          await simulate(crops, { choice: "never" }),
          await simulate(crops, { choice: "always" }),
        ];
        for (const at of crops.keys()) {
          expect(chosen[at]!.iouAfterClicks[1]).toBeGreaterThanOrEqual(plain[at]!.iouAfterClicks[1]!);
          expect(plain[at]!.perThreshold[0]!.proposals).toEqual({ taken: 0, left: 0 });
          expect(forced[at]!.perThreshold[0]!.proposals!.left).toBe(0);
          const { proposals, clicks } = chosen[at]!.perThreshold[0]!;
          expect(proposals!.taken + proposals!.left).toBeLessThanOrEqual(clicks);
        }
      }),
      runs,
    );
  });

  test("do nothing with a threshold larger than the image", async () => {
    const [outline] = fc.sample(anyOutline, { numRuns: 1, seed: 3 });
    const [result] = await simulate([cropOf(outline!, 5)], { thresholds: [784] });
    expect(result!.perThreshold[0]).toMatchObject({ clicks: 0, ended: true, ring: result!.automatic.ring });
  });

  test("draw by hand where the network drew nothing, a click per vertex", async () => {
    const [outline] = fc.sample(anyOutline, { numRuns: 1, seed: 3 });
    const [result] = await simulate([cropOf(outline!, 5)], { maxClicks: Infinity, maxSteps: 40, thresholds: [2] }, 1);
    expect(result!.automatic.iou).toBe(0);
    expect(result!.perThreshold[0]).toMatchObject({ clicks: result!.truthVertices, ended: true });
    expect(result!.perThreshold[0]!.iou).toBeGreaterThan(0.8);
  });
});

test("rings that are redrawn together are those that are redrawn alone, whatever is asked of each", async () => {
  const corner = (at: number): { x: number; y: number } => ({ x: at, y: at });
  const ring = [corner(50), { x: 230, y: 60 }, corner(220), { x: 60, y: 230 }, { x: 40, y: 150 }];
  const crops = [4, 8, 15].map((seed) => cropOf(ring, seed));
  const encoded = await fakeEngine().encode(stackPixels(crops), crops.length);
  const requests = (["pin", "tail", "all", "pin"] as const).map((give, at) => ({
    row: at % crops.length,
    frame: crops[at % crops.length]!,
    task: { ring, pins: at === 3 ? [0, 3] : [1], moved: 1, give, candidate: at === 3 ? 2 : 0, maxSteps: 3 + 4 * at },
  }));
  const together = await redrawRings(encoded, requests);
  for (const [at, { frame, task }] of requests.entries())
    expect(together[at]).toEqual(await redrawRing(await fakeEngine().encode(frame.pixels, 1), frame, task));
  expect(together[1]!.ring.slice(0, 2)).toEqual(ring.slice(0, 2));
  for (const redrawn of together)
    expect(
      redrawn.ring.filter(
        (point, at) => at > 0 && redrawn.ring[at - 1]!.x === point.x && redrawn.ring[at - 1]!.y === point.y,
      ),
    ).toEqual([]);
  expect(together[0]!.ring.every(({ x, y }) => x >= 0 && x <= SIDE && y >= 0 && y <= SIDE)).toBe(true);
});
