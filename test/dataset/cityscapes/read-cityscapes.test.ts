/** Cityscapes and CityPersons: which objects are drawn, with which boxes, from folders and single files. */
import { appendFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dataset, Entry, ImageGroup } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { rleArea, rleBounds, unionRle } from "../../../src/geometry/rle.js";
import { toJsonText } from "../../../src/json-text.js";
import { errorOf, folderWith } from "../temporary-folder.js";

async function collect(dataset: Dataset): Promise<ImageGroup[]> {
  const groups: ImageGroup[] = [];
  for await (const group of dataset.groups()) groups.push(group);
  await dataset.close();
  return groups;
}

const square = (left: number, top: number, side: number): number[][] => [
  [left, top],
  [left + side, top],
  [left + side, top + side],
  [left, top + side],
];
const file = (objects: unknown): unknown => ({ imgHeight: 60, imgWidth: 80, objects });
const NAME = "val/ulm/ulm_000000_000019";

/** Entries of one file. */
async function entriesOf(objects: unknown, ending = "gtFine_polygons", size = {}): Promise<readonly Entry[]> {
  const folder = await folderWith({
    [`leftImg8bit/${NAME}_leftImg8bit.png`]: "",
    [`boxes/${NAME}_${ending}.json`]: { ...(file(objects) as object), ...size },
  });
  const dataset = await openDataset({ images: join(folder, "leftImg8bit"), boxes: join(folder, "boxes") });
  const [group] = await collect(dataset);
  expect(dataset.annotationCount).toBe(group!.entries.length);
  expect(group!.entries.map((entry) => (entry.kind === "instance" ? entry.instance.ordinal : entry.ordinal))).toEqual(
    group!.entries.map((_, i) => i),
  );
  return group!.entries;
}

const summary = (entry: Entry): unknown =>
  entry.kind === "instance"
    ? entry.instance.categoryId
    : entry.kind === "skipped"
      ? entry.reason
      : entry.failure.reason;

