/**
 * Polygons that are the parts of one object. CVAT and LabelMe have no other way to say it than a group: their own
 * converters to COCO make one instance of the shapes of one label in one group. Only polygons are joined: boxes of a
 * group stay objects of their own, as do polygons of this program with scores of their own.
 */
import { numberText } from "../../json-text.js";
import type { JsonObject, JsonValue } from "../../types.js";
import type { ForeignObject } from "./dataset.js";
import { boxAround, objectOf } from "./values.js";

/** @param objects of one image. @returns the same order, each object where its first part was */
export function joinParts(objects: readonly ForeignObject[]): readonly ForeignObject[] {
  const parts = new Map<string, ForeignObject[]>();
  const joined = objects.map((object): readonly ForeignObject[] | undefined => {
    const key = keyOf(object);
    if (key === undefined) return [object];
    const known = parts.get(key);
    if (known !== undefined) {
      known.push(object);
      return undefined;
    }
    const first = [object];
    parts.set(key, first);
    return first;
  });
  return joined.flatMap((some) => (some === undefined ? [] : [join(some)]));
}

function keyOf({ label, fields, problem }: ForeignObject): string | undefined {
  const attributes = objectOf(fields["attributes"]);
  const group = attributes?.["group_id"];
  if (problem !== undefined || fields["segmentation"] === undefined || group === undefined) return undefined;
  // Two numbers above 2^53 may be one double, and are two groups.
  const written = numberText(attributes!, "group_id") ?? group;
  return JSON.stringify([
    label ?? null,
    typeof group,
    written,
    attributes?.["polyrnn_score"] ?? attributes?.["description"] ?? null,
  ]);
}

function join(parts: readonly ForeignObject[]): ForeignObject {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const segmentation = parts.flatMap(({ fields }) => fields["segmentation"] as JsonValue[]);
  const fields: JsonObject = { ...first.fields, bbox: boxAround(parts.flatMap(cornersOf)), segmentation };
  return { ...first, at: `${first.at} and ${parts.length - 1} more of its group`, fields };
}

function cornersOf({ fields }: ForeignObject): [number, number][] {
  const [left, top, width, height] = fields["bbox"] as [number, number, number, number];
  return [
    [left, top],
    [left + width, top + height],
  ];
}
