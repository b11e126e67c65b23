import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { mergeRuns } from "../../src/merge/merge.js";
import type { Coco, RunOptions } from "./runs.js";
import { IMAGES, boxesWith, memoryHost, newOut, readCoco, refusalOf, runAnnotate } from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const SHORT: RunOptions = { maxSteps: 8 };
/** Images that an earlier night had not seen. */
const NEW_IMAGES = 2;

const withoutNew = (coco: Coco): void => {
  coco.images.splice(-NEW_IMAGES);
  const known = new Set(coco.images.map(({ id }) => id));
  coco.annotations = coco.annotations.filter(({ image_id: id }) => known.has(id));
};

/** Five images of the sample with the boxes that the tiny model draws polygons for. */
let sample: string;
let earlier: string;
let whole: string;
beforeAll(async () => {
  const few = await boxesWith((coco) => {
    coco.images = coco.images.slice(0, 5);
    coco.annotations = coco.annotations.filter(({ image_id: id }) => coco.images.some((image) => image.id === id));
  });
  const drawn = new Set(
    (await readCoco((await runAnnotate({ ...SHORT, boxes: few })).out, "annotations.json")).annotations.map(
      ({ id }) => id,
    ),
  );
  sample = await boxesWith((coco) => {
    coco.annotations = coco.annotations.filter(({ id }) => drawn.has(id));
  }, few);
  earlier = (await runAnnotate({ ...SHORT, boxes: await sampleWith(withoutNew) })).out;
  whole = (await runAnnotate({ ...SHORT, boxes: sample })).out;
});

const sampleWith = (change: (coco: Coco) => void): Promise<string> => boxesWith(change, sample);

const annotationsOf = (out: string): Promise<string> => readFile(join(out, "annotations.json"), "utf8");
/** The earlier annotations, changed. @returns their path */
const earlierWith = (change: (coco: Coco) => void): Promise<string> =>
  boxesWith(change, join(earlier, "annotations.json"));

test("only what is new is drawn, and annotations.json is complete: the bytes of a run that draws all", async () => {
  const { summary, out } = await runAnnotate({ ...SHORT, boxes: sample, onlyNew: earlier });
  const done = (await readCoco(earlier, "annotations.json")).annotations.filter(({ iscrowd }) => iscrowd === 0).length;
  expect(summary.skippedByReason["already-done"]).toBe(done);
  expect(summary.finishedNow).toBe(
    (await readCoco(sample)).annotations.filter(({ iscrowd }) => iscrowd !== 1).length - done,
  );
  expect(summary.done).toBe(summary.finishedNow);
  expect(await annotationsOf(out)).toBe(await annotationsOf(whole));
  // The file instead of its folder, and a second time with nothing new.
  const again = await runAnnotate({ ...SHORT, boxes: sample, onlyNew: join(out, "annotations.json") });
  expect(again.summary).toMatchObject({ done: 0, finishedNow: 0 });
  expect(await annotationsOf(again.out)).toBe(await annotationsOf(whole));
});

