import { Ajv } from "ajv";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ImageResult, WriteContext } from "../../src/write/writer.js";
import { openViaWriter } from "../../src/write/via.js";
import {
  contextOf,
  done,
  failed,
  instanceOf,
  listFiles,
  readJson,
  resultOf,
  skipped,
  TRIANGLE,
  useFolder,
} from "./results.js";

const folder = useFolder();

/** What VIA 2.0 reads of a project. */
const isProject = new Ajv({ allowUnionTypes: true }).compile({
  type: "object",
  required: ["_via_settings", "_via_img_metadata", "_via_attributes", "_via_data_format_version", "_via_image_id_list"],
  additionalProperties: false,
  properties: {
    _via_settings: { type: "object" },
    _via_attributes: { type: "object", required: ["region", "file"] },
    _via_data_format_version: { const: "2.0.10" },
    _via_image_id_list: { type: "array", uniqueItems: true, items: { type: "string" } },
    _via_img_metadata: {
      type: "object",
      additionalProperties: {
        type: "object",
        required: ["filename", "size", "regions", "file_attributes"],
        properties: {
          filename: { type: "string" },
          size: { type: "integer" },
          regions: {
            type: "array",
            items: {
              type: "object",
              required: ["shape_attributes", "region_attributes"],
              properties: {
                shape_attributes: {
                  type: "object",
                  required: ["name", "all_points_x", "all_points_y"],
                  properties: {
                    name: { const: "polygon" },
                    all_points_x: { type: "array", minItems: 3, items: { type: "number", minimum: 0, maximum: 100 } },
                    all_points_y: { type: "array", minItems: 3, items: { type: "number", minimum: 0, maximum: 80 } },
                  },
                },
                region_attributes: { type: "object", additionalProperties: { type: "string" } },
              },
            },
          },
        },
      },
    },
  },
});

interface Project {
  _via_img_metadata: Record<
    string,
    { filename: string; regions: { region_attributes: unknown; shape_attributes: { all_points_x: number[] } }[] }
  >;
  _via_image_id_list: string[];
  _via_attributes: { region: { label: { options: object } } };
}

async function write(results: readonly ImageResult[], more: Partial<WriteContext> = {}): Promise<Project> {
  const writer = await openViaWriter(contextOf(folder.path, more));
  for (const result of results) await writer.image(result);
  expect(await writer.finish()).toEqual(["via.json"]);
  const project = await readJson<Project>(folder.path, "via.json");
  expect(isProject(project), JSON.stringify(isProject.errors)).toBe(true);
  expect(project._via_image_id_list).toEqual(Object.keys(project._via_img_metadata));
  return project;
}

test("an image is keyed by name and bytes, a polygon is a region with its label and score", async () => {
  const path = join(folder.path, "street.jpg");
  await writeFile(path, "12345");
  const project = await write([resultOf([done(instanceOf(0)), failed(instanceOf(1))], { path })], {
    images: folder.path,
  });
  expect(project._via_image_id_list).toEqual(["street.jpg5"]);
  expect(project._via_img_metadata["street.jpg5"]?.regions).toEqual([
    {
      shape_attributes: { name: "polygon", all_points_x: [10, 60.25, 30], all_points_y: [10, 12.5, 44.13] },
      region_attributes: { label: "car", polyrnn_score: "0.8125" },
    },
  ]);
});

test("what crosses itself says so; the parts of one instance are regions with one number, cut at the border", async () => {
  const bow = [
    { x: 0, y: 0 },
    { x: 9, y: 9 },
    { x: 9, y: 0 },
    { x: 0, y: 9 },
  ];
  const segmentation = [
    [0, 0, 9, 0, 9, 9],
    [90, 50, 130, 50, 130, 70],
  ];
  const project = await write([
    resultOf([done(instanceOf(0), bow), skipped(instanceOf(1, { raw: { segmentation } }), "kept")]),
  ]);
  const { regions } = Object.values(project._via_img_metadata)[0]!;
  expect(regions.map(({ region_attributes }) => region_attributes)).toEqual([
    { label: "car", polyrnn_score: "0.8125", polyrnn_valid: "false" },
    { label: "car", polyrnn_instance: "1" },
    { label: "car", polyrnn_instance: "1" },
  ]);
  expect(Math.max(...regions[2]!.shape_attributes.all_points_x)).toBe(100);
});

test("two records of one photograph and hostile names stay apart", async () => {
  const categories = [{ id: 3, name: "__proto__", raw: {} }];
  const results = ["__proto__", "a.jpg", "a.jpg", "a.jpg"].map((fileName) =>
    resultOf([done(instanceOf(0), TRIANGLE)], { fileName }),
  );
  const project = await write(results, { categories });
  expect(project._via_image_id_list).toEqual(["__proto__-1", "a.jpg-1", "a.jpg-1#2", "a.jpg-1#3"]);
  expect(Object.keys(project._via_attributes.region.label.options)).toEqual(["__proto__"]);
});

test("a run without images is a project all the same, and an aborted one leaves nothing", async () => {
  expect((await write([]))._via_image_id_list).toEqual([]);
  const writer = await openViaWriter(contextOf(join(folder.path, "aborted")));
  await writer.image(resultOf([done(instanceOf(0))]));
  await writer.abort();
  expect(await listFiles(join(folder.path, "aborted"))).toEqual([]);
});
