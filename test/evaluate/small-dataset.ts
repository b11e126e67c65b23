/**
 * A small data set with predictions in a folder of its own, and an evaluation of it. Shared by the tests of the
 * evaluation.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach } from "vitest";
import { evaluate } from "../../src/evaluate/evaluate.js";
import type { EvaluateOptions } from "../../src/evaluate/options.js";
import type { ResultRow } from "../../src/report/csv.js";
import type { Evaluation } from "../../src/report/types.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** An empty folder per test, removed afterwards. */
export function useFolder(): { readonly path: string } {
  const folder = { path: "" };
  beforeEach(() => {
    folder.path = temporaryFolder();
  });
  return folder;
}

/** [x1, y1, x2, y2, ...] of a rectangle; by COCO's rule it fills width * height pixels. */
export function rectangle(left: number, top: number, width: number, height: number): number[] {
  return [left, top, left + width, top, left + width, top + height, left, top + height];
}

export interface Annotation {
  readonly [field: string]: unknown;
}

/** An annotation whose box is the rectangle it is made of. */
export function annotation(
  id: number | string,
  left: number,
  top: number,
  width: number,
  height: number,
  more: Annotation = {},
): Annotation {
  return {
    id,
    image_id: 1,
    category_id: 1,
    bbox: [left, top, width, height],
    segmentation: [rectangle(left, top, width, height)],
    iscrowd: 0,
    ...more,
  };
}

export const CATEGORIES = [
  { id: 1, name: "car" },
  { id: 7, name: "person" },
];
export const IMAGES = [
  { id: 1, file_name: "weimar_000001.jpg", width: 100, height: 80, source: "street" },
  { id: 2, file_name: "zurich_000002.jpg", width: 60, height: 40, source: "park" },
];

/** @returns the path of a COCO file */
export function writeCoco(
  folder: string,
  name: string,
  annotations: readonly unknown[],
  images: readonly unknown[] = IMAGES,
): string {
  return writeJson(folder, name, { images, annotations, categories: CATEGORIES });
}

export function writeJson(folder: string, name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

export interface Result extends Evaluation {
  readonly rows: readonly ResultRow[];
  readonly names: readonly string[];
  readonly notes: readonly string[];
}

export async function evaluateFiles(
  predictions: string,
  truth: string,
  more: Partial<EvaluateOptions> = {},
): Promise<Result> {
  const rows: ResultRow[] = [];
  const notes: string[] = [];
  let names: readonly string[] = [];
  const evaluation = await evaluate(
    {
      predictions,
      truth,
      compare: [],
      rasterizer: "coco",
      groupBy: { kind: "none" },
      minArea: 0,
      seed: 1,
      resamples: 100,
      generator: "polyrnn 0.0.0",
      ...more,
    },
    {
      signal: new AbortController().signal,
      note: (line) => {
        notes.push(line);
      },
      progress: () => undefined,
      methods: (given) => {
        names = given;
        return Promise.resolve();
      },
      row: (row) => {
        rows.push(row);
        return Promise.resolve();
      },
    },
  );
  return { ...evaluation, rows, names, notes };
}