describe("a box is done", () => {
  test.each<{ why: string; change: (coco: Coco) => void; drawn: number }>([
    {
      why: "also when annotations, images and categories come in another order",
      change: (coco) => {
        coco.annotations.reverse();
        coco.images.reverse();
        coco.categories.reverse();
      },
      drawn: 0,
    },
    {
      why: "also when ids were given anew",
      change: (coco) => {
        for (const a of coco.annotations) a.id += 5000;
      },
      drawn: 0,
    },
    {
      why: "also when image ids were given anew",
      change: (coco) => {
        for (const i of coco.images) i.id += 5000;
        for (const a of coco.annotations) a.image_id += 5000;
      },
      drawn: 0,
    },
    {
      why: "not when its box was changed",
      change: (coco) => {
        coco.annotations[0]!.bbox[2]! += 1;
      },
      drawn: 1,
    },
    {
      why: "also when its box differs behind the second decimal",
      change: (coco) => {
        coco.annotations[0]!.bbox[2]! += 1e-6;
      },
      drawn: 0,
    },
    {
      why: "not when its category was changed",
      change: (coco) => {
        const a = coco.annotations[0]!;
        a.category_id = coco.categories.find(({ id }) => id !== a.category_id)!.id;
      },
      drawn: 1,
    },
    {
      why: "not when its image has another name",
      change: (coco) => {
        coco.images[0]!.file_name = "else.jpg";
      },
      drawn: NaN,
    },
    {
      why: "not when the earlier run has no polygon of it",
      change: (coco) => {
        coco.annotations.splice(0, 2);
      },
      drawn: 2,
    },
    {
      why: "not when the earlier polygon is empty",
      change: (coco) => {
        coco.annotations[0]!.segmentation = [];
        coco.annotations[1]!.segmentation = [[]];
      },
      drawn: 2,
    },
    {
      why: "not when it is a crowd there",
      change: (coco) => {
        coco.annotations[0]!["iscrowd"] = 1;
      },
      drawn: 1,
    },
    {
      why: "not by what is no annotation at all",
      change: (coco) => {
        coco.annotations[0] = 7 as never;
        coco.annotations[1] = { id: 1 } as never;
      },
      drawn: 2,
    },
  ])("$why", async ({ change, drawn }) => {
    const onlyNew = await earlierWith((coco) => {
      coco.annotations = coco.annotations.filter(({ iscrowd }) => iscrowd === 0);
      change(coco);
    });
    const boxes = await sampleWith((coco) => {
      withoutNew(coco);
      coco.annotations = coco.annotations.filter(({ iscrowd }) => iscrowd !== 1);
    });
    const { summary, host } = await runAnnotate({ ...SHORT, boxes, onlyNew });
    const { images, annotations } = await readCoco(boxes);
    const expected = Number.isNaN(drawn) ? annotations.filter((a) => a.image_id === images[0]!.id).length : drawn;
    expect(expected).toBeGreaterThanOrEqual(Number.isNaN(drawn) ? 1 : drawn);
    expect(expected).toBeLessThan(annotations.length);
    expect({ drawn: summary.finishedNow, failures: host.failures.length }).toEqual({ drawn: expected, failures: 0 });
    expect(summary.skippedByReason["already-done"]).toBe(annotations.length - expected);
  });
});

test("a polygon that a person corrected goes out as corrected, in every format; the input's own fields are today's; a reviewer's mark stays", async () => {
  const corrected = [10, 10, 60, 12, 40, 50];
  const onlyNew = await earlierWith((coco) => {
    Object.assign(coco.annotations[0]!, {
      segmentation: [corrected],
      area: 777,
      reviewed: "yes",
      attributes: { color: "old" },
    });
    delete coco.annotations[0]!["polyrnn_score"];
  });
  const boxes = await sampleWith((coco) => {
    Object.assign(coco.annotations[0]!, { attributes: { color: "red" } });
  });
  const { out } = await runAnnotate({ ...SHORT, boxes, onlyNew, formats: ["coco", "labelme", "yolo-seg"] });
  const { id } = (await readCoco(sample)).annotations[0]!;
  const annotation = (await readCoco(out, "annotations.json")).annotations.find((a) => a.id === id)!;
  expect(annotation).toMatchObject({
    segmentation: [corrected],
    area: 777,
    reviewed: "yes",
    attributes: { color: "red" },
  });
  expect(annotation).not.toHaveProperty("polyrnn_score");
  const image = (await readCoco(sample)).images.find(({ id: imageId }) => imageId === annotation.image_id)!;
  const labelme = await readFile(join(out, "labelme", image.file_name.replace(/\.jpg$/, ".json")), "utf8");
  expect(
    (JSON.parse(labelme) as { shapes: { points: number[][] }[] }).shapes.map(({ points }) => points.flat()),
  ).toContainEqual(corrected.map((value) => expect.closeTo(value, 1) as number));
});

test("failures of the earlier run are tried again", async () => {
  const photographs = temporaryFolder();
  await cp(IMAGES, photographs, { recursive: true });
  await writeFile(join(photographs, (await readCoco(sample)).images[1]!.file_name), "no photograph");
  const broken = await runAnnotate({ ...SHORT, boxes: sample, images: photographs });
  expect(broken.summary.failed).toBeGreaterThan(0);
  const { summary, out } = await runAnnotate({ ...SHORT, boxes: sample, onlyNew: broken.out });
  expect(summary).toMatchObject({ failed: 0, done: broken.summary.failed });
  expect(await annotationsOf(out)).toBe(await annotationsOf(whole));
});

test("a detector's list without image sizes stays complete: sizes of images that are not opened come from the earlier file", async () => {
  const list = join(temporaryFolder(), "detections.json");
  const { images, annotations } = await readCoco(sample);
  const nameOf = new Map(images.map((image) => [image.id, image.file_name]));
  await writeFile(
    list,
    JSON.stringify(
      annotations
        .slice(0, 20)
        .map((a) => ({ image_id: nameOf.get(a.image_id), category_id: a.category_id, bbox: a.bbox, score: 0.5 })),
    ),
  );
  const first = await runAnnotate({ ...SHORT, boxes: list });
  const again = await runAnnotate({ ...SHORT, boxes: list, onlyNew: first.out });
  expect(again.summary.finishedNow).toBe(0);
  expect(await annotationsOf(again.out)).toBe(await annotationsOf(first.out));
});

