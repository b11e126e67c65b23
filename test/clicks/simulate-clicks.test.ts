import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ClickStudy, SimulateOptions } from "../../src/clicks/options.js";
import type { ClickRow } from "../../src/report/csv.js";
import { simulateClicks } from "../../src/clicks/simulate-clicks.js";
import type { Coco } from "../annotate/runs.js";
import { readCoco, runAnnotate } from "../annotate/runs.js";
import { annotation, useFolder, writeCoco, writeJson } from "../evaluate/small-dataset.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const SAMPLE = { images: join(FIXTURES, "images"), truth: join(FIXTURES, "boxes.json") };
const folder = useFolder();

interface Studied extends ClickStudy {
  readonly rows: readonly ClickRow[];
  readonly failures: readonly { readonly annotationId: unknown; readonly reason: string }[];
  readonly notes: readonly string[];
}

async function study(more: Partial<SimulateOptions>, stopAfter = Infinity): Promise<Studied> {
  const rows: ClickRow[] = [];
  const failures: Studied["failures"][number][] = [];
  const notes: string[] = [];
  const stop = new AbortController();
  const result = await simulateClicks(
    {
      ...SAMPLE,
      model: join(FIXTURES, "models", "tiny-random"),
      device: "cpu",
      maxSteps: 12,
      candidates: 3,
      thresholds: [1, 3],
      match: "closest",
      rasterizer: "coco",
      groupBy: { kind: "none" },
      categories: [],
      limit: 4,
      seed: 1,
      resamples: 20,
      ...more,
    },
    {
      signal: stop.signal,
      note: (line) => {
        notes.push(line);
      },
      progress: ({ finished }) => {
        if (finished >= stopAfter) stop.abort();
      },
      failure: (failure) => {
        failures.push(failure);
      },
      row: (row) => {
        rows.push(row);
        return Promise.resolve();
      },
    },
  );
  return { ...result, rows, failures, notes };
}

