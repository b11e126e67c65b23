/**
 * Label Studio's JSON export: a list of tasks. Rectangles are boxes (a turned one gives its bounding box), polygons are
 * ground truth. Numbers are per cent of the image's size, which stands beside each result. People's annotations count;
 * where a task has none, its predictions. Source: Label Studio's documentation, "Label Studio JSON format of annotated
 * tasks" and the tags RectangleLabels and PolygonLabels.
 */
import { createHash } from "node:crypto";
import { reasonOf, receivedOf } from "../../errors.js";
import { describeValue } from "../../foreign.js";
import { childOf, joinFields, parseForeignJsonText, renamedField } from "../../json-text.js";
import type { JsonObject, JsonValue } from "../../types.js";
import type { ByteFile, ByteRange } from "../json/byte-file.js";
import { RangeReader } from "../json/byte-file.js";
import { walkJson } from "../json/elements.js";
import type { ForeignImage, ForeignObject, ForeignReader } from "./dataset.js";
import type { ForeignFormat } from "./format.js";
import { boxAround, isSide, objectOf } from "./values.js";

export const LABEL_STUDIO: ForeignFormat = {
  title: "Label Studio",
  isJson: ({ root, isResults }) => root === "list" && !isResults,
  async openFile({ file }) {
    const tasks = await tasksIn(file);
    return tasks === undefined ? undefined : openLabelStudio(file, tasks);
  },
};

/** @returns undefined where elements of the list are no tasks */
async function tasksIn(file: ByteFile): Promise<readonly ByteRange[] | undefined> {
  const tasks: ByteRange[] = [];
  const seen = { other: false };
  await walkJson(file, {
    root: {
      fields: ["data", "annotations", "predictions"],
      element({ offset, length, fields }) {
        if (!fields.has(0) || !(fields.has(1) || fields.has(2))) seen.other = true;
        tasks.push({ offset, length });
      },
    },
  });
  return seen.other || tasks.length === 0 ? undefined : tasks;
}

/** @param tasks byte ranges of the elements of the list, in order */
function openLabelStudio(file: ByteFile, tasks: readonly ByteRange[]): ForeignReader {
  return {
    format: "label-studio",
    source: file.path,
    isRelative: false,
    async *walk() {
      const reader = new RangeReader(file);
      for (const [i, task] of tasks.entries()) {
        if (i % 256 === 0) await file.checkUnchanged();
        const [bytes] = await reader.read([task]);
        yield toImage(bytes!, file.path, i);
      }
    },
    close: () => file.close(),
  };
}

