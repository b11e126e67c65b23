/**
 * CityPersons objects (`*_gtBboxCityPersons.json`) to entries. The box is `bboxVis`, the visible part; `bbox` is the
 * whole body with hidden parts guessed, and stays in `raw` with `instanceId`. Regions ("person group", "ignore") are
 * skipped as groups. These files hold no ground truth. Source: Zhang, Benenson, Schiele, "CityPersons", CVPR 2017;
 * github.com/mcordts/cityscapesScripts, helpers/annotation.py.
 */
import { receivedOf } from "../../errors.js";
import { checkBox } from "../../geometry/box.js";
import type { FailReason, JsonObject, JsonValue } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { Entry } from "../dataset.js";
import type { CityscapesFile } from "./file.js";
import { checkCityPersonsObject } from "./file.js";
import { CITYPERSONS_CATEGORIES, CITYPERSONS_REGIONS, personCategory } from "./labels.js";

/** Every object is an entry. */
export function countCityPersonsObjects(file: CityscapesFile): number {
  return file.objects.length;
}

/**
 * @param where the file, opens messages
 * @param firstOrdinal ordinal of the first entry
 */
export function readCityPersonsObjects(
  file: CityscapesFile,
  where: string,
  imageId: number,
  firstOrdinal: number,
): Entry[] {
  return file.objects.map((object, i) => readObject(object, `${where}: objects[${i}]`, imageId, firstOrdinal + i));
}

function readObject(object: JsonValue, where: string, imageId: number, ordinal: number): Entry {
  const violation = checkCityPersonsObject(object);
  const raw = violation === undefined ? (object as JsonObject) : {};
  const base = { ordinal, annotationId: ordinal + 1, imageId, raw };
  const fail = (reason: FailReason, message: string): Entry => ({
    kind: "failed",
    ...base,
    failure: { reason, message: `${message}. Correct or remove this object.` },
  });
  if (violation !== undefined) return fail("annotation-invalid", `${where}: ${describeViolation(violation)}`);

  const label = raw["label"] as string;
  if (CITYPERSONS_REGIONS.has(label)) return { kind: "skipped", ...base, reason: "group" };
  const categoryId = personCategory(label);
  if (categoryId === undefined) {
    const known = CITYPERSONS_CATEGORIES.map(({ name }) => receivedOf(name)).join(", ");
    return fail("category-unknown", `${where}: expected a label among ${known}, received ${receivedOf(label)}`);
  }
  const checked = checkBox(raw["bboxVis"], `${where}, bboxVis`);
  if (checked.kind === "failed") return fail(checked.failure.reason, checked.failure.message);
  return { kind: "instance", instance: { ...base, categoryId, box: checked.box } };
}
