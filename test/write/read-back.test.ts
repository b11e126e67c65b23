/**
 * What each writer writes, this program's readers read: with which labels, outlines and fields. The table here is the
 * one of docs/formats.md, "Round trips".
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { readImageSize } from "../../src/crop/open-image.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { iouOfRles, rasterizeTruth } from "../../src/geometry/iou.js";
import { rasterizePolygon } from "../../src/geometry/rasterize.js";
import type { ImageRecord, Instance, JsonObject, Polygon, Rle } from "../../src/types.js";
import { openWriters } from "../../src/write/open-writers.js";
import type { OutputFormat } from "../../src/write/writer.js";
import { contextOf, done, instanceOf, rejected, resultOf, TRIANGLE } from "./results.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const [WIDTH, HEIGHT] = [100, 80];
const ATTRIBUTES = { color: "red & white", checked: true, occluded: true, z_order: 3, group_id: 7, age: 4 };
const TAGS = [{ label: "day", weather: "dry" }];
const SQUARES = [
  [5, 50, 25, 50, 25, 70, 5, 70],
  [70, 50, 90, 50, 90, 70, 70, 70],
];
const KEPT: JsonObject = { id: 101, image_id: 1, category_id: 17, bbox: [5, 50, 85, 20], segmentation: SQUARES };
const CROWD: JsonObject = {
  id: 102,
  image_id: 1,
  category_id: 3,
  bbox: [0, 0, 9, 9],
  iscrowd: 1,
  segmentation: SQUARES,
};
const ringOf = (flat: readonly number[]): Polygon[number] =>
  Array.from({ length: flat.length / 2 }, (_, i) => ({ x: flat[2 * i]!, y: flat[2 * i + 1]! }));

const root = temporaryFolder();
const images = join(root, "photos");
const out = join(root, "out");

interface Back {
  readonly entries: readonly { readonly label: string; readonly mask: Rle; readonly instance: Instance }[];
  readonly images: readonly ImageRecord[];
}

async function readBack(path: string, folder = out): Promise<Back> {
  const dataset = await openDataset({ images, boxes: join(folder, path), imageSize: readImageSize });
  const names = new Map(dataset.categories.map(({ id, name }) => [id, name]));
  const entries: Back["entries"][number][] = [];
  const records: ImageRecord[] = [];
  for await (const group of dataset.groups()) {
    expect(group.location.kind).toBe("file");
    records.push(group.image);
    for (const entry of group.entries) {
      if (entry.kind === "skipped") continue;
      if (entry.kind === "failed") throw new Error(entry.failure.message);
      const { instance } = entry;
      const mask = rasterizeTruth(instance.truth!, HEIGHT, WIDTH);
      entries.push({ label: names.get(instance.categoryId)!, mask, instance });
    }
  }
  await dataset.close();
  return { entries, images: records };
}

const ALL: readonly OutputFormat[] = ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio", "cvat"];

beforeAll(async () => {
  await mkdir(join(images, "day"), { recursive: true });
  await mkdir(out);
  const blank = sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: "#888" } });
  for (const name of ["street.jpg", "day/empty.jpg"]) await blank.clone().toFile(join(images, name));
  const writer = await openWriters(ALL, contextOf(out, { images }));
  const fileName = "street.jpg";
  const street = {
    fileName,
    raw: { id: 1, file_name: fileName, width: WIDTH, height: HEIGHT, tags: TAGS, flags: { wet: true } },
  };
  await writer.image(
    resultOf(
      [
        done(instanceOf(0, { raw: { attributes: ATTRIBUTES } })),
        rejected(KEPT, { ordinal: 1, annotationId: 101, status: "skipped", reason: "kept" }),
        rejected(CROWD, { ordinal: 2, annotationId: 102, status: "skipped", reason: "crowd" }),
      ],
      { ...street, path: join(images, fileName) },
    ),
  );
  const name = "day/empty.jpg";
  const image = { id: 2, fileName: name, raw: { id: 2, file_name: name, width: WIDTH, height: HEIGHT } };
  await writer.image(resultOf([], { image, path: join(images, name), isEmpty: true }));
  await writer.finish();
});

const whole = [TRIANGLE];
const parts = SQUARES.map(ringOf);

interface Row {
  readonly format: OutputFormat;
  /** Passed as --boxes. */
  readonly path: string;
  /** Outlines as they come back. */
  readonly outlines: readonly Polygon[];
  /** IoU of each with what was written, at least. */
  readonly least: number;
  /** `attributes` of the first. */
  readonly attributes: JsonObject | undefined;
  readonly hasIds: boolean;
  readonly score: unknown;
  readonly tags?: unknown;
  readonly flags?: unknown;
}