describe("objects of Cityscapes", () => {
  test("things are drawn, stuff is not even counted, groups, deleted and hidden ones are skipped", async () => {
    const entries = await entriesOf([
      { label: "road", polygon: square(0, 0, 79) },
      { label: "car", polygon: square(10, 10, 9) },
      { label: "person", polygon: square(40, 10, 5) },
      { label: "bicycle", polygon: square(20, 40, 9), deleted: 1 },
      { label: "sky", polygon: square(0, 0, 5), deleted: 1 },
      { label: "cargroup", polygon: square(60, 10, 9) },
      { label: "polegroup", polygon: square(60, 30, 3) },
      { label: "caravan", polygon: square(70, 50, 3) },
      { label: "license plate", polygon: [[1, 1]], deleted: 1 },
      { label: "truck", polygon: square(30, 30, 4) },
      { label: "building", polygon: square(29, 29, 8) },
      { label: "car", polygon: square(0, 50, 4), deleted: 0 },
    ]);
    expect(entries.map(summary)).toEqual([26, 24, "deleted", "group", "hidden", 26]);
  });

  test("the box is that of the visible part, and the visible part is the truth", async () => {
    const [entry] = await entriesOf([
      { label: "car", polygon: square(10, 10, 19) },
      {
        label: "pole",
        polygon: [
          [25, 0],
          [40, 0],
          [40, 59],
          [25, 59],
        ],
      },
      { label: "license plate", polygon: square(12, 12, 2) },
    ]);
    expect(entry).toMatchObject({
      kind: "instance",
      instance: { categoryId: 26, annotationId: 1, box: { left: 10, top: 10, width: 15, height: 20 } },
    });
    if (entry?.kind !== "instance" || entry.instance.truth?.kind !== "rle") throw new Error("no truth");
    const { rle } = entry.instance.truth;
    expect([rle.height, rle.width, rleArea(rle), rleBounds(rle)]).toEqual([60, 80, 300, entry.instance.box]);
  });

  test("a visible part in two pieces stays one instance", async () => {
    const [entry] = await entriesOf([
      {
        label: "bus",
        polygon: [
          [5, 10],
          [50, 10],
          [50, 20],
          [5, 20],
        ],
      },
      {
        label: "traffic sign",
        polygon: [
          [20, 0],
          [30, 0],
          [30, 40],
          [20, 40],
        ],
      },
    ]);
    expect(entry).toMatchObject({ instance: { box: { left: 5, top: 10, width: 46, height: 11 } } });
    if (entry?.kind === "instance" && entry.instance.truth?.kind === "rle")
      expect(rleArea(entry.instance.truth.rle)).toBe((46 - 11) * 11);
  });

  test("numbers of an object and of its file keep their digits", async () => {
    const polygon = "[[1.0,1],[40,1.50],[40,40]]";
    const text = `{"imgHeight": 60, "imgWidth": 80, "session": 9007199254740993,
      "objects": [{"label": "road", "polygon": ${polygon}}, {"label": "car", "track": 1e400, "polygon": ${polygon}}]}`;
    const folder = await folderWith({ [`images/${NAME}.png`]: "", [`${NAME}_gtFine_polygons.json`]: text });
    const [group] = await collect(await openDataset({ images: join(folder, "images"), boxes: join(folder, "val") }));
    expect(toJsonText(group!.image.raw)).toContain('"session":9007199254740993');
    const [car] = group!.entries;
    expect(car?.kind === "instance" && toJsonText(car.instance.raw)).toBe(
      `{"instanceId":26000,"label":"car","track":1e400,"polygon":${polygon}}`,
    );
  });

  test("objects are numbered per class in file order, as the Cityscapes tools do, and otherwise stay as read", async () => {
    const car = { label: "car", polygon: square(1, 1, 3), user: "a", verified: 1 };
    const entries = await entriesOf([
      car,
      { label: "car", polygon: square(10, 1, 3), deleted: 1 },
      { label: "cargroup", polygon: square(20, 1, 3) },
      { label: "person", polygon: square(30, 1, 3) },
      { label: "car", polygon: square(40, 1, 3) },
      { label: "car", polygon: square(50, 1, 3), instanceId: "mine" },
    ]);
    const raws = entries.map((entry) => (entry.kind === "instance" ? entry.instance.raw : entry.raw));
    expect(raws.map(({ instanceId }) => instanceId)).toEqual([26000, undefined, undefined, 24000, 26001, "mine"]);
    expect(raws[0]).toEqual({ ...car, instanceId: 26000 });
  });

  test("a hidden instance keeps its number", async () => {
    const entries = await entriesOf([
      { label: "car", polygon: square(10, 10, 3) },
      { label: "car", polygon: square(9, 9, 6) },
    ]);
    expect(
      entries.map((entry) => [
        summary(entry),
        (entry.kind === "instance" ? entry.instance : (entry as { raw: Record<string, unknown> })).raw["instanceId"],
      ]),
    ).toEqual([
      ["hidden", 26000],
      [26, 26001],
    ]);
  });

  test("a label that is not Cityscapes' is a category of the data set, and its group is a group", async () => {
    const entries = await entriesOf([
      { label: "zebra", polygon: square(0, 0, 3) },
      { label: "zebragroup", polygon: square(4, 0, 3) },
      { label: "car", polygon: square(8, 0, 3) },
      { label: "gnu", polygon: square(12, 0, 3) },
    ]);
    expect(entries.map(summary)).toEqual([34, "group", 26, 36]);
  });

  test.each([
    {
      object: { label: " ", polygon: square(0, 0, 3) },
      reason: "category-unknown",
      says: 'objects[0]: expected a label of Cityscapes, received " "',
    },
    { object: { label: "skygroup", polygon: square(0, 0, 3) }, reason: "category-unknown", says: '"skygroup"' },
    {
      object: { label: "car" },
      reason: "annotation-invalid",
      says: "expected /polygon to be present but received nothing",
    },
    {
      object: {
        label: "car",
        polygon: [
          [1, 2],
          [3, 4],
        ],
      },
      reason: "annotation-invalid",
      says: "expected /polygon to",
    },
    {
      object: {
        label: "road",
        polygon: [
          [1, 2],
          [3, "4"],
          [5, 6],
        ],
      },
      reason: "annotation-invalid",
      says: "/polygon/1/1",
    },
    {
      object: {
        label: "car",
        polygon: [
          [1, 2],
          [3, 4, 5],
          [5, 6],
        ],
      },
      reason: "annotation-invalid",
      says: "/polygon/1",
    },
    {
      object: {
        label: "car",
        polygon: [
          [1, 2],
          [3, 4e7],
          [5, 6],
        ],
      },
      reason: "annotation-invalid",
      says: "/polygon/1/1",
    },
    {
      object: { label: 26, polygon: square(0, 0, 3) },
      reason: "annotation-invalid",
      says: "expected /label to be of type string but received 26",
    },
    { object: { polygon: square(0, 0, 3) }, reason: "annotation-invalid", says: "/label" },
    { object: "car", reason: "annotation-invalid", says: "objects[0]: expected the document to be of type object" },
    { object: null, reason: "annotation-invalid", says: "objects[0]" },
  ])("an object that is not one costs itself: $says", async ({ object, reason, says }) => {
    const entries = await entriesOf([object, { label: "car", polygon: square(20, 20, 5) }]);
    expect(entries.map(summary)).toEqual([reason, 26]);
    expect(entries[0]).toMatchObject({ failure: { message: expect.stringContaining(says) as string } });
  });

  test("an image that is too large to paint fails its instances only", async () => {
    const entries = await entriesOf(
      [
        { label: "car", polygon: square(1, 1, 3) },
        { label: "cargroup", polygon: square(1, 1, 3) },
      ],
      "gtFine_polygons",
      { imgWidth: 60_000, imgHeight: 60_000 },
    );
    expect(entries.map(summary)).toEqual(["image-too-large", "group"]);
  });

  test("an image without things needs no painting", async () => {
    expect(await entriesOf([{ label: "road", polygon: square(1, 1, 3) }])).toEqual([]);
  });
});

