/**
 * One bad image or box never ends a run: all others are drawn, the bad one is recorded with its id, its reason and a
 * sentence that says where, what was expected, what was received and what to do next, and the exit code is 1.
 */
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import type { FailReason } from "../../src/types.js";
import type { Place } from "./bad-input.js";
import { annotatePlace, half, newPlace, oneMore, promisingPng } from "./bad-input.js";
import type { Coco } from "./runs.js";
import { schemaProblems } from "../helpers/schemas.js";
import { hashesOf, journalOf, readCoco, readJson } from "./runs.js";

interface Case {
  readonly why: string;
  /**
   * Makes the place bad. @returns ids of the annotations that are to fail; a text in place of the box file's JSON where
   * that cannot say it
   */
  readonly make: (
    place: Place,
    add: (id: number, fields: Parameters<typeof oneMore>[2]) => void,
  ) => Promise<unknown> | string | undefined;
  readonly reason: FailReason;
  /** In this order in the message; FOLDER stands for the place's folder. */
  readonly says: readonly string[];
}

/** The id of what goes wrong. */
const BAD = 7001;
const GOOD_BOX = [10, 10, 50, 40];

/** A box given as text, for what JSON.stringify cannot write. */
function boxAsText(text: string): Case["make"] {
  return ({ coco }, add) => {
    add(BAD, { bbox: "(box)" });
    return JSON.stringify(coco).replace('"(box)"', text);
  };
}
const box =
  (...bbox: unknown[]): Case["make"] =>
  (_, add) => {
    add(BAD, { bbox: bbox as never });
    return undefined;
  };

/** An image of its own with one good box on it. */
function image(
  file_name: string,
  prepare?: (place: Place, path: string) => Promise<unknown>,
  size: { width?: number; height?: number } = {},
): Case["make"] {
  return async (place, add) => {
    place.coco.images.push({ id: 9, file_name, ...size } as never);
    add(BAD, { image_id: 9, bbox: GOOD_BOX });
    await prepare?.(place, join(place.images, file_name));
  };
}

const BOXES: readonly Case[] = [
  {
    why: "a box of no width",
    make: box(10, 10, 0, 5),
    reason: "box-empty",
    says: [
      "FOLDER/boxes.json: annotations[3] (id 7001)",
      "expected a box width of at least 1 pixel",
      "received 0",
      "Correct or remove this annotation.",
    ],
  },
  {
    why: "a box of no height",
    make: box(10, 10, 5, 0),
    reason: "box-empty",
    says: ["FOLDER/boxes.json: annotations[3] (id 7001)", "expected a box height of at least 1 pixel", "received 0"],
  },
  {
    why: "a box of negative width",
    make: box(10, 10, -3, 5),
    reason: "box-empty",
    says: ["annotations[3] (id 7001)", "expected a box width of at least 1 pixel", "received -3"],
  },
  {
    why: "a box of NaN width, as Python writes it",
    make: boxAsText("[10,10,NaN,5]"),
    reason: "annotation-invalid",
    says: [
      "FOLDER/boxes.json: annotations[3] (id 7001), byte ",
      "expected a number, true, false or null",
      "received NaN (Python writes it, JSON does not have it)",
      "Correct or remove this annotation.",
    ],
  },
  {
    why: "a box of infinite width, as Python writes it",
    make: boxAsText("[10,10,5,Infinity]"),
    reason: "annotation-invalid",
    says: ["annotations[3] (id 7001), byte ", "expected a number", "received Infinity (Python"],
  },
  {
    why: "a box of negative infinity",
    make: boxAsText("[-Infinity,10,5,5]"),
    reason: "annotation-invalid",
    says: ["annotations[3] (id 7001), byte ", "received -Infinity (Python"],
  },
  {
    why: "a number beyond what a computer has",
    make: boxAsText("[10,10,1e999,5]"),
    reason: "box-invalid",
    says: ["annotations[3] (id 7001)", "expected a finite number for the box's width", "received Infinity"],
  },
  {
    why: "a box whose right edge is infinite",
    make: boxAsText("[1.7e308,10,1.7e308,5]"),
    reason: "box-invalid",
    says: ["expected a finite number for the box's right edge", "received Infinity"],
  },
  {
    why: "a size in quotes",
    make: box(10, 10, "40", 5),
    reason: "box-invalid",
    says: ["expected a finite number for the box's width", 'received "40"'],
  },
  {
    why: "a size of null",
    make: box(10, 10, null, 5),
    reason: "box-invalid",
    says: ["expected a finite number for the box's width", "received null"],
  },
  {
    why: "a box of three numbers",
    make: box(10, 10, 40),
    reason: "box-invalid",
    says: ["expected a box of 4 numbers [left, top, width, height]", "received 3"],
  },
  {
    why: "no box at all",
    make: (_, add) => {
      add(BAD, { bbox: null });
      return undefined;
    },
    reason: "box-invalid",
    says: ["expected a box [left, top, width, height]", "received null"],
  },
  {
    why: "a box wholly outside its image",
    make: box(700, 10, 40, 40),
    reason: "box-outside",
    says: [
      "FOLDER/images/park.jpg",
      "annotation 7001",
      "expected a box on the image of 640 x 480 pixels",
      "received [700, 10, 40, 40], which lies outside",
      "Check that",
    ],
  },
  {
    why: "a box that touches its image's border from outside",
    make: box(-40, 10, 40, 40),
    reason: "box-outside",
    says: ["annotation 7001", "received [-40, 10, 40, 40]"],
  },
];

