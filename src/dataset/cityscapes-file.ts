/** One Cityscapes or CityPersons file: read whole (they are small), checked, with its sha256. */
import { invalidData } from "../errors.js";
import { checkCityscapesFile } from "../schema/cityscapes.js";
import { describeViolation } from "../schema/validate.js";
import type { JsonObject, JsonValue } from "../types.js";
import { openByteFile } from "./byte-file.js";
import { walkJson } from "./json-elements.js";

export interface CityscapesFile {
  readonly width: number;
  readonly height: number;
  readonly objects: readonly JsonValue[];
  /** Everything but the objects. */
  readonly header: JsonObject;
  readonly sha256: string;
}

/** @throws E_MISSING or E_DATA */
export async function readCityscapesFile(path: string): Promise<CityscapesFile> {
  const file = await openByteFile(path, "box file");
  try {
    const raw: JsonObject = {};
    const outline = await walkJson(file, {
      value(key, value) {
        Object.defineProperty(raw, key, { value, enumerable: true, configurable: true, writable: true });
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
