/**
 * labelme/: one LabelMe file per image; open one with `labelme <file>`.
 *
 * Pixels: LabelMe shows points where their coordinates say, and fills masks with Pillow, which drops the fractions and
 * counts the outline in. So each vertex stays where it is as far as it lies in the pixel to be named
 * (geometry/pixel-outline.ts), else at that pixel's nearest edge: the mask is COCO's to within 1 % of the area, and
 * never reaches out of the box.
 *
 * imagePath leads from the file to the photograph (of one in a zip file it is the name in there), and imageData is
 * null: LabelMe then reads the photograph itself and turns it by its EXIF orientation, as the boxes saw it. On request
 * imageData is the photograph (write/embedded.ts). A polygon of several parts is several shapes with one group_id,
 * which is how LabelMe says that they are one instance; else the instance keeps the group_id it came with, as it keeps
 * its description and those attributes that are true or false, as flags. The score is in `description`, where the tool
 * shows it. The flag polyrnn_valid is false, and else absent, where a predicted polygon crosses or touches itself.
 * Source: LabelMe's own example files and the format pages of tools that read them (version 5).
 */
import { dirname, join } from "node:path";
import { isPacked } from "../files/archive.js";
import { relativePath, writeAtomic } from "../files/atomic-file.js";
import { PathNames, toSafePath } from "../files/safe-path.js";
import { isJsonObject } from "../foreign.js";
import { toNamedPixels } from "../geometry/pixel-outline.js";
import { childOf, setField, toIndentedJson } from "../json-text.js";
import type { JsonObject, Ring } from "../types.js";
import { embedPhotograph } from "./embedded.js";
import type { Region } from "./labels.js";
import { groupsOf, isSettled, nameCategories, regionsOf } from "./labels.js";
import { roundPixels, withoutRepeats } from "./rings.js";
import type { AnnotationWriter, ImageResult, WriteContext } from "./writer.js";
import { imageName } from "./writer.js";

const FOLDER = "labelme";
/** Version of the format; LabelMe only compares the first number. */
const FORMAT_VERSION = "5.5.0";

export function openLabelmeWriter(context: WriteContext): AnnotationWriter {
  const names = nameCategories(context.categories);
  const paths = new PathNames(".json");
  return {
    async image(result) {
      const path = join(context.out, FOLDER, paths.take(toSafePath(result.image.fileName)));
      const regions = regionsOf(result, names);
      if (!isSettled(result, regions)) return;
      const imagePath =
        result.path === undefined || (await isPacked(result.path))
          ? imageName(result, context)
          : await relativePath(dirname(path), result.path);
      const imageData =
        context.formatOptions?.embedImages === true && result.path !== undefined
          ? ((await embedPhotograph(result.path)) ?? null)
          : null;
      const document = { ...labelmeDocument(imagePath, result, regions), imageData };
      await writeAtomic(path, `${toIndentedJson(document)}\n`);
    },
    finish: () => Promise.resolve([`${FOLDER}/`]),
    abort: () => Promise.resolve(),
  };
}

function flagsOf(raw: JsonObject): JsonObject {
  const flags = childOf(raw, "flags");
  return isJsonObject(flags) ? flags : {};
}

function labelmeDocument(imagePath: string, result: ImageResult, regions: readonly Region[]): JsonObject {
  const groupFor = groupsOf(regions);
  return {
    version: FORMAT_VERSION,
    flags: flagsOf(result.image.raw),
    shapes: regions.flatMap((region) => toShapes(region, groupFor(region))),
    imagePath,
    imageData: null,
    imageHeight: result.size?.height ?? null,
    imageWidth: result.size?.width ?? null,
  };
}

/** The far edge of a pixel that still has its number. */
const LAST_IN_PIXEL = 0.99;

/** What covers a few pixels has vertices that name the same one: each is named once. */
function namingPoints(ring: Ring): number[][] {
  const inPixel = (value: number, pixel: number): number =>
    roundPixels(Math.min(pixel + LAST_IN_PIXEL, Math.max(pixel, value)));
  const named = toNamedPixels(ring).map((pixel, i) => ({
    x: inPixel(ring[i]!.x, pixel.x),
    y: inPixel(ring[i]!.y, pixel.y),
  }));
  return withoutRepeats(named).map(({ x, y }) => [x, y]);
}

function toShapes(region: Region, group: string | undefined): JsonObject[] {
  const { label, polygon, score, isInvalid } = region;
  const { group_id: _, description, polyrnn_valid: __, ...others } = region.attributes;
  const said = typeof description === "string" ? [description] : [];
  // LabelMe's flags are true or false.
  const flags = Object.fromEntries(Object.entries(others).filter(([, value]) => typeof value === "boolean"));
  return polygon.map((ring) => {
    const shape: JsonObject = { label, points: namingPoints(ring), group_id: null };
    if (group !== undefined) setField(shape, "group_id", Number(group), () => group);
    return {
      ...shape,
      description: [...said, ...(score === undefined ? [] : [`score ${score}`])].join(", "),
      shape_type: "polygon",
      flags: isInvalid === true ? { ...flags, polyrnn_valid: false } : flags,
      mask: null,
    };
  });
}
