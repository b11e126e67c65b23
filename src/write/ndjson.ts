/** The stream of `--out -`: one COCO annotation per line, as in annotations.json, in input order. */
import type { DoneOutcome, Instance } from "../types.js";
import { drawnAnnotation } from "./coco-annotation.js";

/** @returns one line without its line break */
export function resultLine(instance: Instance, outcome: DoneOutcome): string {
  return JSON.stringify(drawnAnnotation(instance, outcome));
}