describe("objects of CityPersons", () => {
  const person = { label: "pedestrian", instanceId: 24000, bbox: [1, 2, 30, 40], bboxVis: [5, 6, 7, 8] };

  test("the box is bboxVis; regions are skipped as groups", async () => {
    const entries = await entriesOf(
      [
        person,
        { ...person, label: "ignore", bboxVis: [0, 0, 0, 0] },
        { ...person, label: "person group" },
        { ...person, label: "rider" },
        { ...person, label: "sitting person" },
        { ...person, label: "person (other)" },
      ],
      "gtBboxCityPersons",
    );
    expect(entries.map(summary)).toEqual([1, "group", "group", 2, 3, 4]);
    expect(entries[0]).toEqual({
      kind: "instance",
      instance: {
        ordinal: 0,
        annotationId: 1,
        imageId: 1,
        categoryId: 1,
        box: { left: 5, top: 6, width: 7, height: 8 },
        raw: person,
      },
    });
  });

  test.each([
    { object: { ...person, bboxVis: undefined }, reason: "box-invalid", says: "objects[0], bboxVis: expected a box" },
    {
      object: { ...person, bboxVis: [1, 2, 0, 4] },
      reason: "box-empty",
      says: "expected a box width of at least 1 pixel",
    },
    {
      object: { ...person, label: "car" },
      reason: "category-unknown",
      says: 'expected a label among "pedestrian", "rider", "sitting person", "person (other)", received "car"',
    },
    { object: { bboxVis: [1, 2, 3, 4] }, reason: "annotation-invalid", says: "expected /label to be present" },
    { object: 7, reason: "annotation-invalid", says: "expected the document to be of type object but received 7" },
  ])("an object that is not one costs itself: $says", async ({ object, reason, says }) => {
    const entries = await entriesOf([object, person], "gtBboxCityPersons");
    expect(entries.map(summary)).toEqual([reason, 1]);
    expect(entries[0]).toMatchObject({ failure: { message: expect.stringContaining(says) as string } });
  });
});

