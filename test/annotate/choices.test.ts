/** What each option of a run changes, seen in what comes out. */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { simplifyRing } from "../../src/geometry/simplify.js";
import type { Ring } from "../../src/types.js";
import type { Coco, CocoAnnotation, Ran } from "./runs.js";
import { BOXES, FIXTURES, IMAGES, boxesOf, boxesWith, readCoco, readJson, refusalOf, runAnnotate } from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** Two pictures with 30 instances; with people, cars and houses; some truth as polygons, some as masks. */
const FEW = ["street.jpg", "park.jpg"];
let few: string;
let input: Coco;
let straight: Ran;
let drawn: readonly CocoAnnotation[];
beforeAll(async () => {
  few = await boxesOf(FEW);
  input = await readCoco(few);
  straight = await runAnnotate({
    boxes: few,
    formats: ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio"],
    overlays: "auto",
  });
  drawn = (await readCoco(straight.out, "annotations.json")).annotations;
});

function ringOf({ segmentation }: CocoAnnotation): Ring {
  const flat = segmentation[0]!;
  return Array.from({ length: flat.length / 2 }, (_, i) => ({ x: flat[2 * i]!, y: flat[2 * i + 1]! }));
}

/**
 * How far a vertex of one ring is from the nearest of the other, in pixels along an axis. Tools that name pixels get
 * vertices a few pixels further in (geometry/pixel-outline.ts).
 */
function farthestFrom(points: readonly (readonly number[])[], flat: readonly number[]): number {
  const others = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const);
  return Math.max(
    ...points.map(([x, y]) => Math.min(...others.map(([u, v]) => Math.max(Math.abs(x! - u), Math.abs(y! - v))))),
  );
}

describe("--format: all of them in one run", () => {
  test("are written, named in the summary, and nothing half-written stays", async () => {
    expect(straight.summary.written).toEqual([
      "run.json",
      "journal.ndjson",
      "annotations.json",
      "cityscapes/",
      "labelme/",
      "yolo-seg/",
      "label-studio.json",
      "label-studio-config.xml",
      "overlays/",
      "gallery.html",
      "summary.json",
    ]);
    expect(
      (await readdir(straight.out)).map((name) => (straight.summary.written.includes(name) ? name : `${name}/`)).sort(),
    ).toEqual([...straight.summary.written].sort());
    const all = await readdir(straight.out, { recursive: true });
    expect(all.filter((path) => /partial|\.list|lock/.test(path))).toEqual([]);
  });

  test("LabelMe holds the same polygons, and its photographs can be opened from where it lies", async () => {
    for (const { id, file_name } of input.images) {
      const file = join(straight.out, "labelme", file_name.replace(".jpg", ".json"));
      const { shapes, imagePath } = await readJson<{
        shapes: { points: number[][]; label: string }[];
        imagePath: string;
      }>(file);
      const mine = drawn.filter(({ image_id, iscrowd }) => image_id === id && iscrowd === 0);
      expect(shapes).toHaveLength(mine.length);
      shapes.forEach(({ points }, i) => {
        expect(farthestFrom(points, mine[i]!.segmentation[0]!)).toBeLessThanOrEqual(3);
      });
      expect(shapes.map(({ label }) => label)).toEqual(
        mine.map(({ category_id }) => input.categories.find((category) => category.id === category_id)!.name),
      );
      await readFile(join(straight.out, "labelme", imagePath));
    }
  });

  test("YOLO has a line per instance with the same vertices as shares of the image", async () => {
    for (const { id, file_name } of input.images) {
      const lines = (
        await readFile(join(straight.out, "yolo-seg", "labels", file_name.replace(".jpg", ".txt")), "utf8")
      )
        .trimEnd()
        .split("\n");
      const mine = drawn.filter(({ image_id, iscrowd }) => image_id === id && iscrowd === 0);
      expect(lines).toHaveLength(mine.length);
      lines.forEach((line, at) => {
        const [index, ...shares] = line.split(" ").map(Number);
        expect(input.categories[index!]!.id).toBe(mine[at]!.category_id);
        shares.forEach((share, i) => {
          expect(share * (i % 2 === 0 ? 640 : 480)).toBeCloseTo(mine[at]!.segmentation[0]![i]!, 2);
        });
      });
      await readFile(join(straight.out, "yolo-seg", "images", file_name));
    }
  });

  test("Cityscapes and Label Studio have as many polygons, with the same vertices", async () => {
    const tasks = await readJson<
      { data: { file_name: string }; predictions: { result: { value: { points: number[][] } }[] }[] }[]
    >(straight.out, "label-studio.json");
    expect(tasks.map(({ data }) => data.file_name)).toEqual(input.images.map(({ file_name }) => file_name));
    for (const [at, { id, file_name }] of input.images.entries()) {
      const mine = drawn.filter(({ image_id, iscrowd }) => image_id === id && iscrowd === 0);
      const { objects } = await readJson<{ objects: { polygon: number[][]; label: string }[] }>(
        straight.out,
        "cityscapes",
        file_name.replace(".jpg", "_gtFine_polygons.json"),
      );
      const single = objects.filter(({ label }) => !label.endsWith("group"));
      expect(single).toHaveLength(mine.length);
      single.forEach(({ polygon }, i) => {
        expect(farthestFrom(polygon, mine[i]!.segmentation[0]!)).toBeLessThanOrEqual(3);
      });
      const results = tasks[at]!.predictions[0]!.result;
      expect(results).toHaveLength(mine.length);
      results.forEach(({ value }, i) => {
        value.points.forEach(([x, y], vertex) => {
          expect(x! * 6.4).toBeCloseTo(mine[i]!.segmentation[0]![2 * vertex]!, 2);
          expect(y! * 4.8).toBeCloseTo(mine[i]!.segmentation[0]![2 * vertex + 1]!, 2);
        });
      });
    }
  });

  test("overlays show both photographs", async () => {
    expect((await readdir(join(straight.out, "overlays"))).sort()).toEqual([...FEW].sort());
  });
});

