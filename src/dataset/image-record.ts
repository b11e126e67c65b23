/** An image record of a COCO file, from bytes to the record and whether it can be looked for. */
import { receivedOf } from "../errors.js";
import { checkCocoImage, checkCocoImageSize } from "../schema/coco.js";
import { describeViolation } from "../schema/validate.js";
import type { FailReason, Failure, Id, ImageRecord, JsonObject } from "../types.js";
import { describeProblem, parseJsonBytes } from "./json-value.js";

export interface ReadImageRecord {
  readonly image: ImageRecord;
  /** Why there is no use in looking for the image's file. */
  readonly failure?: Failure;
}

const NEXT_STEP = "Correct this image record.";

/**
 * Never throws: a broken record costs its own annotations only.
 * @param offset place of the bytes in the file
 * @param id as the index found it
 */
export function readImageRecord(
  bytes: Buffer,
  offset: number,
  file: string,
  position: number,
  id: Id,
): ReadImageRecord {
  const where = `${file}: images[${position}] (id ${receivedOf(id)})`;
  const fail = (image: ImageRecord, reason: FailReason, message: string): ReadImageRecord => ({
    image,
    failure: { reason, message: `${where}${message}. ${NEXT_STEP}` },
  });
  const parsed = parseJsonBytes(bytes, offset);
  if (parsed.kind === "problem")
    return fail({ id, fileName: "", raw: {} }, "image-missing", `, ${describeProblem(parsed)}`);

  // An object, or the index would not have found its id.
  const raw = parsed.value as JsonObject;
  const violation = checkCocoImage(raw);
  if (violation !== undefined)
    return fail({ id, fileName: "", raw }, "image-missing", `: ${describeViolation(violation)}`);
  const named = { id, fileName: raw["file_name"] as string, raw };
  const wrongSize = checkCocoImageSize(raw);
  if (wrongSize !== undefined) return fail(named, "image-size", `: ${describeViolation(wrongSize)}`);
  const { width, height } = raw;
  return {
    image: { ...named, ...(typeof width === "number" && { width }), ...(typeof height === "number" && { height }) },
  };
}
