/**
 * Further candidates where polygon and mask map disagree: which polygon is kept, what it costs, what it leaves alone.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CELL_COUNT, GRID_SIZE, cellToIndex, indexToCell, chessboardDistance } from "../../src/geometry/grid.js";
import { fitOf } from "../../src/predict/mask-agreement.js";
import type { CropFrame } from "../../src/crop/crop.js";
import { decodeCorrected } from "../../src/predict/corrected.js";
import type { Decision, DecodingRule, Sequence } from "../../src/predict/decode-loop.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import { decodeBest, maskOf } from "../../src/predict/candidates.js";
import { firstVertices } from "../../src/predict/choose-vertex.js";
import { meanOfBoth, flipCrops, flipSequence } from "../../src/predict/flip.js";
import { stackPixels } from "../../src/crop/crop.js";
import type { Decoding, Engine } from "../../src/engine/engine.js";
import { loadModel } from "../../src/model/model.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import { fakeCrops, fakeEngine } from "./fake-engine.js";
import { realCrops } from "./real-crops.js";
import { recites } from "./reciting-engine.js";

const rectangle = fc.tuple(fc.nat(20), fc.nat(20), fc.integer({ min: 3, max: 7 }), fc.integer({ min: 3, max: 7 }));
type Rectangle = readonly [left: number, top: number, width: number, height: number];

function corners([left, top, width, height]: Rectangle): number[] {
  return [
    [0, 0],
    [width, 0],
    [width, height],
    [0, height],
  ].map(([x, y]) => cellToIndex({ col: left + x!, row: top + y! }));
}

/** Share of each cell that the outline through the corner cells' centers covers. */
function sharesOf([left, top, width, height]: Rectangle): number[] {
  const along = (at: number, from: number, length: number): number =>
    at < from || at > from + length ? 0 : at === from || at === from + length ? 0.5 : 1;
  return Array.from({ length: CELL_COUNT }, (_, index) => {
    const { col, row } = indexToCell(index);
    return along(col, left, width) * along(row, top, height);
  });
}

/** Logits of a map that gives each cell this probability. */
function mapOf(rectangle: Rectangle): Float32Array {
  return Float32Array.from(sharesOf(rectangle), (share) => Math.log((share + 1e-9) / (1 - share + 1e-9)));
}

/** A crop of one image pixel per cell, and a box in it. */
function frameOf(left: number, top: number, width: number, height: number): CropFrame {
  return {
    window: { left: 100, top: 50, side: GRID_SIZE },
    bounds: { left: 100 + left, top: 50 + top, width, height },
  };
}
/** A box as large as its crop. */
const WHOLE = frameOf(0, 0, GRID_SIZE, GRID_SIZE);

describe("expected IoU with a mask map", () => {
  test("is the sum of what is inside over area, plus all, less inside, each cell by its share", () => {
    fc.assert(
      fc.property(rectangle, rectangle, (one, other) => {
        const [polygon, map] = [sharesOf(one), sharesOf(other)];
        const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
        const inside = sum(polygon.map((share, at) => share * map[at]!));
        expect(fitOf(corners(one), WHOLE, mapOf(other)).expectedIoU).toBeCloseTo(
          inside / (sum(polygon) + sum(map) - inside),
          5,
        );
      }),
    );
  });

  test.each([
    { cells: [0, 5], why: "two vertices enclose nothing" },
    { cells: [0, 5, 10], why: "vertices on one line enclose nothing" },
    { cells: [7], why: "one vertex encloses nothing" },
  ])("is 0 where $why", ({ cells }) => {
    expect(fitOf(cells, WHOLE, new Float32Array(CELL_COUNT).fill(3)).expectedIoU).toBe(0);
  });

  test("looks at the map of its own row", () => {
    const maps = new Float32Array(2 * CELL_COUNT);
    maps.set(mapOf([2, 2, 5, 5]), 0);
    maps.set(mapOf([20, 20, 5, 5]), CELL_COUNT);
    expect(fitOf(corners([20, 20, 5, 5]), WHOLE, maskOf(maps, 1)).expectedIoU).toBeGreaterThan(0.6);
    expect(fitOf(corners([20, 20, 5, 5]), WHOLE, maskOf(maps, 0)).expectedIoU).toBeLessThan(0.01);
  });

  test("counts neither what the map says outside the box, nor what the polygon loses when it is moved into it", () => {
    fc.assert(
      fc.property(rectangle, ([left, top, width, height]) => {
        // The box is the rectangle through the centers; the map is sure of everything, the polygon reaches up to two
        // cells further.
        const box = frameOf(left + 0.5, top + 0.5, width, height);
        const [further, higher] = [Math.min(2, left), Math.min(2, top)];
        const larger = corners([left - further, top - higher, width + further, height + higher]);
        const everywhere = new Float32Array(CELL_COUNT).fill(40);
        const { expectedIoU, boxCoverage } = fitOf(larger, box, everywhere);
        expect(boxCoverage).toBeCloseTo(1, 9);
        expect(expectedIoU).toBeCloseTo(1, 1); // half pixels at the border
      }),
    );
  });
});

