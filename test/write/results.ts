/** Results to write, and a folder to write them to. Shared by the tests of the writers. */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach } from "vitest";
import type { Category, Id, Instance, JsonObject, Outcome, Ring, SkipReason, Truth } from "../../src/types.js";
import type { ImageResult, ResultItem, WriteContext } from "../../src/write/writer.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** An empty folder per test, removed afterwards. */
export function useFolder(): { readonly path: string } {
  const folder = { path: "" };
  beforeEach(() => {
    folder.path = temporaryFolder();
  });
  return folder;
}

/** Every file below a folder, relative, sorted. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();
}

export async function readJson<T = JsonObject>(...path: string[]): Promise<T> {
  return JSON.parse(await readFile(join(...path), "utf8")) as T;
}

export const CATEGORIES: readonly Category[] = [
  { id: 3, name: "car", raw: { id: 3, name: "car", supercategory: "vehicle" } },
  { id: 17, name: "person", raw: { id: 17, name: "person" } },
];

export function contextOf(out: string, more: Partial<WriteContext> = {}): WriteContext {
  return { out, categories: CATEGORIES, header: {}, generator: "polyrnn 0.0.0, model test", ...more };
}

export const TRIANGLE: Ring = [
  { x: 10, y: 10 },
  { x: 60.25, y: 12.5 },
  { x: 30, y: 44.13 },
];

export function instanceOf(
  ordinal: number,
  more: { raw?: JsonObject; categoryId?: Id; imageId?: Id; truth?: Truth } = {},
): Instance {
  const { raw = {}, categoryId = 3, imageId = 1, truth } = more;
  return {
    ordinal,
    annotationId: ordinal + 100,
    imageId,
    categoryId,
    box: { left: 5, top: 6, width: 70, height: 50 },
    raw: { id: ordinal + 100, image_id: imageId, category_id: categoryId, bbox: [5, 6, 70, 50], ...raw },
    ...(truth === undefined ? {} : { truth }),
  };
}

export function done(instance: Instance, ring: Ring = TRIANGLE, score = 0.8125): ResultItem {
  return {
    kind: "outcome",
    instance,
    outcome: {
      ...keysOf(instance),
      status: "done",
      ring,
      score,
      ended: true,
      clipped: false,
      imageWidth: 100,
      imageHeight: 80,
    },
  };
}

export function failed(instance: Instance): ResultItem {
  return {
    kind: "outcome",
    instance,
    outcome: { ...keysOf(instance), status: "failed", reason: "too-few-vertices", message: "" },
  };
}

export function skipped(instance: Instance, reason: SkipReason): ResultItem {
  return { kind: "outcome", instance, outcome: { ...keysOf(instance), status: "skipped", reason } };
}

/** An annotation that the reader passed over, so that it has no instance. */
export function rejected(raw: JsonObject, outcome: Partial<Outcome>): ResultItem {
  return { kind: "rejected", raw, outcome: { ordinal: 0, annotationId: 1, imageId: 1, ...outcome } as Outcome };
}

function keysOf({ ordinal, annotationId, imageId }: Instance): Pick<Instance, "ordinal" | "annotationId" | "imageId"> {
  return { ordinal, annotationId, imageId };
}

export function resultOf(
  items: readonly ResultItem[],
  more: Partial<ImageResult> & { fileName?: string; raw?: JsonObject } = {},
): ImageResult {
  const { fileName = "street.jpg", raw = { id: 1, file_name: fileName, width: 100, height: 80 }, ...fields } = more;
  return {
    image: { id: 1, fileName, raw },
    size: { width: 100, height: 80 },
    path: join("/photos", fileName),
    items,
    ...fields,
  };
}

/** As when the image was never opened and the input does not say. */
export function withoutSize(result: ImageResult): ImageResult {
  return Object.fromEntries(Object.entries(result).filter(([key]) => key !== "size")) as unknown as ImageResult;
}

/** Rings of 3 to 12 vertices inside a 100 x 80 image, two decimals. */
export const anyRing: fc.Arbitrary<Ring> = fc.array(
  fc.record({
    x: fc.integer({ min: 0, max: 10_000 }).map((v) => v / 100),
    y: fc.integer({ min: 0, max: 8_000 }).map((v) => v / 100),
  }),
  { minLength: 3, maxLength: 12 },
);