describe("--existing", () => {
  /** Every other annotation loses its polygon. */
  const halfDone = (): Promise<string> =>
    boxesWith((coco) => {
      coco.annotations
        .filter(({ iscrowd }) => iscrowd === 0)
        .forEach((annotation, at) => {
          if (at % 2 === 1) annotation.segmentation = [];
        });
    }, few);

  test("keep passes every polygon people made through byte for byte, draws only the rest, and counts both", async () => {
    const boxes = await halfDone();
    const before = await readCoco(boxes);
    const { summary, out } = await runAnnotate({ boxes, existing: "keep" });
    const kept = before.annotations.filter(
      ({ segmentation, iscrowd }) => iscrowd === 0 && (!Array.isArray(segmentation) || segmentation.length > 0),
    );
    const asked = before.annotations.filter(({ iscrowd }) => iscrowd === 0).length - kept.length;
    expect(kept.length).toBeGreaterThan(5);
    expect(summary).toMatchObject({ done: asked, failed: 0, skippedByReason: { kept: kept.length } });
    const after = new Map(
      (await readCoco(out, "annotations.json")).annotations.map((annotation) => [annotation.id, annotation]),
    );
    for (const annotation of before.annotations) {
      if (kept.includes(annotation) || annotation["iscrowd"] === 1)
        expect(JSON.stringify(after.get(annotation.id))).toBe(JSON.stringify(annotation));
      else
        expect(after.get(annotation.id)!.segmentation).toEqual(
          drawn.find(({ id }) => id === annotation.id)!.segmentation,
        );
    }
  });

  test("predict draws every box, whether or not it has a polygon", async () => {
    const { summary, out } = await runAnnotate({ boxes: await halfDone(), existing: "predict" });
    expect(summary.skippedByReason["kept"]).toBeUndefined();
    expect((await readCoco(out, "annotations.json")).annotations.map(({ segmentation }) => segmentation)).toEqual(
      drawn.map(({ segmentation }) => segmentation),
    );
  });

  test("keep with nothing left to draw is a success that says so in its counts", async () => {
    const { summary, out } = await runAnnotate({ boxes: few, existing: "keep" });
    expect(summary).toMatchObject({ done: 0, failed: 0, remaining: 0, stopped: false });
    expect((await readCoco(out, "annotations.json")).annotations).toEqual(input.annotations);
  });
});

describe("--categories", () => {
  test.each([{ categories: ["car", "18"] }, { categories: ["18", "3", "car"] }])(
    "$categories draws these and passes the others through",
    async ({ categories }) => {
      const { summary, out } = await runAnnotate({ boxes: few, categories });
      const wanted = input.annotations.filter(
        ({ category_id, iscrowd }) => [3, 18].includes(category_id) && iscrowd === 0,
      );
      expect(summary.done + summary.failed).toBe(wanted.length);
      expect(summary.skippedByReason["category"]).toBe(
        input.annotations.filter(({ iscrowd }) => iscrowd === 0).length - wanted.length,
      );
      for (const annotation of (await readCoco(out, "annotations.json")).annotations) {
        const other = [3, 18].includes(annotation.category_id) ? drawn : input.annotations;
        expect(annotation.segmentation).toEqual(other.find(({ id }) => id === annotation.id)!.segmentation);
      }
    },
  );

  test.each([
    { word: "carr", hint: 'Did you mean "car"?' },
    { word: "zzzzzzzz", hint: 'The data set has "person", "car", "bus"' },
  ])("$word is refused: $hint", async ({ word, hint }) => {
    const refusal = await refusalOf({ boxes: few, categories: ["car", word] });
    expect(refusal).toMatchObject({ exitCode: 2 });
    expect(refusal.message).toBe(`--categories: expected a name or an id of the data set, received "${word}"`);
    expect(refusal.hint).toContain(hint);
  });
});