/** The box of the square that is recited below. */
const TIGHT = frameOf(4.5, 4.5, 20, 20);

describe("coverage of the box", () => {
  test("is the area of the polygon's own box over that of the box: 1 for a diamond that reaches all four sides", () => {
    const diamond = [
      [14, 4],
      [24, 14],
      [14, 24],
      [4, 14],
    ].map(([col, row]) => cellToIndex({ col: col!, row: row! }));
    expect(fitOf(diamond, frameOf(4.5, 4.5, 20, 20), new Float32Array(CELL_COUNT)).boxCoverage).toBeCloseTo(1, 9);
    // the crop ends at 28
    expect(fitOf(diamond, frameOf(4.5, 4.5, 40, 20), new Float32Array(CELL_COUNT)).boxCoverage).toBeCloseTo(
      20 / 23.5,
      9,
    );
  });

  test("is never more than 1, whatever lies outside the box, and 0 for one vertex", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(CELL_COUNT - 1), { minLength: 1, maxLength: 12 }),
        rectangle,
        (cells, [left, top, width, height]) => {
          const { boxCoverage } = fitOf(cells, frameOf(left, top, width, height), new Float32Array(CELL_COUNT));
          expect(boxCoverage).toBeGreaterThanOrEqual(0);
          expect(boxCoverage).toBeLessThanOrEqual(1 + 1e-12);
          if (new Set(cells).size === 1) expect(boxCoverage).toBe(0);
        },
      ),
    );
  });
});

test("first vertices: the best cell of the row, then the best that lie more than two cells from all before", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 50, maxLength: 200 }),
      fc.integer({ min: 1, max: 10 }),
      (values, count) => {
        const logits = new Float32Array(2 * CELL_COUNT).map((_, at) => values[(at * 31) % values.length]!);
        const chosen = firstVertices(logits, 1, count);
        expect(chosen).toHaveLength(count);
        const row = logits.subarray(CELL_COUNT);
        chosen.forEach((cell, at) => {
          const earlier = chosen.slice(0, at).map(indexToCell);
          const isBetter = row.map((value, index) => {
            const isFree = earlier.every((other) => chessboardDistance(indexToCell(index), other) > 2);
            return isFree && !(value <= row[cell]!) ? 1 : 0;
          });
          expect(isBetter.indexOf(1)).toBe(-1);
          expect(earlier.every((other) => chessboardDistance(indexToCell(cell), other) > 2)).toBe(true);
        });
      },
    ),
    { numRuns: 30 },
  );
  expect(firstVertices(new Float32Array(CELL_COUNT), 0, 500).length).toBeLessThanOrEqual(Math.ceil(GRID_SIZE / 3) ** 2);
});