describe("folders", () => {
  const car = file([{ label: "car", polygon: square(10, 10, 9) }]);

  test("images are paired by name, in the order of the paths, whatever the folders are called", async () => {
    const folder = await folderWith({
      "gtFine/val/ulm/ulm_000000_000019_gtFine_polygons.json": car,
      "gtFine/train/bonn/bonn_000001_000019_gtFine_polygons.json": car,
      "gtFine/train/bonn/bonn_000001_000019_gtFine_color.png": "",
      "gtFine/val/ulm/ulm_000000_000020_gtFine_polygons.json": file([]),
      "leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png": "",
      "leftImg8bit/train/bonn/bonn_000001_000019_leftImg8bit.png": "",
      "gtFine/val/ulm/notes.json": "not JSON",
    });
    const dataset = await openDataset({ images: folder, boxes: folder });
    const groups = await collect(dataset);
    expect(dataset).toMatchObject({
      format: "cityscapes",
      imageCount: 3,
      annotationCount: 2,
      header: {},
      source: folder,
    });
    expect(dataset.categories.map(({ id, name }) => [id, name])).toEqual([
      [24, "person"],
      [25, "rider"],
      [26, "car"],
      [27, "truck"],
      [28, "bus"],
      [31, "train"],
      [32, "motorcycle"],
      [33, "bicycle"],
    ]);
    expect(groups.map(({ image, location }) => [image.id, image.fileName, location.kind])).toEqual([
      [1, "leftImg8bit/train/bonn/bonn_000001_000019_leftImg8bit.png", "file"],
      [2, "leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png", "file"],
      [3, "val/ulm/ulm_000000_000020_leftImg8bit.png", "failed"],
    ]);
    expect(groups[0]!.image).toMatchObject({
      width: 80,
      height: 60,
      raw: { id: 1, width: 80, height: 60, imgWidth: 80, imgHeight: 60 },
    });
    expect(
      groups.flatMap(({ entries }) =>
        entries.map((entry) => entry.kind === "instance" && [entry.instance.annotationId, entry.instance.imageId]),
      ),
    ).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test("a frame that lies in two folders is told apart by split and city", async () => {
    const folder = await folderWith({
      "boxes/gtFine/val/ulm/ulm_1_gtFine_polygons.json": car,
      "images/leftImg8bit/val/ulm/ulm_1_leftImg8bit.png": "",
      "images/leftImg8bit/train/ulm/ulm_1_leftImg8bit.png": "",
      "boxes/gtFine/test/ulm/ulm_1_gtFine_polygons.json": car,
    });
    const groups = await collect(await openDataset({ images: join(folder, "images"), boxes: join(folder, "boxes") }));
    expect(
      groups.map(({ location }) =>
        location.kind === "file" ? location.path.slice(folder.length) : location.failure.reason,
      ),
    ).toEqual(["image-ambiguous", "/images/leftImg8bit/val/ulm/ulm_1_leftImg8bit.png"]);
  });

  test("images of other data sets in this layout may lack the suffix", async () => {
    const folder = await folderWith({ "a_gtFine_polygons.json": car, "a.jpg": "" });
    expect((await collect(await openDataset({ images: folder, boxes: folder })))[0]).toMatchObject({
      image: { fileName: "a.jpg" },
      location: { kind: "file" },
    });
  });

  test("a damaged file among sound ones is one failed annotation", async () => {
    const folder = await folderWith({
      "a_gtFine_polygons.json": '{"imgWidth": 80, "imgHeight": 60, "objects": [',
      "b_gtFine_polygons.json": car,
      "c_gtFine_polygons.json": { imgWidth: 80, objects: [] },
      "a.jpg": "",
      "b.jpg": "",
    });
    const dataset = await openDataset({ images: folder, boxes: folder });
    const groups = await collect(dataset);
    expect(dataset.annotationCount).toBe(3);
    expect(groups.map(({ entries }) => entries.map(summary))).toEqual([
      ["annotation-invalid"],
      [26],
      ["annotation-invalid"],
    ]);
    expect(groups[0]!.entries[0]).toMatchObject({
      annotationId: 1,
      ordinal: 0,
      failure: {
        message: expect.stringContaining("a_gtFine_polygons.json: byte 46 (line 1): expected the value") as string,
      },
    });
    expect(groups[2]!.entries[0]).toMatchObject({
      annotationId: 3,
      ordinal: 2,
      failure: { message: expect.stringContaining("expected /imgHeight to be present but received nothing") as string },
    });
  });

  test("a folder in which no file can be read ends the run", async () => {
    const folder = await folderWith({ "a_gtFine_polygons.json": "{", "b_gtFine_polygons.json": "[]", "a.jpg": "" });
    const error = await errorOf(openDataset({ images: folder, boxes: folder }));
    expect(error).toMatchObject({ exitCode: 65 });
    expect(error.message).toContain("a_gtFine_polygons.json: byte 1");
  });

  test("a file that changes between opening and walking is noticed", async () => {
    const folder = await folderWith({ "a_gtFine_polygons.json": car, "a.jpg": "" });
    const dataset = await openDataset({ images: folder, boxes: folder });
    await appendFile(join(folder, "a_gtFine_polygons.json"), "\n");
    expect((await errorOf(collect(dataset))).message).toContain("expected the file to stay as it was");
  });

  test("linked files are read", async () => {
    const folder = await folderWith({ "elsewhere/x.json": car, "boxes/none.txt": "", "a.jpg": "" });
    await symlink(join(folder, "elsewhere", "x.json"), join(folder, "boxes", "a_gtFine_polygons.json"));
    expect((await openDataset({ images: folder, boxes: join(folder, "boxes") })).annotationCount).toBe(1);
  });

  test("the identity of the input changes with every file", async () => {
    const identity = async (files: Record<string, unknown>): Promise<string> => {
      const folder = await folderWith({ "a.jpg": "", ...files });
      return (await openDataset({ images: folder, boxes: folder })).sha256;
    };
    const all = await Promise.all(
      [
        { "a_gtFine_polygons.json": car },
        { "a_gtFine_polygons.json": file([]) },
        { "b_gtFine_polygons.json": car },
        { "a_gtFine_polygons.json": car, "b_gtFine_polygons.json": "{" },
      ].map(identity),
    );
    expect(new Set(all).size).toBe(4);
    expect(await identity({ "a_gtFine_polygons.json": car })).toBe(all[0]);
  });
});

describe("a single file", () => {
  test.each([
    {
      name: "a_gtFine_polygons.json",
      objects: [{ label: "car", polygon: square(1, 1, 5) }],
      format: "cityscapes",
      count: 1,
    },
    { name: "a.json", objects: [{ label: "car", polygon: square(1, 1, 5) }], format: "cityscapes", count: 1 },
    {
      name: "a.json",
      objects: [null, { label: "pedestrian", bboxVis: [1, 2, 3, 4] }],
      format: "citypersons",
      count: 2,
    },
    { name: "a_gtFine_polygons.json", objects: [], format: "cityscapes", count: 0 },
    { name: "a_gtBboxCityPersons.json", objects: [], format: "citypersons", count: 0 },
  ])("$name is recognized as $format from what it holds", async ({ name, objects, format, count }) => {
    const folder = await folderWith({ [name]: file(objects), "images/a_leftImg8bit.png": "" });
    const dataset = await openDataset({ images: join(folder, "images"), boxes: join(folder, name) });
    expect(dataset).toMatchObject({ format, annotationCount: count });
    expect(await collect(dataset)).toMatchObject([{ location: { kind: "file" } }]);
  });
});

describe("the drawn frames in fixtures/cityscapes", () => {
  const at = (part: string): string => new URL(`../../../fixtures/cityscapes/${part}`, import.meta.url).pathname;

  test("every frame finds its image; things are drawn, the group and the deleted object are skipped", async () => {
    const groups = await collect(await openDataset({ images: at("leftImg8bit"), boxes: at("gtFine") }));
    expect(groups.map(({ location }) => location.kind)).toEqual(["file", "file", "file"]);
    const kinds = groups.flatMap(({ entries }) =>
      entries.map((entry) => (entry.kind === "instance" ? "instance" : summary(entry))),
    );
    expect(kinds.toSorted()).toEqual(["deleted", "group", ...Array<string>(20).fill("instance")]);
  });

  test("no pixel is visible of two instances, and every box is that of its mask", async () => {
    for (const { entries } of await collect(await openDataset({ boxes: at("gtFine") }))) {
      const masks = entries.flatMap((entry) =>
        entry.kind === "instance" && entry.instance.truth?.kind === "rle"
          ? [{ ...entry.instance, rle: entry.instance.truth.rle }]
          : [],
      );
      for (const { rle, box } of masks) expect(rleBounds(rle)).toEqual(box);
      expect(rleArea(unionRle(masks.map(({ rle }) => rle)))).toBe(
        masks.reduce((sum, { rle }) => sum + rleArea(rle), 0),
      );
    }
  });

  test("CityPersons boxes come for the frame that has them", async () => {
    const [group, ...more] = await collect(
      await openDataset({ images: at("leftImg8bit"), boxes: at("gtBboxCityPersons") }),
    );
    expect(more).toEqual([]);
    expect(group!.location.kind).toBe("file");
    expect(group!.entries.map((entry) => entry.kind).toSorted()).toEqual([
      "instance",
      "instance",
      "instance",
      "instance",
      "skipped",
    ]);
  });
});