describe("--limit", () => {
  test("draws that many instances in input order; what lies beyond is not written as if it were nothing", async () => {
    const { summary, out } = await runAnnotate({ boxes: few, limit: 3, formats: ["coco", "labelme"], overlays: "all" });
    expect(summary).toMatchObject({ done: 3, remaining: 0, stopped: false });
    const instances = input.annotations.filter(({ iscrowd }) => iscrowd === 0);
    const output = await readCoco(out, "annotations.json");
    expect(output.annotations.filter(({ iscrowd }) => iscrowd === 0).map(({ id }) => id)).toEqual(
      instances.slice(0, 3).map(({ id }) => id),
    );
    expect(await readdir(join(out, "labelme"))).toEqual(["street.json"]);
    expect(await readdir(join(out, "overlays"))).toEqual(["street.jpg"]);
  });

  test("beyond the number of instances changes nothing", async () => {
    const { out } = await runAnnotate({ boxes: few, limit: 1_000_000 });
    expect(await readFile(join(out, "annotations.json"), "utf8")).toBe(
      await readFile(join(straight.out, "annotations.json"), "utf8"),
    );
  });
});

test("--min-score leaves out polygons whose written score is below it and counts them; the others are as they were", async () => {
  const scores = drawn
    .flatMap(({ polyrnn_score }) => (typeof polyrnn_score === "number" ? [polyrnn_score] : []))
    .sort((a, b) => a - b);
  const minScore = scores[Math.floor(scores.length / 2)]!;
  const { summary, out } = await runAnnotate({ boxes: few, minScore, formats: ["coco", "yolo-seg"] });
  const below = scores.filter((score) => score < minScore).length;
  expect(below).toBeGreaterThan(3);
  expect(summary).toMatchObject({ done: scores.length - below, skippedByReason: { "score-below-minimum": below } });
  const output = (await readCoco(out, "annotations.json")).annotations;
  expect(output).toEqual(
    drawn.filter(({ polyrnn_score, iscrowd }) => iscrowd === 1 || (polyrnn_score as number) >= minScore),
  );
});

test("--simplify drops vertices by Douglas-Peucker in image pixels, and never moves one", async () => {
  const { out } = await runAnnotate({ boxes: few, simplify: 6 });
  const simple = (await readCoco(out, "annotations.json")).annotations.filter(({ iscrowd }) => iscrowd === 0);
  const plain = drawn.filter(({ iscrowd }) => iscrowd === 0);
  simple.forEach((annotation, at) => {
    expect(ringOf(annotation)).toEqual(simplifyRing(ringOf(plain[at]!), 6));
  });
  const count = (annotations: readonly CocoAnnotation[]): number =>
    annotations.reduce((sum, { segmentation }) => sum + segmentation[0]!.length, 0);
  expect(count(simple)).toBeLessThan(count(plain));
});

test("--context widens the crop: another margin, other polygons", async () => {
  const { out } = await runAnnotate({ boxes: few, context: 0.4 });
  expect(await readJson(out, "run.json")).toMatchObject({ options: { context: 0.4 } });
  expect((await readCoco(out, "annotations.json")).annotations).not.toEqual(drawn);
});

test("--batch-size changes no polygon", async () => {
  const { summary, out } = await runAnnotate({ boxes: few, batchSize: 5 });
  expect(summary.batchSize).toBe(5);
  expect(await readFile(join(out, "annotations.json"), "utf8")).toBe(
    await readFile(join(straight.out, "annotations.json"), "utf8"),
  );
});