describe("decoding with candidates", () => {
  test("keeps, of the polygons predicted here and flipped, the one that fits best; one candidate is the greedy polygon", async () => {
    const engine = await openOnnxEngine(await loadModel("tiny-random"), { device: "cpu" });
    try {
      const crops = (await realCrops(2, 4)).slice(0, 6);
      const pixels = stackPixels(crops);
      const mapsOf = async (some: Uint8Array): Promise<Float32Array[]> => {
        const encoded = await engine.encode(some, crops.length);
        encoded.dispose();
        return crops.map((_, crop) => maskOf(encoded.maskLogits!, crop));
      };
      const flippedPixels = flipCrops(
        pixels,
        crops.map((_, crop) => crop),
      );
      const [here, there] = [await mapsOf(pixels), await mapsOf(flippedPixels)];
      const both = here.map((map, crop) => meanOfBoth(map, there[crop]!));
      const greedy = (await decodeGreedy(engine, pixels, crops.length, 20)).sequences;
      const onFlipped = (await decodeGreedy(engine, flippedPixels, crops.length, 20)).sequences.map((sequence) => ({
        ...sequence,
        cells: flipSequence(sequence.cells),
      }));
      const once = (await decodeBest(engine, pixels, crops, { maxSteps: 20, candidates: 1 })).sequences;
      expect(once.map(({ cells }) => cells)).toEqual(greedy.map(({ cells }) => cells));
      once.forEach(({ maskLogits, isFlipped }, at) => {
        expect([maskLogits, isFlipped]).toEqual([here[at], false]);
      });

      const candidateScoreOf = ({ cells }: Pick<Sequence, "cells">, at: number): number => {
        const { expectedIoU, boxCoverage } = fitOf(cells, crops[at]!, both[at]!);
        return expectedIoU * boxCoverage;
      };
      const twice = (await decodeBest(engine, pixels, crops, { maxSteps: 20, candidates: 2 })).sequences;
      twice.forEach(({ cells, isFlipped, maskLogits, expectedIoU }, at) => {
        expect(isFlipped).toBe(candidateScoreOf(onFlipped[at]!, at) > candidateScoreOf(greedy[at]!, at));
        expect(cells).toEqual((isFlipped ? onFlipped : greedy)[at]!.cells);
        expect(maskLogits).toEqual(both[at]);
        expect(expectedIoU).toBe(fitOf(cells, crops[at]!, both[at]!).expectedIoU);
      });
      const several = (await decodeBest(engine, pixels, crops, { maxSteps: 20, candidates: 5 })).sequences;
      several.forEach((sequence, at) => {
        expect(candidateScoreOf(sequence, at)).toBeGreaterThanOrEqual(candidateScoreOf(twice[at]!, at));
      });
      expect(several.some((sequence, at) => candidateScoreOf(sequence, at) > candidateScoreOf(greedy[at]!, at))).toBe(
        true,
      );
      expect(several.some(({ isFlipped }) => isFlipped)).toBe(true);
      const alone = await decodeBest(engine, pixels.subarray(0, 224 * 224 * 3), crops.slice(0, 1), {
        maxSteps: 20,
        candidates: 5,
      });
      expect(alone.sequences[0]!.cells).toEqual(several[0]!.cells);
    } finally {
      await engine.dispose();
    }
  });

  test("annotators who correct nothing are shown these polygons, the flipped ones too", async () => {
    class Watch implements DecodingRule<Watch> {
      constructor(readonly isFlipped: boolean) {}
      decide(_cells: readonly number[], proposed: number): Decision<Watch> {
        return { taken: proposed };
      }
    }
    const engine = await openOnnxEngine(await loadModel("tiny-random"), { device: "cpu" });
    try {
      const crops = (await realCrops(2, 4)).slice(0, 6);
      const options = { maxSteps: 20, candidates: 5 };
      const { sequences } = await decodeBest(engine, stackPixels(crops), crops, options);
      const { polygons, maskLogits } = await decodeCorrected(
        engine,
        { pixels: stackPixels(crops), frames: crops },
        (_, isFlipped) => [new Watch(isFlipped)],
        options,
      );
      expect(polygons.map(({ crop }) => crop).sort((a, b) => a - b)).toEqual(crops.map((_, crop) => crop));
      for (const { crop, rule, sequence } of polygons) {
        expect([sequence.cells, rule.isFlipped, maskLogits![crop]]).toEqual([
          sequences[crop]!.cells,
          sequences[crop]!.isFlipped,
          sequences[crop]!.maskLogits,
        ]);
      }
      expect(new Set(polygons.map(({ rule }) => rule.isFlipped))).toEqual(new Set([true, false]));
    } finally {
      await engine.dispose();
    }
  });

  test("where the network has no mask map, polygons are predicted once and carry no expected IoU", async () => {
    const engine = fakeEngine();
    const { sequences } = await decodeBest(engine, fakeCrops([1, 2, 3]), [WHOLE, WHOLE, WHOLE], {
      maxSteps: 20,
      candidates: 5,
    });
    expect(sequences).toEqual(
      (await decodeGreedy(fakeEngine(), fakeCrops([1, 2, 3]), 3, 20)).sequences.map((sequence) => ({
        ...sequence,
        isFlipped: false,
      })),
    );
    expect(engine.held()).toBe(0);
  });

  test.each([
    {
      map: [4, 4, 20, 20] as const,
      times: 1,
      why: "polygons that fit their mask and their box are not predicted again",
    },
    {
      map: [20, 20, 5, 5] as const,
      times: 3,
      why: "those that do not are, all crops of a turn in one batch, until the candidates are used up",
    },
  ])("$why", async ({ map, times }) => {
    const maskLogits = new Float32Array(2 * CELL_COUNT);
    [0, 1].forEach((crop) => {
      maskLogits.set(mapOf(map), crop * CELL_COUNT);
    });
    const square = corners([4, 4, 20, 20]);
    const reciting = recites(square, square);
    const started: number[] = [];
    const watch = (decoding: Decoding, isFirst: boolean): Decoding => ({
      ...decoding,
      step: (input) => {
        if (isFirst) started.push(decoding.size);
        isFirst = false;
        return decoding.step(input);
      },
      select: (some) => watch(decoding.select(some), isFirst),
    });
    const engine: Engine = {
      ...reciting,
      encode: async (pixels, count) => ({ ...watch(await reciting.encode(pixels, count), true), maskLogits }),
    };
    const { sequences } = await decodeBest(engine, fakeCrops([1, 2]), [TIGHT, TIGHT], { maxSteps: 20, candidates: 3 });
    expect(started).toEqual(Array(times).fill(2));
    expect(sequences).toHaveLength(2);
  });

  test("an error in a further candidate frees every batch", async () => {
    const engine = fakeEngine({ endsOneIn: 5, failsAt: 12 });
    const withMask: Engine = {
      ...engine,
      encode: async (pixels, count) => ({
        ...(await engine.encode(pixels, count)),
        maskLogits: new Float32Array(2 * CELL_COUNT),
      }),
    };
    await expect(
      decodeBest(withMask, fakeCrops([1, 2]), [WHOLE, WHOLE], { maxSteps: 11, candidates: 3 }),
    ).rejects.toThrow("the device is gone");
    expect(engine.held()).toBe(0);
  });
});
