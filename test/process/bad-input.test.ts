/**
 * Bad input as the command meets it; each kind of it, with its sentence, is in test/annotate/bad-box.test.ts and
 * bad-file.test.ts.
 */
import { cpSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { endAll, runInHost, runToEnd } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const TINY = join(FIXTURES, "models", "tiny-random");
const folder = temporaryFolder();
afterEach(endAll);

test("1: everything that goes wrong in the field, in one folder: each annotation ends as is to be expected of it", async () => {
  const images = join(folder, "hostile");
  cpSync(join(FIXTURES, "hostile"), images, { recursive: true });
  const files = (): [string, string][] =>
    readdirSync(images).map((name) => [name, readFileSync(join(images, name), "latin1")]);
  const before = files();
  const out = join(folder, "out");
  const ended = await runToEnd([
    "annotate",
    images,
    "--boxes",
    join(images, "boxes.json"),
    "--out",
    out,
    "--model",
    TINY,
    "--device",
    "cpu",
    "--overlays",
    "all",
    "--format",
    "coco,cityscapes,labelme,yolo-seg,label-studio",
    "--json",
  ]);
  expect(ended.code, ended.stderr).toBe(1);
  const { annotations } = JSON.parse(readFileSync(join(images, "boxes.json"), "utf8")) as {
    annotations: { id: number; x_expected: string }[];
  };
  const summary = JSON.parse(ended.stdout) as { done: number; failedByReason: Record<string, number> };
  const counts: Record<string, number> = {};
  for (const { x_expected: expected } of annotations) counts[expected] = (counts[expected] ?? 0) + 1;
  expect({ done: summary.done, ...summary.failedByReason }).toEqual(counts);

  const journal = readFileSync(join(out, "journal.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line) as { ordinal: number; annotationId: number; status: string; reason?: string });
  const statuses = journal
    .sort((a, b) => a.ordinal - b.ordinal)
    .map(({ annotationId, status, reason }) => ({ id: annotationId, x_expected: reason ?? status }));
  expect(statuses).toEqual(annotations.map(({ id, x_expected }) => ({ id, x_expected })));

  // One word for each image that could not be drawn on would only repeat what its annotations said.
  expect(ended.stderr).not.toMatch(/no overlay|\n +at |undefined|NaN/);
  expect(files()).toEqual(before);
});

test("66 and 65 come before anything is written, and name the file, the place and the next step on two lines", async () => {
  const out = join(folder, "nothing");
  const missing = await runInHost([
    "annotate",
    join(FIXTURES, "images"),
    "--boxes",
    join(folder, "boxs.json"),
    "--out",
    out,
    "--quiet",
  ]);
  expect([missing.code, missing.stdout]).toEqual([66, ""]);
  expect(missing.stderr).toBe(
    `polyrnn: ${join(folder, "boxs.json")}: expected a box file or a folder of them, received no such file\nCheck the spelling and the folder the command runs in.\n`,
  );
  const photograph = join(FIXTURES, "images", "street.jpg");
  const notJson = await runInHost([
    "annotate",
    join(FIXTURES, "images"),
    "--boxes",
    photograph,
    "--out",
    out,
    "--quiet",
  ]);
  expect([notJson.code, notJson.stdout]).toEqual([65, ""]);
  expect(notJson.stderr).toBe(
    `polyrnn: ${photograph}: byte 0 (line 1): expected JSON, received a JPEG image\nName the JSON file itself.\n`,
  );
  expect(readdirSync(folder)).not.toContain("nothing");
});
