import fc from "fast-check";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SaxesParser } from "saxes";
import { expect, test } from "vitest";
import { openCvatWriter } from "../../src/write/cvat.js";
import { parseJsonText } from "../../src/json-text.js";
import type { JsonObject } from "../../src/types.js";
import type { ImageResult, ResultItem } from "../../src/write/writer.js";
import { anyRing, contextOf, done, failed, instanceOf, rejected, resultOf, useFolder } from "./results.js";

interface Shape {
  label: string;
  points: number[][];
  group: string | undefined;
  attributes: Record<string, string>;
}

const folder = useFolder();

/** The file as a strict XML parser sees it; the parser throws on what is not well-formed. */
async function write(...results: ImageResult[]): Promise<{ name: string; width?: string; shapes: Shape[] }[]> {
  const writer = await openCvatWriter(contextOf(folder.path, { images: "/photos" }));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["cvat.xml"]);
  const images: { name: string; width?: string; shapes: Shape[] }[] = [];
  let attribute = "";
  const parser = new SaxesParser();
  parser.on("opentag", ({ name, attributes }) => {
    if (name === "image") {
      images.push({ name: attributes["name"]!, width: attributes["width"]!, shapes: [] });
    } else if (name === "polygon") {
      images.at(-1)!.shapes.push({
        label: attributes["label"]!,
        points: attributes["points"]!.split(";").map((pair) => pair.split(",").map(Number)),
        group: attributes["group_id"],
        attributes: {},
      });
    } else attribute = name === "attribute" ? (attributes["name"] ?? "") : "";
  });
  parser.on("text", (text) => {
    if (attribute !== "") images.at(-1)!.shapes.at(-1)!.attributes[attribute] = text;
  });
  parser.on("closetag", () => (attribute = ""));
  parser.on("error", (error) => {
    throw error;
  });
  parser.write(await readFile(join(folder.path, "cvat.xml"), "utf8")).close();
  return images;
}

test("an image has a polygon per instance, with score and validity as attributes", async () => {
  const cross = [
    { x: 0, y: 0 },
    { x: 40, y: 40 },
    { x: 40, y: 0 },
    { x: 0, y: 40 },
  ];
  const [image] = await write(resultOf([done(instanceOf(0)), done(instanceOf(1), cross), failed(instanceOf(2))]));
  expect(image).toMatchObject({ name: "street.jpg", width: "100" });
  expect(image!.shapes).toEqual([
    {
      label: "car",
      points: [
        [10, 10],
        [60.25, 12.5],
        [30, 44.13],
      ],
      group: undefined,
      attributes: { polyrnn_score: "0.8125", polyrnn_valid: "true" },
    },
    expect.objectContaining({ attributes: { polyrnn_score: "0.8125", polyrnn_valid: "false" } }),
  ]);
});

test("the parts of a kept polygon are one group, also in the first instance, and have no score", async () => {
  const segmentation = [
    [0, 0, 4, 0, 4, 4],
    [20, 20, 24, 20, 24, 24],
  ];
  const kept = rejected({ category_id: 3, segmentation }, { status: "skipped", reason: "kept", ordinal: 0 });
  const [image] = await write(resultOf([kept]));
  expect(image!.shapes.map(({ group, attributes }) => [group, attributes])).toEqual([
    ["1", {}],
    ["1", {}],
  ]);
});

test("group and depth are those of the input, digit for digit; parts get a group that is free", async () => {
  const ring = [0, 0, 4, 0, 4, 4];
  const kept = (fields: string, segmentation: number[][], ordinal: number): ResultItem =>
    rejected(
      parseJsonText(
        `{"category_id":3,"segmentation":${JSON.stringify(segmentation)},"attributes":${fields}}`,
      ) as JsonObject,
      { status: "skipped", reason: "kept", ordinal },
    );
  const [image] = await write(
    resultOf([
      kept('{"group_id":900719925474099312345,"z_order":9007199254740993}', [ring], 0),
      kept('{"group_id":900719925474099312346}', [ring], 1),
      kept('{"group_id":7}', [ring], 2),
      kept("{}", [ring, ring.map((value) => value + 20)], 3),
      kept('{"group_id":6.0,"z_order":2e1}', [ring], 4),
    ]),
  );
  expect(image!.shapes.map(({ group }) => group)).toEqual([
    "900719925474099312345",
    "900719925474099312346",
    "7",
    "11",
    "11",
    "6",
  ]);
  const text = await readFile(join(folder.path, "cvat.xml"), "utf8");
  expect(text).toContain('z_order="9007199254740993"');
  expect(text).toContain('z_order="20"');
});

test("images without a polygon are in the file; images that only annotations name are not", async () => {
  const images = await write(
    resultOf([], { fileName: "empty.jpg", isEmpty: true }),
    resultOf([failed(instanceOf(0))], { fileName: "unknown.jpg", isUnknown: true }),
  );
  expect(images.map(({ name }) => name)).toEqual(["empty.jpg"]);
});

test("a data set without images gives a file without images", async () => {
  expect(await write()).toEqual([]);
});

test("polygons stay inside the image, and hostile names never become markup", async () => {
  await fc.assert(
    fc.asyncProperty(anyRing, fc.string({ unit: "binary", minLength: 1 }), async (ring, text) => {
      const shifted = ring.map(({ x, y }) => ({ x: x - 30, y: y + 30 }));
      const fileName = `${text.replaceAll("/", "")}"/><polygon x='&.jpg`;
      const result = { ...resultOf([done(instanceOf(0), shifted)]), image: { id: 1, fileName, raw: {} } };
      const images = await write({ ...result, path: `/photos/${fileName}` });
      expect(images).toHaveLength(1);
      for (const [x, y] of images[0]!.shapes.flatMap(({ points }) => points)) {
        expect(x! >= 0 && x! <= 100 && y! >= 0 && y! <= 80).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});
