/**
 * What the parts of a COCO file must hold for this program, and no more: unknown fields are the user's and pass
 * through. `bbox` and `segmentation` are missing here, because a broken box and a broken mask have reasons of their own
 * (geometry/box.ts, geometry/rle.ts). Source: the COCO data format, https://cocodataset.org/#format-data
 */
import { LONGEST_ID } from "../json/fields.js";
import { compileSchema, lazily } from "../../validate.js";

/** Beyond 2^53 JSON.parse rounds integers, and two ids could become one. */
const LARGEST = Number.MAX_SAFE_INTEGER;
const id = { type: ["number", "string"], minimum: -LARGEST, maximum: LARGEST, maxLength: LONGEST_ID };
const size = { type: "integer", minimum: 1, nullable: true };

/** @returns undefined for a valid category record, else what is wrong with it */
export const checkCocoCategory = lazily(() =>
  compileSchema({
    type: "object",
    required: ["id", "name"],
    properties: { id, name: { type: "string" } },
  }),
);

/** An image record that can be looked for. */
export const checkCocoImage = lazily(() =>
  compileSchema({
    type: "object",
    required: ["id", "file_name"],
    properties: { id, file_name: { type: "string", minLength: 1 } },
  }),
);

/** The size an image record claims; absent or null where it is not known. */
export const checkCocoImageSize = lazily(() =>
  compileSchema({
    type: "object",
    properties: { width: size, height: size },
  }),
);

/** An annotation of an instances file. `iscrowd` is 0 or 1; some exporters write booleans. */
export const checkCocoAnnotation = lazily(() =>
  compileSchema({
    type: "object",
    required: ["id", "image_id"],
    properties: { id, image_id: id, iscrowd: { enum: [0, 1, false, true, null] } },
  }),
);

/** An element of a results list: it has no id of its own. */
export const checkCocoResult = lazily(() =>
  compileSchema({
    type: "object",
    required: ["image_id"],
    properties: { image_id: id },
  }),
);
