/**
 * cityscapes/: one polygon file per image, as the Cityscapes label tool and cityscapesScripts read them.
 *
 * { imgHeight, imgWidth, objects: [{ label, polygon: [[x, y], ...] }] }; objects later in the list cover earlier ones.
 * An object also has deleted, verified and user; without `verified` the tool takes it for checked by a person, so
 * predicted polygons say 0. One object is one polygon: the parts of a polygon that people made are joined by bridges of
 * no width. Crowds become "<label>group". Objects of a Cityscapes input that were passed over (kept, groups, deleted or
 * wholly covered ones) go out unchanged, in their place; labels that are no instances (road, sky) never reach a writer.
 * Files are named after the image, with "_leftImg8bit" and the folder leftImg8bit/ replaced by gtFine, so that they
 * pair up. Source: cityscapesScripts, helpers/annotation.py and the README of the data set.
 */
import { join } from "node:path";
import { writeAtomic } from "../files/atomic-file.js";
import type { SafePath } from "../files/safe-path.js";
import { PathNames, toSafePath } from "../files/safe-path.js";
import { toJsonText } from "../json-text.js";
import type { JsonObject, SkipReason } from "../types.js";
import type { Region } from "./labels.js";
import { categoryOf, existingPolygon, isSettled, nameCategories, passedOver, rawOf, regionOf } from "./labels.js";
import { joinRings, roundPixels } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ResultItem, WriteContext } from "./writer.js";

const FOLDER = "cityscapes";
/** Objects of a Cityscapes file that this run passed over; they stay in the file. */
const STAYS: ReadonlySet<SkipReason> = new Set<SkipReason>(["kept", "category", "group", "deleted", "hidden"]);

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
  const isCityscapes = typeof raw["label"] === "string" && Array.isArray(raw["polygon"]);
  if (isCityscapes && outcome.status === "skipped" && STAYS.has(outcome.reason)) return raw;
  const region = regionOf(item, names);
  if (region !== undefined) return { ...(isCityscapes ? raw : {}), ...regionObject(region, user) };
  const crowd = passedOver(item) === "region" ? existingPolygon(item) : undefined;
  return crowd && { label: `${categoryOf(item, names).label}group`, polygon: pairs(crowd) };
}

function regionObject({ label, polygon, score }: Region, user: string): JsonObject {
  const shape = { label, polygon: pairs(polygon) };
  return score === undefined ? shape : { ...shape, deleted: 0, verified: 0, user, score };
}

function pairs(polygon: Region["polygon"]): number[][] {
  return joinRings(polygon).map(({ x, y }) => [roundPixels(x), roundPixels(y)]);
}