const ROWS: readonly Row[] = [
  {
    format: "coco",
    path: "annotations.json",
    outlines: [whole, parts],
    least: 0.99,
    attributes: ATTRIBUTES,
    hasIds: true,
    score: 0.8125,
    tags: TAGS,
    flags: { wet: true },
  },
  {
    format: "cvat",
    path: "cvat.xml",
    outlines: [whole, parts],
    least: 0.99,
    attributes: { ...ATTRIBUTES, checked: "true", age: "4", polyrnn_score: "0.8125", polyrnn_valid: "true" },
    hasIds: false,
    score: "0.8125",
    tags: TAGS,
  },
  {
    format: "labelme",
    path: "labelme",
    outlines: [whole, parts],
    // LabelMe counts the outline in: vertices lie up to a pixel further in.
    least: 0.85,
    attributes: { checked: true, occluded: true, group_id: 7, description: "score 0.8125" },
    hasIds: false,
    score: "score 0.8125",
    flags: { wet: true },
  },
  {
    format: "label-studio",
    path: "label-studio.json",
    outlines: [whole, parts],
    least: 0.99,
    attributes: { result_id: "polyrnn-0" },
    hasIds: false,
    score: 0.8125,
  },
  {
    format: "yolo-seg",
    path: "yolo-seg",
    outlines: [whole, parts],
    least: 0.99,
    attributes: undefined,
    hasIds: false,
    score: undefined,
  },
];

describe.each(ROWS)("$format", (row) => {
  let back: Back;
  beforeAll(async () => {
    back = await readBack(row.path);
  });

  test("comes back with its labels and outlines; parts where it has no other way to say them", () => {
    expect(back.entries.map(({ label }) => label)).toEqual(row.outlines.map((_, i) => (i === 0 ? "car" : "person")));
    back.entries.forEach(({ mask }, i) => {
      expect(iouOfRles(mask, rasterizePolygon(row.outlines[i]!, HEIGHT, WIDTH))).toBeGreaterThan(row.least);
    });
  });

  test("comes back with the ids, scores and attributes that it holds", () => {
    const { annotationId, raw } = back.entries[0]!.instance;
    expect(annotationId).toBe(row.hasIds ? 100 : 1);
    expect(raw["attributes"]).toEqual(row.attributes);
    const attributes = (raw["attributes"] ?? {}) as JsonObject;
    expect(raw["polyrnn_score"] ?? raw["score"] ?? attributes["polyrnn_score"] ?? attributes["description"]).toBe(
      row.score,
    );
  });

  test("comes back with both images, and with what is said of the first", () => {
    expect(back.images.map(({ fileName }) => fileName).sort()).toEqual(["day/empty.jpg", "street.jpg"]);
    const { tags, flags } = back.images.find(({ fileName }) => fileName === "street.jpg")!.raw;
    expect({ tags, flags }).toEqual({ tags: row.tags, flags: row.flags });
  });
});

test("the parts of one polygon are one annotation again, in a group that no other annotation of the image is in", async () => {
  for (const path of ["cvat.xml", "labelme"]) {
    const { entries } = await readBack(path);
    expect(entries.map(({ instance }) => instance.truth?.kind === "polygon" && instance.truth.polygon.length)).toEqual([
      1, 2,
    ]);
    const groups = entries.map(({ instance }) => (instance.raw["attributes"] as JsonObject)["group_id"]);
    expect(groups[0]).toBe(7);
    expect(groups[1]).not.toBe(7);
  }
});

test.each(["cvat", "labelme"] as const)(
  "%s: what was read from a file is written with the same groups",
  async (format) => {
    const again = join(root, `again-${format}`);
    await mkdir(again);
    const path = format === "cvat" ? "cvat.xml" : "labelme";
    const dataset = await openDataset({ images, boxes: join(out, path), imageSize: readImageSize });
    const writer = await openWriters([format], { ...contextOf(again, { images }), categories: dataset.categories });
    for await (const { image, entries } of dataset.groups()) {
      const items = entries.flatMap(
        (entry) =>
      entry.kind === "instance" ? [rejected(entry.instance.raw, { ordinal: entry.instance.ordinal, status: "skipped", reason: "kept" })] : [], // prettier-ignore
      );
      await writer.image(resultOf(items, { image, path: join(images, image.fileName), isEmpty: items.length === 0 }));
    }
    await writer.finish();
    await dataset.close();
    const groupsIn = (back: Back): unknown[] =>
      back.entries.map(({ instance }) => (instance.raw["attributes"] as JsonObject)["group_id"]);
    expect(groupsIn(await readBack(path, again))).toEqual(groupsIn(await readBack(path)));
  },
);
