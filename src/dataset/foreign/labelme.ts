/**
 * LabelMe JSON, a file per image: rectangles are boxes; polygons are ground truth, and their bounding box is the box;
 * polygons of one label in one group are parts of one object.
 * Flags, group and description come out as attributes. Points, lines and circles are no boxes. Source: github.com/
 * wkentaro/labelme, labelme/label_file.py.
 */
import { invalidData, receivedOf } from "../../errors.js";
import { describeValue } from "../../foreign.js";
import { childOf, joinFields, parseForeignJsonText, renamedField } from "../../json-text.js";
import { whyNotJson } from "../../files/recognize.js";
import type { JsonObject, JsonValue } from "../../types.js";
import type { ForeignImage, ForeignObject } from "./dataset.js";
import type { ForeignFormat } from "./format.js";
import { openAlone } from "./format.js";
import { joinParts } from "./parts.js";
import { openPerImage, stemOf } from "./text-file.js";
import { boxAround, isSide, objectOf } from "./values.js";

const open = openPerImage("labelme", readLabelMe);

export const LABELME: ForeignFormat = {
  title: "LabelMe",
  isJson: ({ keys }) => keys.includes("shapes") && keys.includes("imagePath"),
  openFile: openAlone(open),
  folder: {
    ending: ".json",
    isOne: ({ text }) => text.startsWith("{") && /"shapes"\s*:/u.test(text),
    open,
  },
};

/** @throws E_DATA for what is no LabelMe file */
function readLabelMe(text: string, path: string, name: string): Omit<ForeignImage, "sha256" | "path"> {
  const file = objectOf(parse(text, path));
  const shapes = file === undefined ? undefined : childOf(file, "shapes");
  if (file === undefined || !Array.isArray(shapes))
    throw invalidData(
      `${path}: expected a LabelMe file with shapes, received ${describeValue(file?.["shapes"] ?? null)}`,
      "Leave the file out, or pass the folder of one kind.",
    );
  const { imagePath, imageWidth, imageHeight } = file;
  const flags = objectOf(childOf(file, "flags"));
  const stem = stemOf(name);
  return {
    name: typeof imagePath === "string" && imagePath !== "" ? withoutParents(imagePath) : { stem },
    otherStem: stem,
    ...(isSide(imageWidth) && isSide(imageHeight) && { width: imageWidth, height: imageHeight }),
    fields: { ...(flags !== undefined && Object.keys(flags).length > 0 && { flags }) },
    objects: joinParts(shapes.map((shape, i) => readShape(shape, `shapes[${i}]`))),
  };
}

function parse(text: string, path: string): unknown {
  try {
    return parseForeignJsonText(text);
  } catch (error) {
    const { why, hint } = whyNotJson(Buffer.from(text), error, "Export the file again.");
    throw invalidData(`${path}: expected JSON, ${why}`, hint, error);
  }
}

/** The path starts at the JSON file, which lies beside or below the images. */
function withoutParents(path: string): string {
  return path.replaceAll("\\", "/").replace(/^(?:\.\.?\/)+/u, "");
}

function readShape(shape: JsonValue, at: string): ForeignObject {
  const object = objectOf(shape);
  const label = typeof object?.["label"] === "string" && object["label"] !== "" ? object["label"] : undefined;
  const problem = (message: string): ForeignObject => ({
    at,
    label,
    fields: {},
    problem: { reason: "annotation-invalid", message },
  });
  if (object === undefined) return problem(`expected an object, received ${receivedOf(shape)}`);
  const type = object["shape_type"] ?? "polygon";
  if (type !== "rectangle" && type !== "polygon")
    return problem(`expected a rectangle or a polygon, received ${receivedOf(type)}`);
  const points = pointsOf(object["points"]);
  if (typeof points === "string") return problem(points);
  const least = type === "rectangle" ? 2 : 3;
  if (points.length < least) return problem(`expected at least ${least} points, received ${points.length}`);
  const attributes = attributesOf(object);
  const fields: JsonObject = {
    bbox: boxAround(points),
    ...(type === "polygon" && { segmentation: [points.flat()] }),
    iscrowd: 0,
    ...(Object.keys(attributes).length > 0 && { attributes }),
  };
  return { at, label, fields };
}

function pointsOf(value: JsonValue | undefined): (readonly [number, number])[] | string {
  if (!Array.isArray(value)) return `expected points, received ${receivedOf(value)}`;
  const points: (readonly [number, number])[] = [];
  for (const [i, point] of value.entries()) {
    if (!Array.isArray(point) || point.length !== 2 || !point.every((part) => Number.isFinite(part)))
      return `expected points[${i}] to be two numbers, received ${describeValue(point)}`;
    points.push(point as [number, number]);
  }
  return points;
}

function attributesOf(shape: JsonObject): JsonObject {
  const { group_id: group, description } = shape;
  return joinFields(
    objectOf(childOf(shape, "flags")) ?? {},
    group === null ? {} : renamedField(shape, "group_id"),
    typeof description === "string" && description !== "" ? { description } : {},
  );
}