test("with --existing keep, the input's own polygon goes before the earlier one", async () => {
  const boxes = await sampleWith((coco) => {
    coco.annotations[0]!.segmentation = [[1, 1, 30, 1, 30, 30]];
  });
  const first = (await readCoco(boxes)).annotations[0]!.id;
  const { summary, out } = await runAnnotate({ ...SHORT, boxes, onlyNew: earlier, existing: "keep" });
  expect(summary.skippedByReason.kept).toBeGreaterThan(0);
  expect((await readCoco(out, "annotations.json")).annotations.find(({ id }) => id === first)?.segmentation).toEqual([
    [1, 1, 30, 1, 30, 30],
  ]);
});

test("a stream to standard output is complete as well", async () => {
  const { host, summary } = await runAnnotate({ ...SHORT, boxes: sample, out: "-", onlyNew: earlier });
  expect(host.lines).toHaveLength(summary.done + (summary.skippedByReason["already-done"] ?? 0));
});

test("--limit counts what is drawn, so that a night takes the next ones", async () => {
  const { summary } = await runAnnotate({ ...SHORT, boxes: sample, onlyNew: earlier, limit: 4 });
  expect(summary).toMatchObject({ finishedNow: 4, remaining: 0 });
});

test("the earlier file is part of the run: --resume refuses another one", async () => {
  const { out } = await runAnnotate({ ...SHORT, boxes: sample, onlyNew: earlier });
  await expect(runAnnotate({ ...SHORT, boxes: sample, out, resume: true, onlyNew: whole })).rejects.toThrow(
    "content of --only-new (sha256)",
  );
  expect(
    (await runAnnotate({ ...SHORT, boxes: sample, out, resume: true, onlyNew: earlier })).summary.finishedNow,
  ).toBe(0);
});

test("shards of a run with --only-new merge to the bytes of the whole", async () => {
  const parts: string[] = [];
  for (const index of [1, 2])
    parts.push((await runAnnotate({ ...SHORT, boxes: sample, onlyNew: earlier, shard: { index, count: 2 } })).out);
  const out = newOut();
  const summary = await mergeRuns({ parts, out, force: false }, memoryHost());
  expect(summary.remaining).toBe(0);
  expect(await annotationsOf(out)).toBe(await annotationsOf(whole));
  await expect(mergeRuns({ parts, out: newOut(), force: false, onlyNew: whole }, memoryHost())).rejects.toThrow(
    "expected the --only-new that the shards were drawn with",
  );
});

describe("refused", () => {
  test.each<{ why: string; make: () => Promise<string>; exitCode: number; message: string }>([
    {
      why: "a file that is not there",
      make: () => Promise.resolve(join(temporaryFolder(), "none.json")),
      exitCode: 66,
      message: "an earlier run's annotations",
    },
    {
      why: "a folder without annotations.json",
      make: () => Promise.resolve(temporaryFolder()),
      exitCode: 66,
      message: "annotations.json",
    },
    {
      why: "no JSON",
      make: () => Promise.resolve(join(IMAGES, "park.jpg")),
      exitCode: 65,
      message: "expected JSON, received a JPEG image",
    },
    {
      why: "a results list",
      make: async () => {
        const file = join(temporaryFolder(), "list.json");
        await writeFile(file, "[]");
        return file;
      },
      exitCode: 65,
      message: "without images and annotations",
    },
  ])("$why", async ({ make, exitCode, message }) => {
    const error = await refusalOf({ ...SHORT, boxes: sample, onlyNew: await make() });
    expect(error.exitCode).toBe(exitCode);
    expect(error.message).toContain(message);
  });

  test("the earlier file in the output folder, which --force would remove", async () => {
    const out = newOut();
    await mkdir(out);
    await cp(join(earlier, "annotations.json"), join(out, "annotations.json"));
    const error = await refusalOf({
      ...SHORT,
      boxes: sample,
      out,
      force: true,
      onlyNew: join(out, "annotations.json"),
    });
    expect(error.message).toContain("received one that holds --only-new");
    const folder = await refusalOf({ ...SHORT, boxes: sample, out, force: true, onlyNew: out });
    expect(folder.exitCode).toBe(2);
    expect(await annotationsOf(out)).toBe(await annotationsOf(earlier));
  });
});
