import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import type { ClickSummary } from "../../src/clicks/tally.js";
import type { EvaluationReport } from "../../src/report/types.js";
import { checkReport } from "../report/check-report.js";
import { annotation, useFolder, writeCoco, writeJson } from "../evaluate/small-dataset.js";
import { NO_CLICKS } from "../../src/review/statistics.js";
import { boxesWith, runAnnotate } from "../annotate/runs.js";
import { accept, openSession } from "../review/reviews.js";
import { memoryTerminal } from "./memory-terminal.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const IMAGES = join(FIXTURES, "images");
const BOXES = join(FIXTURES, "boxes.json");
const TINY = ["--model", join(FIXTURES, "models", "tiny-random"), "--device", "cpu", "--max-steps", "12"];
const FEW = [...TINY, "--limit", "2", "--bootstrap", "20", "--compare", "box"];
const folder = useFolder();

async function polyrnn(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = memoryTerminal();
  const code = await run(words, terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

const out = (): string => join(folder.path, "study");
const reportIn = (path: string): EvaluationReport =>
  JSON.parse(readFileSync(join(path, "report.json"), "utf8")) as EvaluationReport;

describe("simulate-clicks", () => {
  test("on a named data set writes one report of IoU and clicks, and prints a table for people and JSON for programs", async () => {
    const { code, stdout, stderr } = await polyrnn(
      "simulate-clicks",
      IMAGES,
      "--truth",
      BOXES,
      "--threshold",
      "1,4",
      "--group-by",
      "file_name",
      "--out",
      out(),
      "--json",
      ...FEW,
    );
    expect(code).toBe(0);
    const summary = JSON.parse(stdout) as ClickSummary;
    expect(summary).toMatchObject({
      version: 1,
      type: "clicks",
      source: "given",
      instances: 2,
      match: "closest",
      metric: "chessboard",
      curveThreshold: 1,
    });
    expect(Object.keys(summary).sort()).toEqual([
      "automaticIou",
      "curveThreshold",
      "effort",
      "excluded",
      "images",
      "instances",
      "iouAfterClicks",
      "match",
      "maxClicks",
      "metric",
      "noc",
      "out",
      "perThreshold",
      "secondsPerClick",
      "source",
      "truth",
      "type",
      "version",
      "wallSeconds",
      "written",
    ]);
    expect(summary.perThreshold.map(({ threshold }) => threshold)).toEqual([1, 4]);
    expect(stderr).toMatch(/T +clicks +IoU +truth vertices +speed-up/);
    expect(readdirSync(out()).sort()).toEqual([
      "automatic.json",
      "clicks.csv",
      "instances.csv",
      "report.html",
      "report.json",
      "report.md",
    ]);
    expect(readFileSync(join(out(), "clicks.csv"), "utf8").split("\r\n")).toHaveLength(1 + 2 * 2 + 1);
    const report = reportIn(out());
    expect(checkReport(report)).toBeUndefined();
    expect(report.clicks?.perThreshold).toHaveLength(2);
    // The evaluation is of the same two instances, and of the polygons without a click.
    expect(report.counts.evaluated).toBe(2);
    expect(report.methods[0]!.instanceMean.mean).toBeCloseTo(report.clicks!.iouAfterClicks[0]!.iou, 12);
    expect(report.inputs).toMatchObject({ model: "tiny-random", device: "cpu" });
    const example = report.examples.best[0]!;
    expect(example).toMatchObject({ correctedThreshold: 1 });
    expect(example.corrected!.length).toBeGreaterThanOrEqual(3);
  });

  test("without images takes the last run, with its limit, and writes beside it", async () => {
    const runFolder = join(folder.path, "run");
    expect(
      (
        await polyrnn(
          "annotate",
          IMAGES,
          "--boxes",
          BOXES,
          "--out",
          runFolder,
          "--limit",
          "2",
          "--overlays",
          "none",
          "--quiet",
          ...TINY,
        )
      ).code,
    ).toBe(0);
    const { code, stdout, stderr } = await polyrnn(
      "simulate-clicks",
      "--run",
      runFolder,
      "--threshold",
      "2",
      "--device",
      "cpu",
      "--bootstrap",
      "0",
      "--compare",
      "none",
      "--json",
    );
    expect(code).toBe(0);
    expect(stderr).toContain(`simulating clicks on the run in ${runFolder}`);
    expect(JSON.parse(stdout)).toMatchObject({
      source: "run",
      instances: 2,
      truth: BOXES,
      out: join(runFolder, "polyrnn-clicks"),
    });
    // Automatic polygons of the simulation are those of the run.
    const segmentations = (path: string): unknown =>
      (
        JSON.parse(readFileSync(path, "utf8")) as { annotations: { iscrowd: number; segmentation: unknown }[] }
      ).annotations
        .filter(({ iscrowd }) => iscrowd === 0)
        .map(({ segmentation }) => segmentation);
    expect(segmentations(join(runFolder, "polyrnn-clicks", "automatic.json"))).toEqual(
      segmentations(join(runFolder, "annotations.json")),
    );
  });

  test("--reviewed puts what people did beside the simulation, in the messages and in every form of the report", async () => {
    const boxes = await boxesWith((coco) => {
      coco.annotations = coco.annotations.slice(0, 2);
    });
    const { out: reviewed } = await runAnnotate({ boxes, candidates: 1 });
    const session = await openSession(reviewed, { order: "input" });
    const view = await session.instance(0);
    await session.decide(0, accept(view, { counts: { ...NO_CLICKS, move: 3, redrawTaken: 2, redrawLeft: 1 } }));
    await session.close();
    const worst = ["--match", "worst", "--choice", "never", "--max-clicks", "1", "--threshold", "1"];
    const named = ["simulate-clicks", IMAGES, "--truth", BOXES, "--reviewed", reviewed, "--out", out(), "--json"];
    const { code, stdout, stderr } = await polyrnn(...named, ...worst, ...FEW);
    expect(code).toBe(0);
    expect(stderr).toContain(`on 1 instance that people reviewed in ${reviewed}`);
    expect(stderr).toMatch(/people: clicks 3\.00, IoU .*, proposals taken 2, left 1/);
    const summary = JSON.parse(stdout) as ClickSummary;
    expect(summary).toMatchObject({ reviewed, choice: "never", instances: 2 });
    const report = reportIn(out());
    expect(checkReport(report)).toBeUndefined();
    const { clicks } = report;
    expect(clicks!.effort).toEqual(summary.effort);
    expect(clicks!.effort).toMatchObject([
      { who: "simulated", threshold: 1, instances: 1, clicksMean: 1, redrawTaken: 0, secondsMedian: null },
      {
        who: "measured",
        threshold: null,
        instances: 1,
        clicksMean: 3,
        redrawTaken: 2,
        redrawLeft: 1,
        secondsMedian: 4,
      },
    ]);
    for (const file of ["report.md", "report.html"])
      expect(readFileSync(join(out(), file), "utf8")).toContain("people, measured");
  });

  test("without a run says so and takes the bundled sample", async () => {
    const { code, stdout, stderr } = await polyrnn(
      "simulate-clicks",
      "--run",
      join(folder.path, "none"),
      "--out",
      out(),
      "--threshold",
      "3",
      "--json",
      ...FEW,
    );
    expect(code).toBe(0);
    expect(stderr).toContain("there is no run in");
    expect(stderr).toContain("simulating clicks on the bundled sample");
    expect(JSON.parse(stdout)).toMatchObject({ source: "sample", instances: 2 });
  });

  test("--fail-over-clicks sets the exit code by the smallest threshold", async () => {
    const words = ["simulate-clicks", IMAGES, "--truth", BOXES, "--threshold", "0,100", "--json", "--quiet", ...FEW];
    const over = await polyrnn(...words, "--out", join(folder.path, "a"), "--fail-over-clicks", "0.5");
    expect(over.code).toBe(1);
    expect(over.stderr).toBe("");
    expect((JSON.parse(over.stdout) as ClickSummary).failOverClicks).toMatchObject({
      limit: 0.5,
      threshold: 0,
      passed: false,
    });
    expect((await polyrnn(...words, "--out", join(folder.path, "b"), "--fail-over-clicks", "500")).code).toBe(0);
  });

  test("an image that is missing is listed, and the exit code remembers", async () => {
    const truth = writeCoco(
      folder.path,
      "truth.json",
      [annotation(1, 100, 100, 200, 150), annotation(2, 9, 9, 50, 50, { image_id: 2 })],
      [
        { id: 1, file_name: "street.jpg", width: 640, height: 480 },
        { id: 2, file_name: "gone.jpg", width: 100, height: 100 },
      ],
    );
    const { code, stderr } = await polyrnn("simulate-clicks", IMAGES, "--truth", truth, "--out", out(), ...FEW);
    expect(code).toBe(1);
    expect(stderr).toContain("failed: annotation 2");
    expect(stderr).toContain("1 left out: 1 truth-image-missing");
  });

  test.each<{ why: string; words: string[]; code: number; says: string }>([
    {
      why: "a choice without the annotator who has one",
      words: ["--choice", "never"],
      code: 2,
      says: "expected --match worst with it, received --match closest",
    },
    {
      why: "a folder without a run as the reviewed one",
      words: ["--reviewed", FIXTURES],
      code: 66,
      says: "the run folder of polyrnn annotate",
    },
    {
      why: "a threshold that is a word",
      words: ["--threshold", "two"],
      code: 2,
      says: '--threshold: expected numbers of 0 or more but received "two"',
    },
    {
      why: "a threshold below 0",
      words: ["--threshold=-1"],
      code: 2,
      says: '--threshold: expected numbers of 0 or more but received "-1"',
    },
    {
      why: "images without a truth",
      words: [IMAGES],
      code: 2,
      says: "expected the ground truth of these images, received none",
    },
    {
      why: "a truth without images or a run",
      words: ["--truth", BOXES, "--run", "/nowhere"],
      code: 2,
      says: "there is no run in /nowhere",
    },
    { why: "a truth that is not there", words: [IMAGES, "--truth", "/nowhere.json"], code: 66, says: "/nowhere.json" },
    {
      why: "an unknown rule",
      words: ["--match", "nearest"],
      code: 2,
      says: "--match: expected one of closest, ring, area",
    },
    {
      why: "images that cannot be grouped",
      words: [IMAGES, "--truth", BOXES, "--group-by", "weather"],
      code: 2,
      says: '--group-by: expected the field "weather" in images',
    },
    {
      why: "other results that are not there",
      words: [IMAGES, "--truth", BOXES, "--compare", "other=/nowhere.json"],
      code: 66,
      says: "/nowhere.json",
    },
    { why: "half a click", words: ["--max-clicks", "0.5"], code: 2, says: "--max-clicks: expected a whole number" },
  ])("$why is refused with what was expected", async ({ words, code, says }) => {
    const result = await polyrnn("simulate-clicks", "--out", out(), ...words);
    expect(result).toMatchObject({ code, stderr: expect.stringContaining(says) as string });
  });

  test("boxes without ground truth are refused, and no report is written", async () => {
    const truth = writeCoco(folder.path, "truth.json", [
      annotation(1, 100, 100, 200, 150, { segmentation: undefined }),
    ]);
    const { code, stderr } = await polyrnn("simulate-clicks", IMAGES, "--truth", truth, "--out", out(), ...FEW);
    expect(code).toBe(65);
    expect(stderr).toContain("expected ground truth polygons or masks");
    expect(existsSync(out())).toBe(false);
  });

  test("a report that is there is replaced with --force only", async () => {
    const words = ["simulate-clicks", IMAGES, "--truth", BOXES, "--threshold", "3", "--out", out(), "--quiet", ...FEW];
    expect((await polyrnn(...words)).code).toBe(0);
    expect(await polyrnn(...words)).toMatchObject({
      code: 73,
      stderr: expect.stringContaining("an earlier report") as string,
    });
    expect((await polyrnn(...words, "--force")).code).toBe(0);
  });

  test("a damaged run.json is an error, not the sample", async () => {
    writeJson(folder.path, "run.json", "{");
    expect(await polyrnn("simulate-clicks", "--run", folder.path)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("run.json: expected JSON") as string,
    });
  });
});

describe("annotate --simulate-clicks", () => {
  const annotate = (...words: string[]): ReturnType<typeof polyrnn> =>
    polyrnn("annotate", IMAGES, "--out", out(), "--overlays", "none", "--limit", "2", ...TINY, ...words);

  test("leaves annotations and the report of both in one folder", async () => {
    const { code, stdout, stderr } = await annotate("--boxes", BOXES, "--simulate-clicks", "1,2", "--json");
    expect(code).toBe(0);
    expect(readdirSync(out())).toEqual(
      expect.arrayContaining([
        "annotations.json",
        "clicks.csv",
        "instances.csv",
        "report.html",
        "report.json",
        "report.md",
        "run.json",
        "summary.json",
      ]),
    );
    expect(JSON.parse(stdout)).toMatchObject({
      type: "summary",
      done: 2,
      clicks: { type: "clicks", instances: 2, source: "run" },
    });
    expect(stderr).toMatch(/T +clicks +IoU/);
    const report = reportIn(out());
    expect(report.inputs.predictions).toBe(join(out(), "annotations.json"));
    expect(report.methods[0]!.instanceMean.mean).toBeCloseTo(report.clicks!.iouAfterClicks[0]!.iou, 12);
  });

  test.each<{ why: string; words: string[]; code: number; says: string }>([
    { why: "boxes without ground truth", words: [], code: 65, says: "expected ground truth polygons or masks" },
    {
      why: "a stream without a folder",
      words: ["--out", "-"],
      code: 2,
      says: "--simulate-clicks needs an output folder",
    },
    {
      why: "a threshold that is no number",
      words: ["--simulate-clicks", "x"],
      code: 2,
      says: '--simulate-clicks: expected numbers of 0 or more but received "x"',
    },
    {
      why: "a part of the data set",
      words: ["--shard", "1/2"],
      code: 2,
      says: "--simulate-clicks and --shard exclude each other",
    },
    { why: "polygons that are kept", words: ["--existing", "keep"], code: 2, says: "exclude each other" },
  ])("$why is refused before anything is drawn", async ({ words, code, says }) => {
    const boxes = writeCoco(folder.path, "boxes.json", [
      annotation(1, 100, 100, 200, 150, { segmentation: undefined }),
    ]);
    const base = [
      "annotate",
      IMAGES,
      "--boxes",
      boxes,
      ...TINY,
      ...(words.includes("--out") ? [] : ["--out", out()]),
      ...(words.includes("--simulate-clicks") ? [] : ["--simulate-clicks", "1"]),
    ];
    expect(await polyrnn(...base, ...words)).toMatchObject({ code, stderr: expect.stringContaining(says) as string });
    expect(readdirSync(folder.path)).toEqual(["boxes.json"]);
  });
});