const REFERENCES: readonly Case[] = [
  {
    why: "an image id that points nowhere",
    make: (_, add) => {
      add(BAD, { image_id: 404 });
      return undefined;
    },
    reason: "image-unknown",
    says: [
      "FOLDER/boxes.json",
      "expected an image_id among the ids of the images",
      "received 404",
      "Add the image or correct the id.",
    ],
  },
  {
    why: "an image id that is text where the image's is a number",
    make: (_, add) => {
      add(BAD, { image_id: "1015" });
      return undefined;
    },
    reason: "image-unknown",
    says: ["expected an image_id among the ids of the images", 'received "1015" (there is 1015, a number)'],
  },
  {
    why: "no image id",
    make: (_, add) => {
      add(BAD, { image_id: null });
      return undefined;
    },
    reason: "annotation-invalid",
    says: ["annotations[3] (id 7001)", "/image_id", "received null", "Correct or remove this annotation."],
  },
  {
    why: "a category id that points nowhere",
    make: (_, add) => {
      add(BAD, { category_id: 9999 });
      return undefined;
    },
    reason: "category-unknown",
    says: ["annotations[3] (id 7001)", "expected category_id to be one of 1, 3, 6", "received 9999"],
  },
  {
    why: "the id of another annotation",
    make: ({ coco }) => {
      coco.annotations.push({ ...coco.annotations[1]! });
      return undefined;
    },
    reason: "duplicate-id",
    says: [
      "FOLDER/boxes.json: annotations[3]",
      "expected every annotation id once",
      "received the id of annotations[1]",
      "Correct or remove this annotation.",
    ],
  },
];