describe("a click simulation of the sample", () => {
  let together: Studied;
  beforeAll(async () => {
    together = await study({});
  });

  test("gives the same numbers whatever the batch size to annotators who go to the worst place first", async () => {
    const worst = { match: "worst", maxClicks: 2 } as const;
    const [many, single] = [await study(worst), await study({ ...worst, batchSize: 1 })];
    const { secondsPerClick, wallSeconds } = many.report;
    expect({ ...single.report, secondsPerClick, wallSeconds }).toEqual(many.report);
    expect(single.rows).toEqual(many.rows);
    expect(many.report).toMatchObject({ choice: "true", match: "worst" });
    const [simulated] = many.report.effort;
    expect(simulated).toMatchObject({ who: "simulated", threshold: 1, instances: 4, secondsMedian: null });
    expect(simulated!.clicksMean).toBe(many.report.perThreshold[0]!.clicksInstanceMean.mean);
  });

  test("gives the same numbers whatever the batch size, and one row per instance", async () => {
    const single = await study({ batchSize: 1 });
    const numbers = together.report;
    const { secondsPerClick, wallSeconds } = numbers;
    expect({ ...single.report, secondsPerClick, wallSeconds }).toEqual(numbers);
    expect(single.rows).toEqual(together.rows);
    expect(together.rows).toHaveLength(numbers.instances);
    const mean =
      together.rows.reduce((sum, { perThreshold }) => sum + perThreshold[0]!.clicks, 0) / together.rows.length;
    expect(numbers.perThreshold[0]!.clicksInstanceMean.mean).toBeCloseTo(mean, 12);
    expect(numbers).toMatchObject({
      metric: "chessboard",
      match: "closest",
      maxClicks: null,
      curveThreshold: 1,
      model: "tiny-random",
      device: "cpu",
    });
    expect(numbers.rules.length).toBeGreaterThan(3);
  });

  test("one threshold at a time gives what all together give", async () => {
    for (const [at, threshold] of [1, 3].entries()) {
      const alone = await study({ thresholds: [threshold] });
      expect(alone.report.perThreshold[0]).toEqual(together.report.perThreshold[at]);
    }
  });

  test.each([
    { match: "ring" as const, metric: "manhattan", why: "the training code measures by Manhattan distance" },
    { match: "area" as const, metric: "chessboard", why: "a correction goes to the closest vertex" },
  ])("$match is measured by $metric unless another metric is asked for: $why", async ({ match, metric }) => {
    expect((await study({ match, limit: 1 })).report.metric).toBe(metric);
    expect((await study({ match, limit: 1, metric: "chessboard" })).report.metric).toBe("chessboard");
  });

  test("with a threshold larger than the grid there are no clicks, no speed-up and nothing to time", async () => {
    const { report, rows } = await study({ thresholds: [100], limit: 2 });
    expect(report.perThreshold[0]).toMatchObject({ clicksInstanceMean: { mean: 0 }, speedUp: null });
    expect(report.secondsPerClick).toBeNull();
    for (const { automaticIou, perThreshold } of rows)
      expect(perThreshold[0]).toMatchObject({ clicks: 0, iou: automaticIou });
  });

  test("keeps the corrected polygon of the smallest threshold for pictures", () => {
    for (const { annotationId, perThreshold } of together.rows) {
      const strict = perThreshold[0]!;
      expect(together.corrected(annotationId)).toMatchObject({ threshold: 1, iou: strict.iou, clicks: strict.clicks });
    }
    expect(together.corrected("nobody")).toBeUndefined();
  });

  test("writes the automatic polygons as a COCO file of the same instances", async () => {
    const automaticFile = join(folder.path, "automatic.json");
    const { rows } = await study({ automaticFile, limit: 3 });
    const file = JSON.parse(readFileSync(automaticFile, "utf8")) as {
      annotations: { id: number; segmentation: number[][]; polyrnn_score: number }[];
      images: unknown[];
      categories: unknown[];
    };
    expect(file.annotations.map(({ id }) => id)).toEqual(rows.map(({ annotationId }) => annotationId));
    for (const { segmentation, polyrnn_score: score } of file.annotations) {
      expect(segmentation[0]!.length).toBeGreaterThanOrEqual(6);
      expect(score >= 0 && score <= 1).toBe(true);
    }
    expect(file.images.length).toBeGreaterThan(0);
    expect(file.categories.length).toBeGreaterThan(0);
  });

  test.each([1, 3])(
    "the automatic polygons and their scores are those annotate writes (%i candidates)",
    async (candidates) => {
      const automaticFile = join(folder.path, `automatic-${candidates}.json`);
      await study({ automaticFile, candidates, limit: 6 });
      const { out } = await runAnnotate({ candidates, maxSteps: 12, limit: 6 });
      const polygons = (coco: Coco): unknown[] =>
        coco.annotations
          .filter(({ polyrnn_score }) => polyrnn_score !== undefined)
          .map(({ id, segmentation, score, polyrnn_score }) => ({ id, segmentation, score, polyrnn_score }));
      const simulated = polygons(await readCoco(automaticFile));
      expect(simulated.length).toBeGreaterThan(3);
      expect(simulated).toEqual(polygons(await readCoco(out, "annotations.json")));
    },
  );

  test("a stop ends after the batch, and the study says so", async () => {
    const { stopped, rows } = await study({ batchSize: 2 }, 2);
    expect(stopped).toBe(true);
    expect(rows.length).toBeLessThan(4);
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe("truth that cannot be used", () => {
  const images = [
    { id: 1, file_name: "street.jpg", width: 640, height: 480, source: "a" },
    { id: 2, file_name: "gone.jpg", width: 100, height: 100, source: "b" },
  ];
  const good = annotation(1, 100, 100, 200, 150);

  test("is listed by reason and never averaged", async () => {
    const truth = writeCoco(
      folder.path,
      "truth.json",
      [
        good,
        annotation(2, 100, 100, 200, 150, { segmentation: [] }),
        annotation(3, 100, 100, 200, 150, { segmentation: [[0, 0, 9]] }),
        annotation(4, 100, 100, 200, 150, { segmentation: [[100, 102, 300, 106, 200, 106]] }),
        annotation(5, 10, 10, 50, 50, { image_id: 2 }),
        annotation(6, 100, 100, 200, 150, { iscrowd: 1, segmentation: { size: [480, 640], counts: [307200] } }),
      ],
      images,
    );
    const { report, rows, failures, failed } = await study({
      truth,
      limit: 9,
      groupBy: { kind: "field", field: "source" },
    });
    expect(rows.map(({ annotationId }) => annotationId)).toEqual([1]);
    expect(report.instances).toBe(1);
    expect(report.exclusions.map(({ reason, count, firstIds }) => [reason, count, firstIds])).toEqual([
      ["truth-missing", 1, [2]],
      ["truth-invalid", 1, [3]],
      ["crowd", 1, [6]],
      ["truth-image-missing", 1, [5]],
      ["truth-flat", 1, [4]],
    ]);
    expect(failures).toMatchObject([{ annotationId: 5, reason: "image-missing" }]);
    expect(failed).toBe(1);
    expect(report.perThreshold[0]!.perSource).toMatchObject([{ name: "a", count: 1 }]);
  });

  test("categories and limit count as they do for annotate: with or without a truth", async () => {
    const truth = writeCoco(
      folder.path,
      "truth.json",
      [annotation(2, 100, 100, 200, 150, { segmentation: [] }), good, annotation(3, 50, 50, 200, 150)],
      images,
    );
    const result = await study({ truth, limit: 2, categories: ["car"] });
    expect(result.rows.map(({ annotationId }) => annotationId)).toEqual([1]);
    expect([0, 1, 2].map((ordinal) => result.isAsked(ordinal))).toEqual([true, true, false]);
  });

  test.each([
    {
      why: "boxes alone",
      annotations: [annotation(1, 10, 10, 50, 50, { segmentation: [] })],
      message: "received none that can be used (1 annotations without a segmentation)",
    },
    {
      why: "an empty data set",
      annotations: [],
      message: "expected annotations with ground truth, received an empty data set",
    },
    {
      why: "images that are not there",
      annotations: [annotation(1, 10, 10, 50, 50, { image_id: 2 })],
      message: "received none that can be used (1 annotations that cannot be read; first: ",
    },
  ])("nothing to simulate on is an error that says why: $why", async ({ annotations, message }) => {
    const truth = writeCoco(folder.path, "truth.json", annotations, images);
    await expect(study({ truth })).rejects.toMatchObject({
      code: "E_DATA",
      message: expect.stringContaining(message) as string,
    });
  });

  test("detector output has no ground truth", async () => {
    const truth = writeJson(folder.path, "results.json", [
      { image_id: "street", category_id: 1, bbox: [10, 10, 50, 50], score: 0.5 },
    ]);
    await expect(study({ truth })).rejects.toMatchObject({ code: "E_DATA" });
  });

  test.each([[[]], [[-1]], [[NaN]], [[Infinity]]])(
    "thresholds %j are refused before anything is read",
    async (thresholds) => {
      await expect(study({ thresholds, truth: "/nowhere" })).rejects.toMatchObject({ code: "E_USAGE" });
    },
  );

  test("an unknown category names the closest one", async () => {
    await expect(study({ categories: ["hous"] })).rejects.toMatchObject({
      code: "E_USAGE",
      hint: 'Did you mean "house"?',
    });
  });

  test("a place where the automatic polygons cannot be written is an error", async () => {
    const truth = writeCoco(folder.path, "truth.json", [good], images);
    writeFileSync(join(folder.path, "file"), "");
    await expect(study({ truth, automaticFile: join(folder.path, "file", "automatic.json") })).rejects.toMatchObject({
      exitCode: 73,
    });
  });
});
