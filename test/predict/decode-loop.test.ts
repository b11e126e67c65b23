import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CELL_COUNT, EOS } from "../../src/geometry/grid.js";
import { decodeCorrected } from "../../src/predict/corrected.js";
import { decodeGreedy } from "../../src/predict/decode.js";
import type { Chooser } from "../../src/predict/choose-vertex.js";
import { chooseBest } from "../../src/predict/choose-vertex.js";
import type { Decision, DecodingRule } from "../../src/predict/decode-loop.js";
import { decodeLoop } from "../../src/predict/decode-loop.js";
import { fakeCrops, fakeEngine, mix, wholeFrames } from "./fake-engine.js";

const cropsOf = (seeds: readonly number[]): Parameters<typeof decodeCorrected>[1] => ({
  pixels: fakeCrops(seeds),
  frames: wholeFrames(seeds.length),
});

/**
 * Corrects one proposal in `oneIn` to a cell or an end of its own choice; the first `forks` corrections start a second
 * polygon.
 */
class Meddler implements DecodingRule<Meddler> {
  corrections = 0;
  constructor(
    readonly name: string,
    private readonly seed: number,
    private readonly oneIn: number,
    private readonly forks = 0,
  ) {}

  decide(cells: readonly number[], proposed: number): Decision<Meddler> {
    const chance = cells.reduce(mix, this.seed);
    if (this.oneIn === 0 || chance % this.oneIn !== 0) return { taken: proposed };
    const taken = cells.length > 2 && chance % 7 === 0 ? EOS : mix(chance, 3) % CELL_COUNT;
    if (taken === proposed) return { taken };
    this.corrections++;
    return this.corrections <= this.forks
      ? { taken, fork: new Meddler(`${this.name}, stopped before correction ${this.corrections}`, this.seed, 0) }
      : { taken };
  }
}

/** Name -> cells of every polygon of a run. */
async function predict(
  seeds: readonly number[],
  rulesOf: (seed: number) => readonly Meddler[],
  maxSteps = 71,
): Promise<Map<string, readonly number[]>> {
  const engine = fakeEngine();
  const { polygons } = await decodeCorrected(engine, cropsOf(seeds), (crop) => rulesOf(seeds[crop]!), {
    maxSteps,
    candidates: 1,
  });
  expect(engine.held()).toBe(0);
  return new Map(polygons.map(({ crop, rule, sequence }) => [`crop ${seeds[crop]!}, ${rule.name}`, sequence.cells]));
}

const anySeeds = fc.uniqueArray(fc.integer({ min: 0, max: 65_535 }), { minLength: 1, maxLength: 12 });

