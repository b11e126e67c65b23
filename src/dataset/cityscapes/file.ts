/**
 * One Cityscapes or CityPersons file: read whole, because they are small, and checked. Unknown fields pass through.
 * Source: github.com/mcordts/cityscapesScripts, helpers/annotation.py.
 */
import { invalidData } from "../../errors.js";
import { keepElementTexts, setField } from "../../json-text.js";
import type { JsonObject, JsonValue } from "../../types.js";
import { compileSchema, describeViolation, lazily } from "../../validate.js";
import { openByteFile } from "../json/byte-file.js";
import { walkJson } from "../json/elements.js";
import type { OwnLabels } from "./labels.js";

export interface CityscapesFile {
  readonly width: number;
  readonly height: number;
  readonly objects: readonly JsonValue[];
  /** Everything but the objects. */
  readonly header: JsonObject;
  readonly sha256: string;
  /** Labels that the data set adds to Cityscapes' own; absent: none. */
  readonly ownLabels?: OwnLabels;
}

/** @throws E_MISSING or E_DATA */
export async function readCityscapesFile(path: string): Promise<CityscapesFile> {
  const file = await openByteFile(path, "box file");
  try {
    const raw: JsonObject = {};
    const outline = await walkJson(file, {
      value(key, value, text) {
        if (key === "objects" && Array.isArray(value)) {
          raw[key] = value;
          keepElementTexts(value, text());
        } else setField(raw, key, value, text);
      },
    });
    const violation = checkCityscapesFile(raw);
    if (violation !== undefined) {
      throw invalidData(
        `${path}: ${describeViolation(violation)}`,
        "Expected a Cityscapes file with imgWidth, imgHeight and objects; export it again.",
      );
    }
    const { objects, ...header } = raw;
    return {
      width: raw["imgWidth"] as number,
      height: raw["imgHeight"] as number,
      objects: objects as JsonValue[],
      header,
      sha256: outline.sha256,
    };
  } finally {
    await file.close();
  }
}

/** Pixels; how many there are in all is checked where they are painted. */
const side = { type: "integer", minimum: 1, maximum: 65_535 };

/** One file; its objects are checked one by one, so that a bad one costs only itself. */
const checkCityscapesFile = lazily(() =>
  compileSchema({
    type: "object",
    required: ["imgWidth", "imgHeight", "objects"],
    properties: { imgWidth: side, imgHeight: side, objects: { type: "array" } },
  }),
);

/** Vertices further out cannot belong to an image whose sides are at most 65,535. */
const coordinate = { type: "number", minimum: -1e6, maximum: 1e6 };

/** Bounds the time it takes to fill one outline; people draw some hundred vertices. */
const MOST_VERTICES = 20_000;

/** An object of a `*_gtFine_polygons.json`. */
export const checkCityscapesObject = lazily(() =>
  compileSchema({
    type: "object",
    required: ["label", "polygon"],
    properties: {
      label: { type: "string" },
      deleted: { enum: [0, 1, false, true] },
      polygon: {
        type: "array",
        minItems: 3,
        maxItems: MOST_VERTICES,
        items: { type: "array", items: coordinate, minItems: 2, maxItems: 2 },
      },
    },
  }),
);

/** An object of a `*_gtBboxCityPersons.json`; its `bboxVis` is checked as a box. */
export const checkCityPersonsObject = lazily(() =>
  compileSchema({
    type: "object",
    required: ["label"],
    properties: { label: { type: "string" } },
  }),
);
