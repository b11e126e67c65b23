/** Real images and box files through the whole path: every input format, and what comes out of each. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { isValidRing } from "../../src/geometry/valid-ring.js";
import type { CocoAnnotation, Ran } from "./runs.js";
import { BOXES, FIXTURES, IMAGES, boxesWith, journalOf, readCoco, readJson, runAnnotate } from "./runs.js";
import { schemaProblems } from "../helpers/schemas.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const CITYSCAPES = join(FIXTURES, "cityscapes");

/** The sample, drawn once. */
let straight: Ran;
beforeAll(async () => {
  straight = await runAnnotate();
});

function isRing(ring: readonly number[], width: number, height: number): boolean {
  return (
    ring.length >= 6 &&
    ring.length % 2 === 0 &&
    ring.every((value, at) => value >= 0 && value <= (at % 2 === 0 ? width : height))
  );
}

test("what a run writes fits the schemas of the package", () => {
  const { checked, problems } = schemaProblems(straight.out);
  expect(problems).toEqual([]);
  expect(checked).toBe(2 + 1 + 88); // run.json, summary.json, and the journal with its header
});

describe("COCO", () => {
  test("every annotation comes out with what it came with, and a polygon inside its image", async () => {
    const { summary, host, out } = straight;
    const [input, output] = [await readCoco(BOXES), await readCoco(out, "annotations.json")];
    expect(summary).toMatchObject({
      images: 12,
      annotations: 89,
      done: 88,
      failed: 0,
      skipped: 1,
      skippedByReason: { crowd: 1 },
      remaining: 0,
      stopped: false,
    });
    expect({ ...output, annotations: [] }).toEqual({ ...input, annotations: [] });
    const failed = new Set<unknown>(summary.failures.map(({ annotationId }) => annotationId));
    expect(output.annotations.map(({ id }) => id).sort()).toEqual(
      input.annotations
        .map(({ id }) => id)
        .filter((id) => !failed.has(id))
        .sort(),
    );

    let invalid = 0;
    for (const annotation of output.annotations) {
      const { segmentation, area, score, polyrnn_score, polyrnn_valid, ...rest } = annotation;
      const read = input.annotations.find(({ id }) => id === annotation.id)!;
      if (read["iscrowd"] === 1) {
        expect(annotation).toEqual(read);
        continue;
      }
      expect({ ...rest, segmentation: read.segmentation, area: read["area"] }).toEqual(read);
      const image = input.images.find(({ id }) => id === annotation.image_id)!;
      expect(segmentation).toHaveLength(1);
      expect(isRing(segmentation[0]!, image.width, image.height), JSON.stringify(segmentation)).toBe(true);
      const flat = segmentation[0]!;
      const ring = Array.from({ length: flat.length / 2 }, (_, i) => ({ x: flat[2 * i]!, y: flat[2 * i + 1]! }));
      expect(polyrnn_valid).toBe(isValidRing(ring) ? undefined : false);
      if (polyrnn_valid === false) invalid++;
      expect(area).toBeGreaterThanOrEqual(0);
      expect(score).toBe(polyrnn_score);
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
    }
    expect(summary.invalid).toBe(invalid);
    expect(host.lines).toEqual([]);
    expect(host.progressed[0]).toEqual({ finished: 0, total: 88, failed: 0, finishedNow: 0, written: 0 });
    expect(host.progressed.at(-1)).toEqual({ finished: 88, total: 88, failed: 0, finishedNow: 88, written: 1 });
    expect(host.failures).toEqual(summary.failures);
  });

  test("the run folder says what was run: enough to repeat it", async () => {
    const { summary, out } = await runAnnotate({ limit: 5, batchSize: 2, simplify: 1.5 });
    expect(await readJson(out, "run.json")).toMatchObject({
      version: 1,
      type: "run",
      inputs: {
        images: IMAGES,
        boxes: BOXES,
        format: "coco",
        imageCount: 12,
        annotationCount: 89,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
      model: { name: "tiny-random", hash: summary.modelHash },
      engine: { name: "onnxruntime", device: "cpu" },
      options: { batchSize: 2, context: 0.15, limit: 5, simplify: 1.5, maxSteps: 12, existing: "predict" },
    });
    expect(await readJson(out, "summary.json")).toEqual(summary);
    const { secondsPerStage } = summary;
    expect(Object.keys(secondsPerStage).sort()).toEqual(["crop", "decode", "encode", "steps", "write"]);
    expect(Math.min(...Object.values(secondsPerStage))).toBeGreaterThanOrEqual(0);
  });

  test("the journal has one line per instance that was asked for, in input order, with ids and scores", async () => {
    const outcomes = await journalOf(straight.out);
    expect(outcomes.map(({ ordinal }) => ordinal)).toEqual(
      (await readCoco(BOXES)).annotations.flatMap(({ iscrowd }, ordinal) => (iscrowd === 1 ? [] : [ordinal])),
    );
    const input = await readCoco(BOXES);
    for (const { ordinal, annotationId, imageId } of outcomes) {
      expect({ annotationId, imageId }).toEqual({
        annotationId: input.annotations[ordinal]!.id,
        imageId: input.annotations[ordinal]!.image_id,
      });
    }
  });

  test("ids may be text, and images may come without a size", async () => {
    const boxes = await boxesWith((coco) => {
      coco.images = coco.images.slice(0, 2).map(({ id, file_name }) => ({ id: `i-${id}`, file_name }) as never);
      coco.annotations = coco.annotations
        .filter(({ image_id }) => coco.images.some(({ id }) => String(id) === `i-${image_id}`))
        .map(
          (annotation) => ({ ...annotation, id: `a-${annotation.id}`, image_id: `i-${annotation.image_id}` }) as never,
        );
    });
    const { summary, out } = await runAnnotate({ boxes });
    const [input, output] = [await readCoco(boxes), await readCoco(out, "annotations.json")];
    expect(summary.failed).toBe(0);
    expect(output.images).toEqual(input.images.map((image) => ({ ...image, width: 640, height: 480 })));
    expect(output.annotations.map(({ id, image_id }) => ({ id, image_id }))).toEqual(
      input.annotations.map(({ id, image_id }) => ({ id, image_id })),
    );
  });
});

describe("a COCO results list", () => {
  const byBox = (annotations: readonly CocoAnnotation[]): Map<string, number[][]> =>
    new Map(annotations.map(({ bbox, segmentation }) => [bbox.join(), segmentation]));

  test("with --dataset has that file's images and categories, the detector's scores, and the polygons the same boxes get from COCO", async () => {
    const coco = await readCoco(BOXES);
    const instances = coco.annotations.filter(({ iscrowd }) => iscrowd === 0);
    const boxes = join(temporaryFolder(), "detections.json");
    const detections = instances.map(({ image_id, category_id, bbox }, at) => ({
      image_id,
      category_id,
      bbox,
      score: (at + 1) / 100,
      tracker: `t${at}`,
    }));
    await writeFile(boxes, JSON.stringify(detections));
    const { summary, out } = await runAnnotate({ boxes, dataset: BOXES });
    const output = await readCoco(out, "annotations.json");
    expect(summary).toMatchObject({ images: 12, annotations: 88, done: 88, failed: 0 });
    expect(output.images).toEqual(coco.images);
    expect(output.categories).toEqual(coco.categories);
    expect(byBox(output.annotations)).toEqual(
      byBox((await readCoco(straight.out, "annotations.json")).annotations.filter(({ iscrowd }) => iscrowd === 0)),
    );
    for (const annotation of output.annotations) {
      expect(annotation).toMatchObject(detections[annotation.id - 1]!); // Ids count from 1: a list has none.
      expect(annotation["polyrnn_score"]).not.toBe(annotation["score"]);
    }
  });

  test("without --dataset takes image ids for file names, and numbers the categories", async () => {
    const folder = temporaryFolder();
    const box = { category_id: 3, bbox: [100, 100, 200, 150], score: 0.5 };
    await writeFile(
      join(folder, "detections.json"),
      JSON.stringify([
        { ...box, image_id: "street" },
        { ...box, image_id: "park.jpg" },
        { ...box, image_id: "nowhere" },
        { ...box, image_id: "street", category_id: 7 },
      ]),
    );
    const { summary, out } = await runAnnotate({ boxes: join(folder, "detections.json") });
    const output = await readCoco(out, "annotations.json");
    expect(summary).toMatchObject({ images: 3, done: 3, failedByReason: { "image-missing": 1 } });
    expect(output.images).toEqual([
      { id: "street", file_name: "street.jpg", width: 640, height: 480 },
      { id: "park.jpg", file_name: "park.jpg", width: 640, height: 480 },
      { id: "nowhere", file_name: "nowhere" },
    ]);
    expect(output.categories).toEqual([
      { id: 3, name: "category 3" },
      { id: 7, name: "category 7" },
    ]);
    expect(output.annotations.map(({ id, image_id }) => [id, image_id])).toEqual([
      [1, "street"],
      [4, "street"],
      [2, "park.jpg"],
    ]);
  });
});

describe("Cityscapes", () => {
  test("a folder of polygon files: things are drawn from their visible boxes, groups, deleted and stuff are not", async () => {
    const { summary, out } = await runAnnotate({
      images: join(CITYSCAPES, "leftImg8bit"),
      boxes: join(CITYSCAPES, "gtFine"),
      formats: ["coco", "cityscapes"],
    });
    expect(summary).toMatchObject({ images: 3, skippedByReason: { group: 1, deleted: 1 } });
    expect(summary.done + summary.failed + summary.skipped).toBe(summary.annotations);
    expect(summary.done).toBeGreaterThan(15);
    const coco = await readCoco(out, "annotations.json");
    expect(coco.images.map(({ file_name, width, height }) => [file_name, width, height])).toEqual([
      ["val/fernhill/fernhill_000000_000019_leftImg8bit.png", 512, 256],
      ["val/fernhill/fernhill_000000_000039_leftImg8bit.png", 512, 256],
      ["val/oldharbor/oldharbor_000003_000059_leftImg8bit.png", 512, 256],
    ]);
    for (const { segmentation } of coco.annotations)
      for (const ring of segmentation) expect(isRing(ring, 512, 256)).toBe(true);
    const document = await readJson<{ imgWidth: number; objects: { label: string; deleted?: number }[] }>(
      out,
      "cityscapes",
      "val",
      "fernhill",
      "fernhill_000000_000039_gtFine_polygons.json",
    );
    expect(document.imgWidth).toBe(512);
    expect(document.objects.map(({ label, deleted }) => `${label}${deleted === 1 ? " (deleted)" : ""}`)).toEqual([
      "bus",
      "person",
      "person",
      "person",
      "car",
      "car",
      "person",
      "car (deleted)",
    ]);
  });

  test("CityPersons boxes: people are drawn from the visible part, ignored regions are not", async () => {
    const { summary, out } = await runAnnotate({
      images: join(CITYSCAPES, "leftImg8bit"),
      boxes: join(CITYSCAPES, "gtBboxCityPersons"),
    });
    expect(summary).toMatchObject({ images: 1, annotations: 5, skippedByReason: { group: 1 } });
    expect(summary.done + summary.failed).toBe(4);
    const { objects } = await readJson<{ objects: { bbox: number[]; bboxVis: number[]; instanceId: number }[] }>(
      CITYSCAPES,
      "gtBboxCityPersons",
      "val",
      "oldharbor",
      "oldharbor_000003_000059_gtBboxCityPersons.json",
    );
    for (const annotation of (await readCoco(out, "annotations.json")).annotations) {
      const read = objects[annotation.id - 1]!;
      expect(annotation).toMatchObject({ bboxVis: read.bboxVis, instanceId: read.instanceId });
      const xs = annotation.segmentation[0]!.filter((_, at) => at % 2 === 0);
      const [left, , width, height] = read.bboxVis as [number, number, number, number];
      const side = (Math.max(width, height) * 1.15) / 2 + 1;
      expect(Math.min(...xs)).toBeGreaterThanOrEqual(Math.max(0, left + width / 2 - side));
      expect(Math.max(...xs)).toBeLessThanOrEqual(Math.min(512, left + width / 2 + side));
    }
  });

  test("one polygon file by its name", async () => {
    const name = join("val", "oldharbor", "oldharbor_000003_000059_gtFine_polygons.json");
    const { summary } = await runAnnotate({
      images: join(CITYSCAPES, "leftImg8bit"),
      boxes: join(CITYSCAPES, "gtFine", name),
    });
    expect(summary).toMatchObject({ images: 1, failedByReason: {} });
  });
});
