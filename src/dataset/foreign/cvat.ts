/**
 * CVAT XML 1.1 "for images": an element per image with its size; boxes are boxes, polygons are ground truth and their
 * bounding box is the box; polygons of one label in one group are parts of one object. Attributes, group, z-order and occlusion come out as attributes, tags with the image.
 * Polylines, points and the rest are no boxes. The file is read as a stream. Source: CVAT's documentation, page "CVAT
 * for image".
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { invalidData, receivedOf } from "../../errors.js";
import { joinFields, setField } from "../../json-text.js";
import type { JsonObject } from "../../types.js";
import type { ByteFile } from "../json/byte-file.js";
import { openByteFile } from "../json/byte-file.js";
import type { ForeignImage, ForeignObject, ForeignReader } from "./dataset.js";
import type { FileStart, FolderInput, ForeignFormat } from "./format.js";
import { joinParts } from "./parts.js";
import { Utf8Reader } from "./text-file.js";
import type { XmlElement } from "./xml.js";
import { XmlReader } from "./xml.js";
import { boxAround, boxOfCorners, numberOf, sideOf } from "./values.js";

const CHUNK_BYTES = 1 << 20;

const isCvat = ({ root }: FileStart): boolean => root === "annotations";

export const CVAT: ForeignFormat = {
  title: "CVAT",
  isFile: isCvat,
  openFile: ({ file }) => openCvat(file),
  folder: { ending: ".xml", isOne: isCvat, open: openOnly },
};

/** One file holds all images: there is nothing that several could be. */
async function openOnly({ folder, names }: FolderInput): Promise<ForeignReader> {
  if (names.length > 1)
    throw invalidData(
      `${folder}: expected one CVAT file, received ${names.length} (${names.slice(0, 3).map(receivedOf).join(", ")})`,
      "Pass one of the files by its own name.",
    );
  return openCvat(await openByteFile(join(folder, names[0]!), "box file"));
}

/** Walking reads the file again. */
function openCvat(file: ByteFile): ForeignReader {
  return {
    format: "cvat",
    source: file.path,
    isRelative: false,
    walk: () => walk(file),
    close: () => file.close(),
  };
}

async function* walk(file: ByteFile): AsyncGenerator<ForeignImage> {
  const found: XmlElement[] = [];
  const reader = new XmlReader(file.path, { unit: "image", element: (element) => found.push(element) });
  const decoder = new Utf8Reader(file.path);
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ;) {
    await file.checkUnchanged();
    const read = await file.read(chunk, at);
    at += read;
    reader.write(decoder.decode(chunk.subarray(0, read)));
    for (const element of found) yield toImage(element, file.path);
    found.length = 0;
    if (read === 0) break;
  }
  reader.end();
}

/** Shapes of CVAT that are no boxes. */
const OTHER_SHAPES: ReadonlySet<string> = new Set(["polyline", "points", "mask", "cuboid", "ellipse", "skeleton"]);

function toImage(element: XmlElement, path: string): ForeignImage {
  const { attributes, children, line } = element;
  const name = attributes.get("name") ?? "";
  const [width, height] = ["width", "height"].map((key) => sideOf(attributes.get(key)));
  const tags = children
    .filter((child) => child.name === "tag")
    .map((tag): JsonObject => ({ label: tag.attributes.get("label") ?? "", ...attributesOf(tag) }));
  const shapes = children.filter(
    (child) => child.name === "box" || child.name === "polygon" || OTHER_SHAPES.has(child.name),
  );
  const image = {
    name,
    ...(width !== undefined && height !== undefined && { width, height }),
    path,
    fields: tags.length > 0 ? { tags } : {},
    objects: joinParts(shapes.map((shape) => readShape(shape))),
  };
  const sha256 = createHash("sha256")
    .update(JSON.stringify({ ...image, path: "" }))
    .digest("hex");
  if (name !== "") return { ...image, sha256 };
  const failure = `${path}, line ${line}: expected an image with a name, received none. Correct the file.`;
  return { ...image, objects: [], failure, sha256 };
}

function readShape(shape: XmlElement): ForeignObject {
  const { name, attributes, line } = shape;
  const at = `${name} in line ${line}`;
  const label = attributes.get("label");
  const kept = keptOf(shape);
  const problem = (message: string): ForeignObject => ({
    at,
    label,
    fields: kept,
    problem: { reason: "annotation-invalid", message },
  });
  if (name === "box") {
    const corners = ["xtl", "ytl", "xbr", "ybr"] as const;
    const box = boxOfCorners(
      corners.map((key) => attributes.get(key)),
      [...corners],
    );
    if ("problem" in box) return problem(box.problem);
    const [left, top, right, bottom] = box.corners;
    return {
      at,
      label,
      fields: { bbox: boxAround(turned([left, top, right, bottom], attributes.get("rotation"))), ...kept },
    };
  }
  if (name !== "polygon") return problem(`expected a box or a polygon, received a ${receivedOf(name).slice(1, -1)}`);
  const points = (attributes.get("points") ?? "").split(";").map((point) => point.split(",").map(numberOf));
  if (points.length < 3 || points.some((point) => point.length !== 2 || point.includes(undefined)))
    return problem(`expected points as x,y;x,y;x,y, received ${receivedOf(attributes.get("points"))}`);
  const ring = points as [number, number][];
  return { at, label, fields: { bbox: boxAround(ring), segmentation: [ring.flat()], ...kept } };
}

/** Corners of a box that is turned about its middle, degrees clockwise. */
function turned(
  [left, top, right, bottom]: readonly [number, number, number, number],
  rotation: string | undefined,
): [number, number][] {
  const angle = ((numberOf(rotation) ?? 0) * Math.PI) / 180;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const corners: [number, number][] = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
  if (angle === 0) return corners;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return corners.map(([a, b]) => [x + (a - x) * cos - (b - y) * sin, y + (a - x) * sin + (b - y) * cos]);
}

function keptOf(shape: XmlElement): JsonObject {
  const { attributes } = shape;
  const group = attributes.get("group_id");
  const order = numberOf(attributes.get("z_order"));
  const rotation = numberOf(attributes.get("rotation"));
  const kept: JsonObject = joinFields(
    attributesOf(shape),
    attributes.get("occluded") === "1" ? { occluded: true } : {},
    // 0 is no group.
    group === undefined || group === "0" ? {} : numberField("group_id", group),
    order === undefined || order === 0 ? {} : numberField("z_order", attributes.get("z_order")!),
    rotation !== undefined && rotation !== 0 ? { rotation } : {},
  );
  return { iscrowd: 0, ...(Object.keys(kept).length > 0 && { attributes: kept }) };
}

/** As in JSON. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/iu;

/** A number as it is written, where JSON can write it so; other text stays text. */
function numberField(key: string, text: string): JsonObject {
  const value = numberOf(text);
  const field: JsonObject = {};
  if (value === undefined) return { [key]: text };
  setField(field, key, value, () => (JSON_NUMBER.test(text) ? text : String(value)));
  return field;
}

function attributesOf({ children }: XmlElement): JsonObject {
  const own = children.filter(({ name, attributes }) => name === "attribute" && attributes.has("name"));
  return Object.fromEntries(own.map(({ attributes, text }) => [attributes.get("name")!, text]));
}
