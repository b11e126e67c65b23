import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ClickTally } from "../../src/clicks/tally.js";
import type { MeasuredPolygon, SimulatedInstance } from "../../src/clicks/simulation.js";
import { createRandom } from "../../src/random.js";
import { cropOf } from "./arbitraries.js";

const GROUPS = { categories: ["car", "nothing", "person"] };
const sequence = { cells: [], logProbability: 0, steps: 1, ended: true };
const polygon = (clicks: number, iou: number): SimulatedInstance["automatic"] => ({
  sequence,
  vertices: 0,
  ended: true,
  ring: [],
  clicks,
  iou,
});

/** @param curve IoU after 0, 1, ... corrections */
function instance(
  truthVertices: number,
  perThreshold: readonly MeasuredPolygon[],
  curve: readonly number[],
): SimulatedInstance {
  return {
    kind: "simulated",
    crop: cropOf([], 0),
    truthVertices,
    perThreshold,
    automatic: polygon(0, curve[0]!),
    automaticScore: 0.5,
    iouAfterClicks: curve,
  };
}

describe("the click report", () => {
  const tally = new ClickTally([1, 4], 3);
  tally.add(instance(10, [polygon(2, 0.9), polygon(1, 0.8)], [0.5, 0.86, 0.9, 0.9]), 0, 0);
  tally.add(instance(20, [polygon(3, 0.8), polygon(0, 0.7)], [0.7, 0.7, 0.75, 0.8]), 0, 1);
  tally.add(instance(30, [polygon(1, 0.7), polygon(0, 0.6)], [0.6, 0.7, 0.7, 0.7]), 2, 0);
  const numbers = tally.numbers({ ...GROUPS, sources: ["street", "park"] }, 0, createRandom(1));
  const [strict, lenient] = numbers.perThreshold;

  test("averages over instances, and over the classes that have any", () => {
    expect(strict!.clicksInstanceMean).toMatchObject({ mean: 2, count: 3 });
    expect(strict!.iouInstanceMean.mean).toBeCloseTo(0.8, 12);
    expect(strict!.clicksClassMean).toMatchObject({ mean: (2.5 + 1) / 2, count: 2 });
    expect(strict!.iouClassMean.mean).toBeCloseTo((0.85 + 0.7) / 2, 12);
    expect(strict!.perClass.map(({ name, count, truthVertices }) => [name, count, truthVertices])).toEqual([
      ["car", 2, 15],
      ["person", 1, 30],
    ]);
  });

  test("speed-up is truth vertices by clicks, of the means; none without a click", () => {
    expect(strict).toMatchObject({ truthVertices: 20, speedUp: 10 });
    expect(lenient!.speedUp).toBeCloseTo(60, 12);
    expect(lenient!.perClass[1]).toMatchObject({ name: "person", speedUp: null });
  });

  test("groups of images come sorted by name", () => {
    expect(strict!.perSource?.map(({ name, clicks }) => [name, clicks.mean])).toEqual([
      ["park", 3],
      ["street", 1.5],
    ]);
  });

  test("NoC counts corrections until the IoU is reached, the cap where it never is", () => {
    expect(numbers.noc).toEqual([
      { target: 0.8, meanClicks: (1 + 3 + 3) / 3, failures: 1, cap: 3 },
      { target: 0.85, meanClicks: (1 + 3 + 3) / 3, failures: 2, cap: 3 },
      { target: 0.9, meanClicks: (2 + 3 + 3) / 3, failures: 2, cap: 3 },
    ]);
  });

  test("the curve is the mean IoU after each correction", () => {
    expect(numbers.iouAfterClicks.map(({ clicks }) => clicks)).toEqual([0, 1, 2, 3]);
    expect(numbers.iouAfterClicks.map(({ iou }) => Number(iou.toFixed(6)))).toEqual([0.6, 0.753333, 0.783333, 0.8]);
  });

  test("of nothing there are no means", () => {
    const empty = new ClickTally([1], 3).numbers(GROUPS, 100, createRandom(1));
    expect(empty).toMatchObject({ instances: 0, iouAfterClicks: [], noc: [{ meanClicks: null }, {}, {}] });
    expect(empty.perThreshold).toMatchObject([
      { clicksInstanceMean: { mean: null, count: 0 }, truthVertices: null, speedUp: null, perClass: [] },
    ]);
  });
});

test("intervals contain their mean, and the same seed gives the same ones", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 20 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 2)),
        { minLength: 2, maxLength: 30 },
      ),
      (values) => {
        const report = (): ReturnType<ClickTally["numbers"]> => {
          const tally = new ClickTally([1], 0);
          for (const [clicks, iou, category] of values)
            tally.add(instance(9, [polygon(clicks, iou)], [iou]), category, 0);
          return tally.numbers(GROUPS, 200, createRandom(7));
        };
        const { perThreshold } = report();
        expect(report().perThreshold).toEqual(perThreshold);
        const { mean, low, high } = perThreshold[0]!.clicksInstanceMean;
        expect(low! - 1e-9 <= mean! && mean! <= high! + 1e-9).toBe(true);
      },
    ),
    { numRuns: 20 },
  );
});
