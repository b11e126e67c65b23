/** What is the user's comes out of every way through a run as it went in, to the last digit. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { readJson, runAnnotate } from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const NUMBERS = '"track_id":9007199254740993,"attributes":{"hash":-1610521604143693812,"x":[1e400,1.10,-0]}';
/** With what LVIS says of an image: categories that are not on it, and those that are not all outlined. */
const LVIS = '"neg_category_ids":[2,9],"not_exhaustive_category_ids":[7]';
const IMAGE = `{"id":1,"file_name":"park.jpg","asset_id":1610521604143693812,"width":640.0,"height":480,${LVIS}}`;
const DRAWN = `{"id":11,"image_id":1,"category_id":1,"bbox":[266.0,206,68,196],${NUMBERS}}`;
const KEPT = `{"id":12,"image_id":1,"category_id":1,"bbox":[10,10,30,30.0],"segmentation":[[10,10.0,40,10,40,40]],${NUMBERS}}`;
/** One without an id, whose place is that of another's id, and one of no image. */
const BROKEN = '{"image_id":1,"category_id":1,"bbox":[1,2,3,4]},{"id":2,"image_id":9007199254740993,"bbox":[1,2,3,4]}';
const INPUT = `{"info":null,"version":1.10,"build":{"n":1e400},"images":[${IMAGE},{"id":2,"file_name":7}],
"annotations":[${BROKEN},${DRAWN},${KEPT},{"id":1,"image_id":1,"category_id":1,"bbox":[312,222,70,190]}],
"categories":[{"id":1,"name":"thing","code":1610521604143693812}]}`;

let boxes: string;
let out: string;
let summary: AnnotateSummary;
beforeAll(async () => {
  boxes = join(temporaryFolder(), "boxes.json");
  await writeFile(boxes, INPUT);
  ({ out, summary } = await runAnnotate({ boxes, existing: "keep", maxSteps: 8 }));
});
const writtenTo = (folder: string): Promise<string> => readFile(join(folder, "annotations.json"), "utf8");

test("annotations.json holds every number as it was written, drawn or kept", async () => {
  const text = await writtenTo(out);
  expect(text.split(NUMBERS)).toHaveLength(3);
  expect(text).toContain(KEPT.slice(0, -1));
  for (const part of ['"version":1.10', '"build":{"n":1e400}', '"code":1610521604143693812', "[266.0,206,68,196]"])
    expect(text).toContain(part);
  expect(text).toContain(IMAGE);
});

test("COCO's readers find all they need, and an image without a usable name keeps what it had", async () => {
  const coco = await readJson<{ images: object[]; annotations: object[] }>(out, "annotations.json");
  expect(coco).toMatchObject({ info: {}, licenses: [] });
  expect(coco.images[1]).toEqual({ id: 2, file_name: 7 });
  expect(coco.images).toHaveLength(2);
  for (const annotation of coco.annotations)
    expect(annotation).toMatchObject({ iscrowd: 0, area: expect.any(Number) as number });
});

test("an image on which nothing is drawn gets its size where the input has none: masks need it", async () => {
  const path = join(temporaryFolder(), "boxes.json");
  const kept = KEPT.replace('"image_id":1', '"image_id":3');
  const images = '[{"id":3,"file_name":"park.jpg"},{"id":4,"file_name":"street.jpg"}]';
  await writeFile(path, `{"images":${images},"annotations":[${kept}],"categories":[{"id":1,"name":"thing"}]}`);
  const ran = await runAnnotate({ boxes: path, existing: "keep" });
  expect(await readJson(ran.out, "annotations.json")).toMatchObject({
    images: [{ id: 3, width: 640, height: 480 }, { id: 4 }],
    annotations: [{ id: 12, area: 435, iscrowd: 0 }],
  });
});

test("an annotation without an id is called by its place, and not by the id of another", async () => {
  expect(summary.failures).toMatchObject([
    { annotationId: null, imageId: 1, message: expect.stringContaining("annotations[0] (no id)") as string },
    { annotationId: 2, imageId: null, message: expect.stringContaining("9007199254740993") as string },
  ]);
  expect(await readJson(out, "summary.json")).toEqual(summary);
});

test("a resumed run says the same", async () => {
  const again = await runAnnotate({ boxes, out, existing: "keep", maxSteps: 8, resume: true });
  expect(again.summary.failures).toEqual(summary.failures);
});

test("the stream has the lines of the file", async () => {
  const { host } = await runAnnotate({ boxes, out: "-", existing: "keep", maxSteps: 8 });
  const lines = (await writtenTo(out)).split('"annotations":[\n')[1]!.replace("]}\n", "").split(",\n");
  expect(host.lines.toSorted()).toEqual(lines.toSorted());
});

test("--only-new carries the numbers of both files", async () => {
  const earlier = join(temporaryFolder(), "earlier.json");
  const text = (await writtenTo(out)).replace(
    NUMBERS,
    '"track_id":5.0,"reviewed_at":1610521604143693812,"reviews":[2.0]',
  );
  await writeFile(earlier, text);
  const next = await runAnnotate({ boxes, onlyNew: earlier, maxSteps: 8 });
  expect(next.summary).toMatchObject({ finishedNow: 0, skippedByReason: { "already-done": 3 } });
  const line = (await writtenTo(next.out)).split("\n").find((found) => found.startsWith('{"id":11,'));
  expect(line).toContain(NUMBERS);
  expect(line).toContain('"reviewed_at":1610521604143693812,"reviews":[2.0]');
  expect(line).not.toContain("5.0,");
});
