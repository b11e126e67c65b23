import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readLastRun } from "../../src/runs/run-file.js";
import { useFolder, writeJson } from "../evaluate/small-dataset.js";

const folder = useFolder();
const RUN = {
  version: 1,
  type: "run",
  inputs: { images: "/data/images", boxes: "/data/gt.json" },
  model: { name: "mobile", folder: "/models/mobile" },
  options: { context: 0.2, maxSteps: 50, candidates: 2, categories: ["car"], limit: 7 },
};

test("a run says what it was drawn from", async () => {
  const path = writeJson(folder.path, "run.json", RUN);
  expect(await readLastRun(folder.path)).toEqual({
    path,
    images: "/data/images",
    boxes: "/data/gt.json",
    modelFolder: "/models/mobile",
    context: 0.2,
    maxSteps: 50,
    candidates: 2,
    categories: ["car"],
    limit: 7,
  });
});

test("without a run.json, or without the folder, there is no run", async () => {
  expect(await readLastRun(folder.path)).toBeUndefined();
  expect(await readLastRun(join(folder.path, "nowhere"))).toBeUndefined();
});

test.each([
  { why: "not JSON", value: "{", message: "run.json: expected JSON but" },
  { why: "a list", value: [], message: "run.json: expected an object inputs, received a list of 0" },
  {
    why: "without inputs",
    value: { ...RUN, inputs: undefined },
    message: "run.json: expected an object inputs, received nothing",
  },
  {
    why: "images that are a number",
    value: { ...RUN, inputs: { images: 3, boxes: "b" } },
    message: "run.json: expected a text inputs.images, received 3",
  },
  {
    why: "a context out of range",
    value: { ...RUN, options: { ...RUN.options, context: 12 } },
    message: "run.json: expected a number options.context from 0 to 1, received 12",
  },
  {
    why: "a limit of 0",
    value: { ...RUN, options: { ...RUN.options, limit: 0 } },
    message: "run.json: expected a number options.limit from 1",
  },
  {
    why: "a category that is an object",
    value: { ...RUN, options: { ...RUN.options, categories: [{}] } },
    message: "run.json: expected a text options.categories, received an object",
  },
])("a run.json that is damaged ($why) is an error, not another data set", async ({ value, message }) => {
  writeJson(folder.path, "run.json", value);
  await expect(readLastRun(folder.path)).rejects.toMatchObject({
    code: "E_DATA",
    message: expect.stringContaining(message) as string,
  });
});

test("a run.json that is a folder is an error", async () => {
  mkdirSync(join(folder.path, "run.json"));
  await expect(readLastRun(folder.path)).rejects.toMatchObject({ code: "E_DATA" });
});
