/** The network given parts of the truth, on drawn scenes. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { AsTaught } from "../../../src/evaluate/methods/oracles.js";
import { EOS } from "../../../src/geometry/grid.js";
import { parseOracles } from "../../../src/evaluate/methods/open-methods.js";
import { checkReport } from "../../report/check-report.js";
import { evaluateFiles } from "../small-dataset.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "..", "fixtures");
const BOXES = join(FIXTURES, "boxes.json");
const IMAGES = join(FIXTURES, "images");

test("each oracle has its share, by size and by the truth's vertices, and no row in the table of methods", async () => {
  const { report, names } = await evaluateFiles(BOXES, BOXES, {
    images: IMAGES,
    oracles: ["first", "steps", "teacher", "map", "grid"],
    only: (ordinal) => ordinal === 2,
  });
  expect(checkReport(report)).toBeUndefined();
  expect(names).toEqual(["polyrnn", "oracle-first", "oracle-steps", "oracle-teacher", "oracle-map", "grid-ceiling"]);
  expect(report.methods.map(({ name }) => name)).toEqual(["polyrnn"]);
  const { oracles, groups } = report.oracle!;
  expect(oracles.map(({ name }) => name)).toEqual(["first", "steps", "teacher", "map", "grid"]);
  const [all] = groups;
  expect(all).toMatchObject({ kind: "all", count: 1, now: { mean: 1 } });
  // The predictions are the truth here: nothing is left to gain, and the grid loses what its ceiling says.
  expect(all!.shares.map(({ ofError }) => ofError)).toEqual([null, null, null, null, null]);
  expect(all!.shares.at(-1)!.gain.mean).toBeCloseTo(report.gridCeiling.instanceMean.mean! - 1, 9);
  for (const { gain } of all!.shares) expect(gain.mean).toBeGreaterThan(-0.4);
  for (const kind of ["size", "vertices"] as const) {
    const counts = groups.filter((group) => group.kind === kind).map(({ count }) => count);
    expect(
      counts.reduce((a, b) => a + b, 0),
      kind,
    ).toBe(1);
  }
});

test("a taught step sees the truth's vertices whatever was answered, and the polygon is made of the answers", () => {
  const rule = new AsTaught([30, 40, 50]);
  const seen: number[] = [];
  for (const answer of [30, 41, EOS, 99]) seen.push(rule.decide(seen, answer).taken);
  expect(seen).toEqual([30, 40, 50, EOS]);
  expect(rule.proposed).toEqual([30, 41]);
});

test("oracles need an image folder, and say so", async () => {
  await expect(evaluateFiles(BOXES, BOXES, { oracles: ["grid", "map"] })).rejects.toMatchObject({
    message: "oracle map: expected an image folder, received none",
    hint: "Name the image folder with --images, or leave it out of --oracle.",
  });
  const { report } = await evaluateFiles(BOXES, BOXES, { oracles: ["grid"] });
  expect(report.oracle!.oracles).toHaveLength(1);
});

test.each([
  { args: ["maps"], message: "expected first, steps, teacher, map, grid but received", hint: "Did you mean map?" },
  { args: ["map", "map"], message: "received map twice", hint: "Leave one of them out." },
])("--oracle $args is wrong usage", ({ args, message, hint }) => {
  expect(() => parseOracles(args)).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) as string, hint }) as Error,
  );
});