describe("the decode loop", () => {
  test("predicts the same polygons whatever else is in the batch, with and without corrections", async () => {
    await fc.assert(
      fc.asyncProperty(anySeeds, fc.integer({ min: 2, max: 6 }), async (seeds, oneIn) => {
        const rulesOf = (seed: number): Meddler[] => [
          new Meddler("automatic", seed, 0),
          new Meddler("corrected", seed, oneIn, 3),
          new Meddler("corrected otherwise", seed + 1, oneIn),
          new Meddler("corrected alike", seed, oneIn),
        ];
        const together = await predict(seeds, rulesOf);
        for (const seed of seeds) {
          for (const [at] of rulesOf(seed).entries()) {
            for (const [name, cells] of await predict([seed], () => [rulesOf(seed)[at]!]))
              expect(together.get(name), name).toEqual(cells);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  test("a fork is what the same annotator would have got without that correction and any later one", async () => {
    let forks = 0;
    for (let seed = 0; seed < 40; seed++) {
      const polygons = await predict([seed], () => [new Meddler("corrected", seed, 3, 4)]);
      const corrected = polygons.get(`crop ${seed}, corrected`)!;
      for (const [name, cells] of polygons) {
        if (!name.includes("stopped")) continue;
        forks++;
        // The way to the correction is shared; then the network's own choice differs from the corrected one.
        const shared = cells.findIndex((cell, i) => cell !== corrected[i]);
        const parted = shared < 0 ? cells.length : shared;
        expect(cells.slice(0, parted)).toEqual(corrected.slice(0, parted));
        expect(cells[parted]).not.toBe(corrected[parted]);
        expect(cells).toEqual(await decodeFrom(seed, corrected.slice(0, parted)));
      }
    }
    expect(forks).toBeGreaterThan(50);
  });

  test("polygons with the same vertices are stepped once", async () => {
    const engine = fakeEngine();
    const alike = Array.from({ length: 10 }, (_, i) => new Meddler(`copy ${i}`, 5, 4));
    const { polygons } = await decodeCorrected(engine, cropsOf([5]), () => alike, {
      maxSteps: 71,
      candidates: 1,
    });
    expect(polygons).toHaveLength(10);
    expect(new Set(engine.stepSizes)).toEqual(new Set([1]));
  });

  test("a batch that grew beyond 128 rows by parting is split, and nothing changes", async () => {
    const engine = fakeEngine({ endsOneIn: 30 });
    const rules = Array.from({ length: 600 }, (_, i) => ({ name: `rule ${i}` }));
    const { polygons } = await decodeCorrected(
      engine,
      cropsOf([1, 2]),
      () => rules.map(({ name }, i) => new Meddler(name, i, 2)),
      { maxSteps: 71, candidates: 1 },
    );
    expect(polygons).toHaveLength(1200);
    expect(Math.max(...engine.stepSizes)).toBeLessThanOrEqual(128);
    expect(Math.max(...engine.stepSizes)).toBeGreaterThan(64);
    const alone = await decodeCorrected(
      fakeEngine({ endsOneIn: 30 }),
      cropsOf([2]),
      () => [new Meddler("rule 77", 77, 2)],
      { maxSteps: 71, candidates: 1 },
    );
    expect(polygons.find(({ crop, rule }) => crop === 1 && rule.name === "rule 77")?.sequence).toEqual(
      alone.polygons[0]!.sequence,
    );
  });

  test("stops at the step limit and says so", async () => {
    const { sequences } = await decodeGreedy(fakeEngine({ endsOneIn: 1e9 }), fakeCrops([3]), 1, 5);
    expect(sequences[0]).toMatchObject({ steps: 5, ended: false });
    expect(sequences[0]!.cells).toHaveLength(6);
  });

  test("ends before its next step once nobody waits any more, and frees what it held", async () => {
    const engine = fakeEngine({ endsOneIn: 1e9 });
    const encoded = await engine.encode(fakeCrops([3]), 1);
    const gone = new AbortController();
    const choose: Chooser = (logits, row) => {
      if (engine.stepSizes.length === 3) gone.abort(new Error("nobody waits"));
      return chooseBest(logits, row);
    };
    const rules = [[new Meddler("plain", 0, 0)]];
    const way = decodeLoop(encoded.select([0]), rules, { maxSteps: 50, choose, signal: gone.signal });
    await expect(way).rejects.toThrow("nobody waits");
    encoded.dispose();
    expect([engine.stepSizes.length, engine.held()]).toEqual([3, 0]);
  });

  test("a crop without rules takes no part", async () => {
    const { polygons } = await decodeCorrected(
      fakeEngine(),
      cropsOf([3, 4]),
      (crop) => (crop === 0 ? [] : [new Meddler("only", 0, 0)]),
      { maxSteps: 71, candidates: 1 },
    );
    expect(polygons.map(({ crop }) => crop)).toEqual([1]);
  });

  test.each([0, 1, 4])("nothing is left on the device when step %i fails", async (failsAt) => {
    const engine = fakeEngine({ failsAt, endsOneIn: 40 });
    await expect(
      decodeCorrected(
        engine,
        cropsOf([1, 2, 3]),
        (crop) => [new Meddler("a", crop + 1, 2), new Meddler("b", crop + 10, 2)],
        { maxSteps: 71, candidates: 1 },
      ),
    ).rejects.toThrow("the device is gone");
    expect(engine.held()).toBe(0);
  });

  test("nothing is left on the device when a rule fails at the first vertex", async () => {
    const engine = fakeEngine();
    class Failing implements DecodingRule<Failing> {
      decide(): Decision<Failing> {
        throw new Error("no");
      }
    }
    await expect(
      decodeCorrected(engine, cropsOf([1]), () => [new Failing()], { maxSteps: 71, candidates: 1 }),
    ).rejects.toThrow("no");
    expect(engine.held()).toBe(0);
  });
});

/** The plain loop: one crop, the given vertices by force, then the network's own. */
async function decodeFrom(seed: number, forced: readonly number[]): Promise<readonly number[]> {
  const decoding = await fakeEngine().encode(fakeCrops([seed]), 1);
  const cells = [forced[0] ?? decoding.firstVertexLogits.indexOf(1)];
  for (let step = 0; step < 71; step++) {
    const logits = await decoding.step({
      first: Int32Array.of(cells[0]!),
      previous: Int32Array.of(cells.at(-1)!),
      beforePrevious: Int32Array.of(cells.length > 1 ? cells.at(-2)! : EOS),
    });
    const next = forced[cells.length] ?? logits.indexOf(5);
    if (next === EOS) break;
    cells.push(next);
  }
  return cells;
}
