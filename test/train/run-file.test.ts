import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { checkOptions } from "../../src/train/options.js";
import { readRun, writeRun } from "../../src/train/run-file.js";
import { writeAsVersion2 } from "./earlier-run.js";
import { SMALL } from "./small-training.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const RUN = {
  options: { ...SMALL, learningRate: 0.25, backboneLearningRate: 0.125, ema: 0.5, warmup: 7 },
  data: {
    instances: 12,
    images: 3,
    bySource: { all: 12 },
    validationInstances: 4,
    sha256: "00",
    validationSha256: null,
  },
  start: { description: "random weights from seed 5", sha256: ["11"] },
};

let folder: string;
beforeEach(async () => {
  folder = temporaryFolder();
  await writeRun(folder, RUN);
});

test("a run is read as it was written", async () => {
  expect(await readRun(folder)).toEqual({ formatVersion: 3, type: "training", ...RUN });
});

test("a run of the version before is read under the names of today", async () => {
  writeAsVersion2(folder);
  expect(await readFile(join(folder, "run.json"), "utf8")).toContain('"trunkRate": 0.125');
  const run = await readRun(folder);
  expect(run).toEqual({ formatVersion: 3, type: "training", ...RUN });
  checkOptions(run.options);
});

test.each([
  { change: { formatVersion: 1 }, why: "a version that is not read any more" },
  { change: { formatVersion: 4 }, why: "a later version" },
  { change: { type: "annotate" }, why: "a run of another command" },
])("refuses $why", async ({ change }) => {
  const file = join(folder, "run.json");
  const run = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...run, ...change }));
  await expect(readRun(folder)).rejects.toMatchObject({ code: "E_DATA" });
});