function toImage(bytes: Buffer, path: string, number: number): ForeignImage {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const at = `task[${number}]`;
  let task: JsonObject | undefined;
  try {
    task = objectOf(parseForeignJsonText(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (error) {
    const failure = `${path}: ${at}: expected JSON, received ${reasonOf(error)}. Export the tasks again.`;
    return { name: "", path, fields: {}, objects: [], failure, sha256 };
  }
  const data = objectOf(task?.["data"]);
  const address =
    data === undefined ? undefined : (data["image"] ?? data["img"] ?? Object.values(data).find(isAddress));
  if (task === undefined || typeof address !== "string") {
    const failure = `${path}: ${at}: expected a task with data.image, received ${describeValue(task?.["data"] ?? null)}. Export the tasks again.`;
    return { name: "", path, fields: {}, objects: [], failure, sha256 };
  }
  const results = resultsOf(task);
  return {
    name: nameOfAddress(typeof data!["file_name"] === "string" ? data!["file_name"] : address),
    path,
    fields: renamedField(task, "id", "task_id"),
    objects: results.flatMap((result, i) => readResult(result, `${at}, result[${i}]`) ?? []),
    sha256,
  };
}

function isAddress(value: JsonValue): boolean {
  return typeof value === "string" && /\.(?:jpe?g|png|webp|tiff?|gif|avif)(?:$|[?#])/iu.test(value);
}

/** Those of the last annotation that was not cancelled, else of the last prediction. */
function resultsOf(task: JsonObject): readonly JsonValue[] {
  const sound = (list: JsonValue | undefined): JsonObject[] =>
    (Array.isArray(list) ? list : []).flatMap((one) => {
      const object = objectOf(one);
      return object === undefined || object["was_cancelled"] === true ? [] : [object];
    });
  const last = sound(childOf(task, "annotations")).at(-1) ?? sound(childOf(task, "predictions")).at(-1);
  const results = last === undefined ? undefined : childOf(last, "result");
  return Array.isArray(results) ? results : [];
}

/** "/data/local-files/?d=a%2Fb.jpg", "s3://bucket/a/b.jpg", "/data/upload/1/a.jpg" -> the path in it */
function nameOfAddress(address: string): string {
  const local = /[?&]d=([^&#]*)/u.exec(address)?.[1];
  const path = local ?? address.replace(/[?#].*$/su, "").replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/iu, "");
  const name = path.replace(/^\/+(?:data\/upload\/(?:\d+\/)?)?/u, "");
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const KINDS = { rectanglelabels: "rectangle", polygonlabels: "polygon" } as const;

/** @returns undefined for a result that is no shape: choices, ratings, text */
function readResult(value: JsonValue, at: string): ForeignObject | undefined {
  const result = objectOf(value);
  const type = result?.["type"];
  if (result !== undefined && (typeof type !== "string" || !/labels$|^(?:rectangle|polygon)$/iu.test(type)))
    return undefined;
  const problem = (message: string): ForeignObject => ({
    at,
    label: undefined,
    fields: {},
    problem: { reason: "annotation-invalid", message },
  });
  if (result === undefined) return problem(`expected an object, received ${receivedOf(value)}`);
  if (typeof type !== "string" || !Object.hasOwn(KINDS, type))
    return problem(`expected rectanglelabels or polygonlabels, received ${receivedOf(type)}`);
  const shape = objectOf(result["value"]);
  const labels = shape?.[type];
  const label: JsonValue | undefined = Array.isArray(labels) ? labels[0] : undefined;
  const { original_width: width, original_height: height } = result;
  if (shape === undefined || !isSide(width) || !isSide(height))
    return problem(
      `expected value, original_width and original_height, received ${describeValue({ original_width: width ?? null, original_height: height ?? null })}`,
    );
  const points = type === "polygonlabels" ? ringOf(shape["points"]) : cornersOf(shape, width / height);
  if (typeof points === "string") return problem(points);
  const pixels = points.map(([x, y]) => [round((x * width) / 100), round((y * height) / 100)] as const);
  const { rotation } = shape;
  const attributes = joinFields(
    typeof rotation === "number" && rotation !== 0 ? { rotation } : {},
    renamedField(result, "id", "result_id"),
  );
  const score = typeof result["score"] === "number" ? renamedField(result, "score") : {};
  const fields: JsonObject = joinFields(
    {
      bbox: boxAround(pixels),
      ...(type === "polygonlabels" && { segmentation: [pixels.flat()] }),
      iscrowd: 0,
    },
    score,
    Object.keys(attributes).length > 0 ? { attributes } : {},
  );
  return { at, label: typeof label === "string" && label !== "" ? label : undefined, fields };
}

/** Of per cents of whole pixels, which were cut to some decimals. */
function round(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}

const MOST_POINTS = 100_000;

function ringOf(points: JsonValue | undefined): (readonly [number, number])[] | string {
  if (!Array.isArray(points) || points.length < 3 || points.length > MOST_POINTS)
    return `expected at least three points, received ${receivedOf(points)}`;
  const ring = points as [number, number][];
  const bad = points.find(
    (point) => !Array.isArray(point) || point.length !== 2 || !point.every((part) => Number.isFinite(part)),
  );
  return bad === undefined ? ring : `expected points of two numbers, received ${describeValue(bad)}`;
}

/** A rectangle is turned about its upper left corner, degrees clockwise. @param ratio width over height of the image */
function cornersOf(shape: JsonObject, ratio: number): (readonly [number, number])[] | string {
  const { x, y, width, height, rotation = 0 } = shape;
  const numbers = [x, y, width, height, rotation];
  const names = ["x", "y", "width", "height", "rotation"];
  const bad = numbers.findIndex((number) => typeof number !== "number" || !Number.isFinite(number));
  if (bad >= 0) return `expected ${names[bad]!} to be a number, received ${describeValue(numbers[bad] ?? null)}`;
  const [left, top, w, h, degrees] = numbers as [number, number, number, number, number];
  if (w < 0 || h < 0) return `expected width and height of 0 or more, received ${w} and ${h}`;
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const corner = (a: number, b: number): readonly [number, number] => [
    left + a * cos - (b * sin) / ratio,
    top + a * sin * ratio + b * cos,
  ];
  return [corner(0, 0), corner(w, 0), corner(w, h), corner(0, h)];
}
