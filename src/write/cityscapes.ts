/**
 * cityscapes/: one polygon file per image, as the Cityscapes label tool and cityscapesScripts read them.
 *
 * { imgHeight, imgWidth, objects: [{ label, polygon: [[x, y], ...] }] }; objects later in the list cover earlier ones.
 * An object also has deleted, verified and user; without `verified` the tool takes it for checked by a person, so
 * predicted polygons say 0. One object is one polygon: the parts of a polygon that people made are joined by bridges of
 * no width. Crowds become "<label>group". Objects of a Cityscapes input that were passed over (kept, groups, deleted or
 * wholly covered ones) go out unchanged, in their place; labels that are no instances (road, sky) never reach a writer.
 * Files are named after the image, with "_leftImg8bit" and the folder leftImg8bit/ replaced by gtFine, so that they
 * pair up.
 *
 * Pixels: the tools fill with Pillow, whole coordinates name pixels and the outline's own pixels belong to the object
 * (geometry/pixel-outline.ts). So filled, an object is COCO's mask to within 1 % of its area and never reaches out of
 * the box. A bridge between parts is a line one pixel wide. The frame is that of the annotation file, whatever the EXIF
 * orientation (write/displayed-frame.ts).
 *
 * Labels: those of CityPersons become the Cityscapes label of the same people. A category that is no Cityscapes label
 * goes out under its own name, and the run says that the tools do not know it.
 *
 * Source: cityscapesScripts, helpers/annotation.py and the README of the data set.
 */
import { join } from "node:path";
import { writeAtomic } from "../files/atomic-file.js";
import type { SafePath } from "../files/safe-path.js";
import { PathNames, toSafePath } from "../files/safe-path.js";
import { toNamedPixels } from "../geometry/pixel-outline.js";
import { toJsonText } from "../json-text.js";
import type { JsonObject, SkipReason } from "../types.js";
import type { Region } from "./labels.js";
import { categoryOf, existingPolygon, isSettled, nameCategories, passedOver, rawOf, regionOf } from "./labels.js";
import { joinRings, withoutRepeats } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ResultItem, WriteContext } from "./writer.js";

const FOLDER = "cityscapes";
/** Objects of a Cityscapes file that this run passed over; they stay in the file. */
const STAYS: ReadonlySet<SkipReason> = new Set<SkipReason>([
  "kept",
  "category",
  "group",
  "ignored",
  "deleted",
  "hidden",
]);

/** CityPersons tells people on Cityscapes' pictures apart by what they do; a rider is a rider in both. */
const CITYSCAPES_LABELS: ReadonlyMap<string, string> = new Map([
  ["pedestrian", "person"],
  ["sitting person", "person"],
  ["person (other)", "person"],
]);

/** The label that a category of this name has in a Cityscapes file. */
export function cityscapesLabel(category: string): string {
  return CITYSCAPES_LABELS.get(category) ?? category;
}

export function openCityscapesWriter(context: WriteContext): AnnotationWriter {
  const names = nameCategories(context.categories);
  const paths = new PathNames("_gtFine_polygons.json");
  return {
    async image(result) {
      const path = paths.take(pairedPath(toSafePath(result.image.fileName)));
      const objects = result.items.flatMap((item) => cityscapesObject(item, names, context.generator) ?? []);
      if (result.size === undefined || !isSettled(result, objects)) return;
      const document = { imgHeight: result.size.height, imgWidth: result.size.width, objects };
      await writeAtomic(join(context.out, FOLDER, path), `${toJsonText(document)}\n`);
    },
    finish: () => Promise.resolve([`${FOLDER}/`]),
    abort: () => Promise.resolve(),
  };
}

/** leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit -> gtFine/val/lindau/lindau_000000_000019 */
function pairedPath(path: SafePath): SafePath {
  return {
    ...path,
    folders: path.folders.map((folder) => (folder === "leftImg8bit" ? "gtFine" : folder)),
    stem: path.stem.replace(/(?<=.)_leftImg8bit$/u, ""),
  };
}

function cityscapesObject(item: ResultItem, names: CategoryNames, user: string): JsonObject | undefined {
  const raw = rawOf(item);
  const { outcome } = item;
  // The COCO file of a Cityscapes input has its fields beside the segmentation, which is newer than the polygon.
  const isCityscapes =
    typeof raw["label"] === "string" && Array.isArray(raw["polygon"]) && !Object.hasOwn(raw, "segmentation");
  if (isCityscapes && outcome.status === "skipped" && STAYS.has(outcome.reason)) return raw;
  const region = regionOf(item, names);
  if (region !== undefined) return { ...(isCityscapes ? raw : {}), ...regionObject(region, user) };
  const crowd = passedOver(item) === "region" ? existingPolygon(item) : undefined;
  return crowd && { label: `${cityscapesLabel(categoryOf(item, names).label)}group`, polygon: pairs(crowd) };
}

function regionObject({ label, polygon, score }: Region, user: string): JsonObject {
  const shape = { label: cityscapesLabel(label), polygon: pairs(polygon) };
  return score === undefined ? shape : { ...shape, deleted: 0, verified: 0, user, score };
}

function pairs(polygon: Region["polygon"]): number[][] {
  return joinRings(polygon.map((ring) => withoutRepeats(toNamedPixels(ring)))).map(({ x, y }) => [x, y]);
}
