/** What people drew is never drawn over: --existing keep and --only-new, whatever the spelling of polygons and names. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { JsonValue } from "../../src/types.js";
import type { CocoAnnotation } from "./runs.js";
import { IMAGES, readCoco, readJson, runAnnotate } from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const BOX = [266, 206, 68, 196];
const SQUARE = [270, 210, 330, 210, 330, 400, 270, 400];
const PAIRS = [
  [270, 210],
  [330, 210],
  [330, 400],
  [270, 400],
];

/** A folder with one photograph under the name, and a box file with these annotations. */
async function place(name: string, fileName: string, annotations: readonly object[]): Promise<RunPlace> {
  const folder = temporaryFolder();
  const images = join(folder, "images");
  await mkdir(dirname(join(images, name)), { recursive: true });
  await copyFile(join(IMAGES, "park.jpg"), join(images, name));
  const boxes = join(folder, "boxes.json");
  await writeFile(
    boxes,
    JSON.stringify({
      images: [{ id: 1, file_name: fileName, width: 640, height: 480 }],
      categories: [{ id: 1, name: "person" }],
      annotations: annotations.map((annotation, i) => ({ id: i + 1, image_id: 1, category_id: 1, ...annotation })),
    }),
  );
  return { images, boxes };
}
interface RunPlace {
  readonly images: string;
  readonly boxes: string;
}

describe("--existing keep", () => {
  const kept: readonly (readonly [string, JsonValue])[] = [
    ["a short part beside a good one", [[270, 210, 330, 400], SQUARE]],
    ["half a point beside a good one", [[...SQUARE, 270], SQUARE]],
    ["a flat list", SQUARE],
    ["a list of points", [PAIRS]],
    ["points without their list", PAIRS],
    ["numbers as text", [SQUARE.map(String)]],
    ["a mask in a list", [{ size: [480, 640], counts: [1000, 20, 306180] }]],
  ];
  const refused: readonly (readonly [string, JsonValue])[] = [
    ["an odd count", [[...SQUARE, 270]]],
    ["two points", [[270, 210, 330, 400]]],
    ["a mask of another size", { size: [60, 100], counts: [10, 20, 5970] }],
    ["a mask with its sides exchanged", { size: [640, 480], counts: [1000, 20, 306180] }],
    ["a mask that does not add up", { size: [480, 640], counts: [1] }],
    ["a word", "drawn"],
  ];

  test("good polygons pass through as they are, unreadable ones fail, and none is drawn over", async () => {
    const all = [...kept, ...refused].map(([, segmentation]) => ({ bbox: BOX, segmentation }));
    const { summary, out, host } = await runAnnotate({
      ...(await place("a.jpg", "a.jpg", all)),
      existing: "keep",
      formats: ["coco", "labelme"],
    });
    expect(summary).toMatchObject({
      done: 0,
      skippedByReason: { kept: kept.length },
      failedByReason: { "segmentation-invalid": refused.length },
    });
    const { annotations } = await readCoco(out, "annotations.json");
    expect(annotations.map(({ segmentation }) => segmentation)).toEqual(kept.map(([, segmentation]) => segmentation));
    const { shapes } = await readJson<{ shapes: { points: number[][] }[] }>(join(out, "labelme", "a.json"));
    expect(shapes.slice(0, 6).map(({ points }) => points)).toEqual(
      Array.from({ length: 6 }, () => PAIRS.map((pair) => pair.map((value) => expect.closeTo(value, 1) as number))),
    );
    for (const { message } of host.failures) expect(message).toContain("It was not drawn over (--existing keep)");
    expect(host.notes.join("\n")).toContain("2 kept annotations with a part that cannot be read");
  });

  test("nothing in a segmentation is nothing to keep", async () => {
    const empty = [null, [], [[]], {}, ""].map((segmentation) => ({ bbox: BOX, segmentation }));
    const { summary } = await runAnnotate({ ...(await place("a.jpg", "a.jpg", empty)), existing: "keep" });
    expect(summary.skipped).toBe(0);
    expect(summary.done + summary.failed).toBe(5);
    expect(summary.failedByReason["segmentation-invalid"]).toBeUndefined();
  });

  test("a polygon whose box cannot be used is kept all the same", async () => {
    const bad = [[0, 0, 0, 0], "none", [10, 10, 0.2, 30], [1, 2, 3]].map((bbox) => ({ bbox, segmentation: [SQUARE] }));
    const { summary, out } = await runAnnotate({ ...(await place("a.jpg", "a.jpg", bad)), existing: "keep" });
    expect(summary).toMatchObject({ done: 0, failed: 0, skippedByReason: { kept: 4 } });
    expect((await readCoco(out, "annotations.json")).annotations).toMatchObject(bad);
  });
});

describe("--only-new", () => {
  let earlier: string;
  const corrected: Partial<CocoAnnotation> = { bbox: BOX, segmentation: [SQUARE] };
  beforeAll(async () => {
    earlier = (await place("x/a.jpg", "x/a.jpg", [corrected])).boxes;
  });

  test.each([
    { disk: "x/a.jpg", name: "x\\a.jpg", why: "backslashes" },
    { disk: "x/a.jpg", name: ".//x/./a.jpg", why: "an untidy path" },
    { disk: "x/a.jpg", name: "X/A.jpg", why: "another case, with one such file" },
    { disk: "x/a.JPG", name: "x/a.JPG", why: "the earlier name in another case, with one such file" },
    { disk: "x/a.jpg", name: "train/x/a.jpg", why: "a leading folder more" },
    { disk: "x/a.jpg", name: "a.jpg", why: "a leading folder less" },
  ])("knows the image again: $why", async ({ disk, name }) => {
    const { summary, out } = await runAnnotate({ ...(await place(disk, name, [{ bbox: BOX }])), onlyNew: earlier });
    expect(summary).toMatchObject({ done: 0, failed: 0, skippedByReason: { "already-done": 1 } });
    expect((await readCoco(out, "annotations.json")).annotations[0]).toMatchObject({ segmentation: [SQUARE] });
  });

  test("knows an accent again, composed or not", async () => {
    const { boxes } = await place("caf\u00e9.jpg", "cafe\u0301.jpg", [corrected]);
    const now = await place("caf\u00e9.jpg", "caf\u00e9.jpg", [{ bbox: BOX }]);
    expect((await runAnnotate({ ...now, onlyNew: boxes })).summary.skippedByReason["already-done"]).toBe(1);
  });

  test("an image of the same last part in another folder is another image", async () => {
    const now = await place("y/a.jpg", "y/a.jpg", [{ bbox: BOX }]);
    expect((await runAnnotate({ ...now, onlyNew: earlier })).summary.skipped).toBe(0);
  });

  test("what cannot be read in the earlier file is not drawn over", async () => {
    const { boxes } = await place("a.jpg", "a.jpg", [{ bbox: BOX, segmentation: [[1, 2, 3]] }]);
    const now = await place("a.jpg", "a.jpg", [{ bbox: BOX }]);
    const { summary, host } = await runAnnotate({ ...now, onlyNew: boxes });
    expect(summary).toMatchObject({ done: 0, failedByReason: { "segmentation-invalid": 1 } });
    expect(host.failures[0]!.message).toContain("annotations[0], segmentation[0]: expected pairs");
  });
});

test("a file found in another case is said, with a count", async () => {
  const { host } = await runAnnotate(await place("a.JPG", "a.jpg", [{ bbox: BOX }]));
  expect(host.notes.join("\n")).toContain('1 image found in another case than the input names it, for example "a.jpg"');
});