describe("--out -", () => {
  test("streams the annotations of annotations.json, one per line, and writes nothing", async () => {
    const { summary, host } = await runAnnotate({ boxes: few, out: "-" });
    expect(host.lines.map((line) => JSON.parse(line) as unknown)).toEqual(drawn.filter(({ iscrowd }) => iscrowd === 0));
    expect(summary).toMatchObject({
      out: "-",
      written: [],
      done: straight.summary.done,
      failed: straight.summary.failed,
      skipped: straight.summary.skipped,
    });
  });

  test("with --existing keep also has the polygons people made, as they were", async () => {
    const { summary, host } = await runAnnotate({ boxes: few, out: "-", existing: "keep" });
    expect(host.lines).toEqual(
      input.annotations.filter(({ iscrowd }) => iscrowd === 0).map((annotation) => JSON.stringify(annotation)),
    );
    expect(summary.skippedByReason["kept"]).toBe(host.lines.length);
  });

  test("failures are told to the host and counted, and leave no line", async () => {
    const boxes = await boxesWith((coco) => {
      coco.annotations[0]!.bbox = [0, 0, 0, 5];
      coco.annotations[1]!.image_id = 404;
    }, few);
    const { summary, host } = await runAnnotate({ boxes, out: "-" });
    expect(summary.failedByReason).toMatchObject({ "box-empty": 1, "image-unknown": 1 });
    expect(host.failures.map(({ annotationId }) => annotationId).sort()).toEqual(
      input.annotations
        .slice(0, 2)
        .map(({ id }) => id)
        .sort(),
    );
    expect(host.lines).toHaveLength(summary.done);
  });
});

describe("--overlays", () => {
  /** A data set of one picture under many names; every third image has no boxes. */
  const many = async (count: number): Promise<{ images: string; boxes: string; names: string[] }> => {
    const images = temporaryFolder();
    const tissue = await readFile(join(IMAGES, "tissue.jpg"));
    const names = Array.from({ length: count }, (_, i) => `frame-${String(i).padStart(3, "0")}.jpg`);
    await Promise.all(names.map((name) => writeFile(join(images, name), tissue)));
    const boxes = await boxesWith((coco) => {
      const [annotation] = coco.annotations;
      coco.images = names.map((file_name, id) => ({ id, file_name, width: 640, height: 480 }));
      coco.annotations = coco.images
        .filter(({ id }) => id % 3 !== 2)
        .map(({ id }) => ({ ...annotation!, id, image_id: id }));
    }, BOXES);
    return { images, boxes, names };
  };

  test("auto shows 50 of more than 50 images with boxes, spread evenly; none of an image without boxes", async () => {
    const { images, boxes, names } = await many(108); // 72 with boxes.
    const { summary, out } = await runAnnotate({ images, boxes, overlays: "auto", maxSteps: 3, candidates: 1 });
    const shown = (await readdir(join(out, "overlays"))).map((name) => basename(name)).sort();
    expect(summary.images).toBe(108);
    expect(shown).toHaveLength(50);
    const withBoxes = names.filter((_, i) => i % 3 !== 2);
    const places = shown.map((name) => withBoxes.indexOf(name));
    expect(places).not.toContain(-1);
    const gaps = places.slice(1).map((place, i) => place - places[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2);
    expect(places.at(-1)).toBe(71);
  });

  test("none writes no folder", async () => {
    const { summary, out } = await runAnnotate({ boxes: few, limit: 1 });
    expect(summary.written).not.toContain("overlays/");
    expect(await readdir(out)).not.toContain("overlays");
  });
});

describe("what a run wrote can be read again", () => {
  test("COCO with --existing keep comes out byte for byte, with predict draws the same again", async () => {
    const boxes = join(straight.out, "annotations.json");
    const text = await readFile(boxes, "utf8");
    for (const existing of ["keep", "predict"] as const) {
      const { out } = await runAnnotate({ boxes, existing });
      expect(await readFile(join(out, "annotations.json"), "utf8")).toBe(text);
    }
  });

  test("Cityscapes with --existing keep comes out with the same objects: labels, polygons, groups and deleted ones", async () => {
    const images = join(FIXTURES, "cityscapes", "leftImg8bit");
    const first = await runAnnotate({
      images,
      boxes: join(FIXTURES, "cityscapes", "gtFine"),
      formats: ["cityscapes"],
      existing: "keep",
    });
    expect(first.summary).toMatchObject({ done: 0, skippedByReason: { kept: 20, group: 1, deleted: 1 } });
    const again = await runAnnotate({
      images,
      boxes: join(first.out, "cityscapes"),
      formats: ["cityscapes"],
      existing: "keep",
    });
    const name = join("val", "fernhill", "fernhill_000000_000019_gtFine_polygons.json");
    interface Document {
      objects: { label: string; polygon: number[][] }[];
    }
    const [source, one, two] = await Promise.all([
      readJson<Document>(FIXTURES, "cityscapes", "gtFine", name),
      readJson<Document>(first.out, "cityscapes", name),
      readJson<Document>(again.out, "cityscapes", name),
    ]);
    expect(one.objects).toMatchObject(source.objects.filter(({ label }) => /^(person|car)/.test(label)));
    expect(two).toEqual(one);
  });
});
