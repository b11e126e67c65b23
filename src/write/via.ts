/**
 * via.json: a project of the VGG Image Annotator 2, one file for all images; Project, Load in the tool.
 *
 * Images are keyed by name and bytes of the file (-1 where it was not found). A polygon is a region per ring, in pixels
 * of the displayed picture, cut at its border. Region attributes: label, and of predicted polygons polyrnn_score (text,
 * as all attributes are) and polyrnn_valid ("false" where the polygon crosses or touches itself, else absent). The parts
 * of one instance have the same polyrnn_instance. Images without a polygon are in the project as well. The list of keys
 * comes last in the file and waits beside it, so that nothing is kept in memory.
 * Source: VIA 2.0, its project files and the page "via_data_format" of its documentation.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { abortAll, AtomicFile } from "../files/atomic-file.js";
import type { JsonObject } from "../types.js";
import type { Region } from "./labels.js";
import { nameCategories, regionsOf } from "./labels.js";
import { clipRing, roundPixels } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ImageResult, WriteContext } from "./writer.js";
import { imageName } from "./writer.js";

const FILE_NAME = "via.json";
const FORMAT_VERSION = "2.0.10";

export async function openViaWriter(context: WriteContext): Promise<AnnotationWriter> {
  const names = nameCategories(context.categories);
  const file = await AtomicFile.open(join(context.out, FILE_NAME));
  const keys = await AtomicFile.open(join(context.out, `${FILE_NAME}.list`)).catch(async (error: unknown) => {
    await file.abort();
    throw error;
  });
  await file.write(`{"_via_settings":${JSON.stringify(settings(context))},\n"_via_img_metadata":{`);
  const taken = new Map<string, number>();
  let separator = "\n";
  return {
    async image(result) {
      if (result.isUnknown === true) return; // There is no picture to show.
      const filename = imageName(result, context);
      const size = await bytesOf(result.path);
      const key = unusedKey(filename + String(size), taken);
      const regions = regionsOf(result, names).flatMap((region) => toRegions(region, result.size));
      const record = { filename, size, regions, file_attributes: {} };
      await file.write(`${separator}${JSON.stringify(key)}:${JSON.stringify(record)}`);
      await keys.write(`${separator}${JSON.stringify(key)}`);
      separator = ",\n";
    },
    async finish() {
      await file.write(`},\n"_via_attributes":${JSON.stringify(attributes(names))},\n`);
      await file.write(`"_via_data_format_version":"${FORMAT_VERSION}",\n"_via_image_id_list":[`);
      await file.writeContentOf(keys);
      await file.write("]}\n");
      await file.commit();
      await keys.abort();
      return [FILE_NAME];
    },
    abort: () => abortAll([file, keys]),
  };
}

/** Records of one photograph stay apart; the tool takes any key. @param taken how often each was asked for */
function unusedKey(key: string, taken: Map<string, number>): string {
  const before = taken.get(key) ?? 0;
  taken.set(key, before + 1);
  return before === 0 ? key : unusedKey(`${key}#${before + 1}`, taken);
}

async function bytesOf(path: string | undefined): Promise<number> {
  if (path === undefined) return -1;
  return stat(path).then(
    ({ size }) => size,
    () => -1,
  );
}

/** The tool has its own values for what is not here. */
function settings({ images, generator }: WriteContext): JsonObject {
  const folder = images === undefined ? "" : `${resolve(images).replaceAll("\\", "/")}/`;
  return { core: { default_filepath: folder }, project: { name: generator } };
}

function toRegions(region: Region, size: ImageResult["size"]): JsonObject[] {
  const { ordinal, label, polygon, score, isInvalid } = region;
  const attributes = {
    label,
    ...(score !== undefined && { polyrnn_score: String(score) }),
    ...(isInvalid === true && { polyrnn_valid: "false" }),
    ...(polygon.length > 1 && { polyrnn_instance: String(ordinal) }),
  };
  return polygon.flatMap((whole) => {
    const ring = size === undefined ? whole : clipRing(whole, size.width, size.height);
    if (ring === undefined) return [];
    const points = (axis: "x" | "y"): number[] => ring.map((point) => roundPixels(point[axis]));
    const shape = { name: "polygon", all_points_x: points("x"), all_points_y: points("y") };
    return [{ shape_attributes: shape, region_attributes: attributes }];
  });
}

/** What the tool asks people for, beside each region. A name may be any text, "__proto__" too. */
function attributes(names: CategoryNames): JsonObject {
  const labels = Object.fromEntries([...names.values()].map((name) => [name, ""]));
  const text = (description: string): JsonObject => ({ type: "text", description, default_value: "" });
  return {
    region: {
      label: { type: "dropdown", description: "Category", options: labels, default_options: {} },
      polyrnn_score: text("Expected IoU of a predicted polygon, 0 to 1"),
      polyrnn_valid: text("false where a predicted polygon crosses or touches itself"),
      polyrnn_instance: text("The same for all parts of one instance"),
    },
    file: {},
  };
}
