/**
 * Cityscapes objects (`*_gtFine_polygons.json`) to entries. The box is that of the visible part, and the visible part
 * is the ground truth: later objects cover earlier ones, whatever their label.
 *
 * Things become instances, and so do objects with labels that the data set adds (OwnLabels). `...group` labels are skipped as groups, `deleted` objects as deleted, things that are
 * wholly covered as hidden. Objects with other labels of Cityscapes (road, sky, caravan, ...) are no entries. `raw` is
 * the object as read, with the number the Cityscapes tools give it as `instanceId`: class id * 1000 + k, counted per
 * class in file order. Source: github.com/mcordts/cityscapesScripts, preparation/json2instanceImg.py.
 */
import { receivedOf } from "../../errors.js";
import { isJsonObject } from "../../foreign.js";
import type { Failure, JsonObject, JsonValue, Ring, SkipReason } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { Entry } from "../dataset.js";
import type { CityscapesFile } from "./file.js";
import { checkCityscapesObject } from "./file.js";
import type { OwnLabels } from "./labels.js";
import { meaningOf } from "./labels.js";
import type { VisiblePart } from "./visible-parts.js";
import { findVisibleParts, MAX_PAINTED_PIXELS } from "./visible-parts.js";

/** What becomes of one object, before its visible part is known. `ring` is painted. */
type Verdict =
  | { readonly kind: "instance"; readonly classId: number; readonly ring: Ring }
  | { readonly kind: "skipped"; readonly reason: SkipReason; readonly ring?: Ring }
  | { readonly kind: "failed"; readonly failure: Failure; readonly ring?: Ring }
  | { readonly kind: "none"; readonly ring?: Ring };

/** Entries `readCityscapesObjects` will give, without painting anything. */
export function countCityscapesObjects(file: CityscapesFile): number {
  return file.objects.filter((object) => judge(object, "").kind !== "none").length;
}

/**
 * @param where the file, opens messages
 * @param firstOrdinal ordinal of the first entry
 */
export function readCityscapesObjects(
  file: CityscapesFile,
  where: string,
  imageId: number,
  firstOrdinal: number,
): Entry[] {
  const verdicts = file.objects.map((object, i) => judge(object, `${where}: objects[${i}]`, file.ownLabels));
  const parts = paint(verdicts, file);
  const instancesOfClass = new Map<number, number>();
  const entries: Entry[] = [];
  for (const [i, verdict] of verdicts.entries()) {
    if (verdict.kind === "none") continue;
    const ordinal = firstOrdinal + entries.length;
    const base = { ordinal, annotationId: ordinal + 1, imageId, raw: asObject(file.objects[i]!) };
    if (verdict.kind === "instance") {
      const k = instancesOfClass.get(verdict.classId) ?? 0;
      instancesOfClass.set(verdict.classId, k + 1);
      // Spread last: a number the file gives itself stays.
      const raw = { instanceId: verdict.classId * 1000 + k, ...base.raw };
      const part = parts === undefined ? tooLarge(file, where) : parts[i];
      entries.push(toEntry({ ...base, raw }, verdict.classId, part));
    } else if (verdict.kind === "skipped") {
      entries.push({ kind: "skipped", ...base, reason: verdict.reason });
    } else {
      entries.push({ kind: "failed", ...base, failure: verdict.failure });
    }
  }
  return entries;
}

function judge(object: JsonValue, where: string, ownLabels?: OwnLabels): Verdict {
  const raw = asObject(object);
  const { label, deleted } = raw;
  const name = typeof label === "string" ? label : "";
  const meaning = ownLabels?.meaningOf(name) ?? meaningOf(name);
  const coversOnly = meaning.kind === "stuff" || meaning.kind === "unpainted";
  if (deleted === 1 || deleted === true) return coversOnly ? { kind: "none" } : { kind: "skipped", reason: "deleted" };
  const violation = checkCityscapesObject(object);
  if (violation !== undefined)
    return failed("annotation-invalid", `${where}: ${describeViolation(violation)}. Correct or remove this object.`);
  const ring = (raw["polygon"] as [number, number][]).map(([x, y]) => ({ x, y }));
  switch (meaning.kind) {
    case "thing":
      return { kind: "instance", classId: meaning.id, ring };
    case "group":
      return { kind: "skipped", reason: "group", ring };
    case "stuff":
      return { kind: "none", ring };
    case "unpainted":
      return { kind: "none" };
    case "unknown":
      return {
        ...failed(
          "category-unknown",
          `${where}: expected a label of Cityscapes, received ${receivedOf(label)}. ` +
            "Rename it, or pass the boxes as a COCO file.",
        ),
        ring,
      };
  }
}

function failed(reason: Failure["reason"], message: string): Verdict & { kind: "failed" } {
  return { kind: "failed", failure: { reason, message } };
}

/**
 * One per verdict, undefined where nothing is visible; undefined as a whole for an image that is too large to paint.
 */
function paint(
  verdicts: readonly Verdict[],
  { width, height }: CityscapesFile,
): (VisiblePart | undefined)[] | undefined {
  if (width * height > MAX_PAINTED_PIXELS) return undefined;
  if (!verdicts.some((verdict) => verdict.kind === "instance")) return [];
  return findVisibleParts(
    verdicts.map((verdict) => ({ ring: verdict.ring ?? [], isWanted: verdict.kind === "instance" })),
    width,
    height,
  );
}

function tooLarge({ width, height }: CityscapesFile, where: string): Failure {
  const message =
    `${where}: expected an image of at most ${MAX_PAINTED_PIXELS} pixels to find the visible parts in, ` +
    `received ${width} x ${height}. Pass the boxes as a COCO file.`;
  return { reason: "image-too-large", message };
}

type EntryBase = Pick<Entry & { kind: "skipped" }, "ordinal" | "annotationId" | "imageId" | "raw">;

/** @param part undefined where nothing is visible */
function toEntry(base: EntryBase, classId: number, part: VisiblePart | Failure | undefined): Entry {
  if (part === undefined) return { kind: "skipped", ...base, reason: "hidden" };
  if ("reason" in part) return { kind: "failed", ...base, failure: part };
  return {
    kind: "instance",
    instance: { ...base, categoryId: classId, box: part.box, truth: { kind: "rle", rle: part.mask } },
  };
}

function asObject(value: JsonValue): JsonObject {
  return isJsonObject(value) ? value : {};
}