const IMAGES: readonly Case[] = [
  {
    why: "an image that is missing",
    make: image("nowhere.jpg"),
    reason: "image-missing",
    says: ['"nowhere.jpg"', "FOLDER/images", "received none among its 2 images", "Add the image or correct the name."],
  },
  {
    why: "an empty image",
    make: image("empty.jpg", (_, path) => writeFile(path, "")),
    reason: "image-unreadable",
    says: ["FOLDER/images/empty.jpg", "expected an image", "received an empty file (0 bytes)", "Fetch it again."],
  },
  {
    why: "a truncated image",
    make: image("half.jpg", async ({ images }, path) => writeFile(path, await half(join(images, "street.jpg")))),
    reason: "image-unreadable",
    says: ["FOLDER/images/half.jpg", "expected a whole image", "received a damaged one", "fetch it again"],
  },
  {
    why: "a text file called like an image",
    make: image("page.jpg", (_, path) => writeFile(path, "<html>404</html>\n")),
    reason: "image-unreadable",
    says: ["FOLDER/images/page.jpg", "expected an image", "received an HTML page", "Fetch the file itself"],
  },
  {
    why: "bytes that are no image",
    make: image("noise.png", (_, path) => writeFile(path, Buffer.from([1, 2, 3, 254, 0, 99]))),
    reason: "image-unreadable",
    says: ["FOLDER/images/noise.png", "expected an image", "received 6 bytes that no image format begins with"],
  },
  {
    why: "a drawing called like a photograph",
    make: image("drawing.png", (_, path) =>
      writeFile(path, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    ),
    reason: "image-unreadable",
    says: ["FOLDER/images/drawing.png", "expected a photograph", "received an SVG drawing", "Convert it to PNG."],
  },
  {
    why: "a header that promises gigapixels",
    make: image("huge.png", (_, path) => writeFile(path, promisingPng(100_000, 90_000))),
    reason: "image-too-large",
    says: [
      "FOLDER/images/huge.png",
      "expected at most 268402689 pixels",
      "received 100000 x 90000 = 9000000000",
      "Cut it into tiles.",
    ],
  },
  {
    why: "a header that promises more than the file holds",
    make: image("less.png", (_, path) => writeFile(path, promisingPng(4000, 3000))),
    reason: "image-unreadable",
    says: ["FOLDER/images/less.png", "expected a whole image", "received a damaged one"],
  },
  {
    why: "an image of another size than the file says",
    make: image(
      "small.jpg",
      (_, path) =>
        sharp({ create: { width: 20, height: 10, channels: 3, background: "#888" } })
          .jpeg()
          .toFile(path),
      { width: 640, height: 480 },
    ),
    reason: "image-size",
    says: [
      "FOLDER/images/small.jpg",
      "expected 640 x 480 pixels as the annotation file says",
      "received 20 x 10",
      "use that one or correct width and height",
    ],
  },
  {
    why: "a size in the file that is none",
    make: image("street.jpg", undefined, { width: -1, height: 480 }),
    reason: "image-size",
    says: ["FOLDER/boxes.json: images[1] (id 9)", "expected /width to be", "received -1", "Correct this image record."],
  },
  {
    why: "an image record without a name",
    make: image(""),
    reason: "image-missing",
    says: ["FOLDER/boxes.json: images[1] (id 9)", "/file_name", "Correct this image record."],
  },
  {
    why: "two files that fit the name",
    make: image("twin.jpg", async ({ images }) => {
      for (const folder of ["a", "b"]) {
        await mkdir(join(images, folder));
        await copyFile(join(images, "street.jpg"), join(images, folder, "twin.jpg"));
      }
    }),
    reason: "image-ambiguous",
    says: [
      '"twin.jpg"',
      "expected one such file in FOLDER/images",
      'received "a/twin.jpg", "b/twin.jpg"',
      "Name the image with its folder.",
    ],
  },
];

const outside = (place: Place): Promise<unknown> =>
  copyFile(join(place.images, "street.jpg"), join(place.folder, "secret.jpg"));
const CLIMBERS: readonly Case[] = [
  {
    why: "../",
    make: image("../secret.jpg", outside),
    reason: "image-outside",
    says: [
      '"../secret.jpg"',
      "expected a path inside FOLDER/images",
      'received a path that climbs with ".."',
      "It was not opened; correct the name.",
    ],
  },
  {
    why: "../ in the middle",
    make: image("x/../../secret.jpg", outside),
    reason: "image-outside",
    says: ["expected a path inside FOLDER/images", 'climbs with ".."'],
  },
  {
    why: "..\\, from Windows",
    make: image("..\\secret.jpg", outside),
    reason: "image-outside",
    says: ['climbs with ".."'],
  },
  {
    why: "an absolute path",
    make: async (place, add) => {
      await outside(place);
      return image(join(place.folder, "secret.jpg"))(place, add);
    },
    reason: "image-outside",
    says: ["expected a path inside FOLDER/images", "received an absolute path"],
  },
  {
    why: "a drive",
    make: image("C:\\pictures\\secret.jpg"),
    reason: "image-outside",
    says: ["received a drive or an address"],
  },
  {
    why: "an address",
    make: image("https://example.com/a.jpg"),
    reason: "image-outside",
    says: ["received a drive or an address"],
  },
  {
    why: "a symbolic link that leads out",
    make: image("link.jpg", async (place, path) => {
      await outside(place);
      await symlink(join(place.folder, "secret.jpg"), path);
    }),
    reason: "image-outside",
    says: ['"link.jpg"', "expected a path inside FOLDER/images", "received a link that leads out of it"],
  },
  {
    why: "a linked folder that leads out",
    make: image("linked/secret.jpg", async (place) => {
      await outside(place);
      await symlink(place.folder, join(place.images, "linked"));
    }),
    reason: "image-outside",
    says: ["received a link that leads out of it"],
  },
];

const ids = (coco: Coco): number[] => coco.annotations.filter(({ iscrowd }) => iscrowd !== 1).map(({ id }) => id);

describe.each([
  { kind: "boxes", cases: BOXES },
  { kind: "references", cases: REFERENCES },
  { kind: "images", cases: IMAGES },
  { kind: "names that climb out of the image folder", cases: CLIMBERS },
])("$kind", ({ cases }) => {
  test.each(cases)("$why", async ({ make, reason, says }) => {
    const place = await newPlace();
    const good = ids(place.coco);
    const text = await make(place, (id, fields) => {
      place.coco.annotations.push(oneMore(place, id, fields));
    });
    await place.write(typeof text === "string" ? text : place.coco);
    const bad = place.coco.annotations.at(-1)!.id;
    const before = await hashesOf(place.folder);

    const { code, words, report } = await annotatePlace(place);
    expect(code, words).toBe(1);
    expect(report).toMatchObject({ type: "summary", done: good.length, failed: 1, failedByReason: { [reason]: 1 } });
    const summary = await readJson<{ failures: { annotationId: number; reason: string; message: string }[] }>(
      place.out,
      "summary.json",
    );
    expect(summary).toEqual(report);
    expect(summary.failures).toMatchObject([{ annotationId: bad, reason }]);
    let rest = summary.failures[0]!.message;
    for (const part of says.map((said) => said.replaceAll("FOLDER", place.folder))) {
      expect(rest).toContain(part);
      rest = rest.slice(rest.indexOf(part) + part.length);
    }
    expect(summary.failures[0]!.message).toMatch(/\.$/);
    expect(words).toContain(summary.failures[0]!.message);
    expect(words).toContain(`next: see the failures in ${place.out}/summary.json`);

    const journal = (await journalOf(place.out)).filter(({ status }) => status === "failed");
    expect(journal).toMatchObject([{ annotationId: bad, reason, message: summary.failures[0]!.message }]);
    expect(ids(await readCoco(place.out, "annotations.json")).sort()).toEqual([...good].sort());
    // Nothing of the input was written to, and nothing appeared beside the output folder.
    const after = Object.entries(await hashesOf(place.folder)).filter(([path]) => !path.startsWith("out/"));
    expect(Object.fromEntries(after)).toEqual(before);
  });
});

test("a box partly outside its image is cut there, drawn, and reported; that is no failure", async () => {
  const place = await newPlace();
  place.coco.annotations = [
    oneMore(place, BAD, { bbox: [600, 440, 90, 80] }),
    oneMore(place, BAD + 1, { bbox: [-30, -20, 100, 100] }),
  ];
  await place.write(place.coco);
  const { code, words, report } = await annotatePlace(place);
  expect(code, words).toBe(0);
  expect(report).toMatchObject({ done: 2, failed: 0, clipped: 2 });
  expect(words).toContain("2 boxes reached over the image's border and were cut there");
  expect(await journalOf(place.out)).toMatchObject([
    { annotationId: BAD, clipped: true },
    { annotationId: BAD + 1, clipped: true },
  ]);
  const { annotations } = await readCoco(place.out, "annotations.json");
  expect(annotations.map(({ bbox }) => bbox)).toEqual([
    [600, 440, 90, 80],
    [-30, -20, 100, 100],
  ]);
  for (const { segmentation } of annotations) {
    segmentation[0]!.forEach((value, at) => {
      expect(value >= 0 && value <= (at % 2 === 0 ? 640 : 480)).toBe(true);
    });
  }
});

test("an image of 1 x 1 pixel is an image: its box gets a polygon on it", async () => {
  const place = await newPlace();
  await sharp({ create: { width: 1, height: 1, channels: 3, background: "#a52" } })
    .png()
    .toFile(join(place.images, "dot.png"));
  place.coco.images.push({ id: 9, file_name: "dot.png", width: 1, height: 1 });
  place.coco.annotations = [oneMore(place, BAD, { image_id: 9, bbox: [0, 0, 1, 1] })];
  await place.write(place.coco);
  const { code, words } = await annotatePlace(place, [
    "--overlays",
    "all",
    "--format",
    "coco,yolo-seg,label-studio,labelme,cityscapes",
  ]);
  expect(code, words).toBe(0);
  const [annotation] = (await readCoco(place.out, "annotations.json")).annotations;
  for (const value of annotation!.segmentation[0]!) expect(value >= 0 && value <= 1).toBe(true);
});

test("an image id that two images have: neither is guessed, and their boxes say so", async () => {
  const place = await newPlace();
  place.coco.images.push({ ...place.coco.images[0]!, file_name: "street.jpg" });
  await place.write(place.coco);
  const { code, report } = await annotatePlace(place);
  expect(code).toBe(65); // not one polygon
  expect(report).toMatchObject({ done: 0, failedByReason: { "image-ambiguous": 3 } });
  expect(report).toMatchObject({
    failures: expect.arrayContaining([
      expect.objectContaining({
        message: `${place.boxes}: expected every image id once, received 1015 in images[0] and images[1]. Give each image an id of its own.`,
      }),
    ]) as unknown,
  });
});

test("everything at once: each bad one under its id and reason, more than five of a kind as a count, the good ones as ever", async () => {
  const place = await newPlace();
  const good = ids(place.coco);
  place.coco.images.push({ id: 9, file_name: "nowhere.jpg", width: 640, height: 480 });
  for (let i = 0; i < 8; i++) place.coco.annotations.unshift(oneMore(place, BAD + i, { image_id: 9 }));
  for (let i = 0; i < 3; i++)
    place.coco.annotations.splice(2 * i, 0, oneMore(place, BAD + 100 + i, { bbox: [1, 1, 0, -1] }));
  await place.write(place.coco);
  const { code, words, report } = await annotatePlace(place);
  expect(code).toBe(1);
  expect(report).toMatchObject({
    done: good.length,
    failed: 11,
    failedByReason: { "image-missing": 8, "box-empty": 3 },
  });
  expect(words.match(/^failed: annotation /gm)).toHaveLength(8);
  expect(words).toContain("... and 3 more with image-missing");
  expect(words).toContain("11 failed: ");
  expect(ids(await readCoco(place.out, "annotations.json"))).toEqual(good);
  expect(schemaProblems(place.out).problems).toEqual([]); // Lines of failures, too.
});

test("hundreds of bad boxes are each in the journal, once, also after going on", async () => {
  const place = await newPlace();
  const good = ids(place.coco);
  place.coco.annotations.push(
    ...Array.from({ length: 600 }, (_, i) => oneMore(place, BAD + i, { bbox: [1, 1, 0, 1] })),
  );
  await place.write(place.coco);
  const lines = async (): Promise<number> =>
    (await readFile(join(place.out, "journal.ndjson"), "utf8")).trimEnd().split("\n").length;
  expect((await annotatePlace(place)).report).toMatchObject({
    done: good.length,
    failed: 600,
    failures: { length: 100 },
  });
  expect((await journalOf(place.out)).map(({ annotationId }) => annotationId)).toEqual([
    ...good,
    ...Array.from({ length: 600 }, (_, i) => BAD + i),
  ]);
  expect(await lines()).toBe(1 + good.length + 600);
  expect((await annotatePlace(place, ["--resume"])).report).toMatchObject({
    done: good.length,
    failed: 600,
    finishedNow: 0,
  });
  expect(await lines()).toBe(1 + good.length + 600);
});
