/**
 * What an index needs of a journal line, read from its bytes. Finished polygons are most of a journal, and building
 * their rings would take most of the time in which a run is opened. Only what this program writes, character for
 * character, is known here: of every other line the whole is parsed.
 */
import { crc32 } from "node:zlib";
import type { Outcome } from "../types.js";

/** An outcome without its polygon and its ids. */
export type OutcomeHead =
  | { readonly ordinal: number; readonly status: "done"; readonly score: number }
  | { readonly ordinal: number; readonly status: "failed" | "skipped"; readonly reason: string };

export function headOf(outcome: Outcome): OutcomeHead {
  const { ordinal, status } = outcome;
  return status === "done" ? { ordinal, status, score: outcome.score } : { ordinal, status, reason: outcome.reason };
}

// No exponents, few digits: every such number is finite, and every whole one is exact.
const WHOLE = "(?:0|[1-9]\\d{0,14})";
const NUMBER = `-?${WHOLE}(?:\\.\\d{1,15})?`;
/** Text without escapes. */
const ID = `(?:${NUMBER}|"[ !#-\\[\\]-~]*")`;
const VERTEX = `\\{"x":${NUMBER},"y":${NUMBER}\\}`;
const BOOLEAN = "(?:true|false)";
/** A part never begins as what may follow it does, so that nothing is tried twice. */
const DONE_LINE = new RegExp(
  `^\\{"type":"outcome","ordinal":(${WHOLE}),"annotationId":${ID},"imageId":${ID},"status":"done",` +
    `"ring":\\[${VERTEX}(?:,${VERTEX}){2,}\\],"score":(${NUMBER}),"ended":${BOOLEAN},"clipped":${BOOLEAN},` +
    `"imageWidth":${WHOLE},"imageHeight":${WHOLE},"check":"([0-9a-f]{8})"\\}$`,
);
/** Bytes; our lines have some hundred. A longer one may need more stack than the expression is given. */
const LONGEST_LINE = 1 << 16;
const CLOSE = Buffer.from("}");
const CHECK_BYTES = ',"check":"01234567"}'.length;

/**
 * @param bytes one line, without its line break
 * @returns undefined for a line that is not a sound polygon as it is written here: damaged, of another kind, or unusual
 */
export function readDoneLine(bytes: Buffer): OutcomeHead | undefined {
  if (bytes.length > LONGEST_LINE) return undefined;
  const [, ordinal, score, check] = DONE_LINE.exec(bytes.toString("latin1")) ?? [];
  if (check === undefined) return undefined;
  // The line is ASCII, so its bytes are those that the checksum was made of.
  const sum = crc32(CLOSE, crc32(bytes.subarray(0, -CHECK_BYTES)));
  return parseInt(check, 16) === sum ? { ordinal: Number(ordinal), status: "done", score: Number(score) } : undefined;
}
