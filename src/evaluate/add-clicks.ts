/** Puts a click study into the report of the same instances: the tables, and the corrected polygon in every example. */
import type { Evaluation } from "./options.js";
import { readableRings } from "./readable-rings.js";
import type { Example } from "./report-types.js";
import type { ClickStudy } from "./simulate-options.js";

export function addClicks(evaluation: Evaluation, study: ClickStudy): Evaluation {
  const withCorrection = (example: Example): Example => {
    const corrected = study.corrected(example.annotationId);
    if (corrected === undefined) return example;
    const [ring] = readableRings([corrected.ring]);
    return {
      ...example,
      correctedIou: corrected.iou,
      correctedThreshold: corrected.threshold,
      clicks: corrected.clicks,
      ...(ring !== undefined && { corrected: ring }),
    };
  };
  const { worst, median, best } = evaluation.report.examples;
  const examples = {
    worst: worst.map(withCorrection),
    median: median.map(withCorrection),
    best: best.map(withCorrection),
  };
  const { model, engine, device } = study.report;
  const inputs = {
    ...(model !== undefined && { model }),
    ...(engine !== undefined && { engine }),
    ...(device !== undefined && { device }),
    ...evaluation.report.inputs,
  };
  return { ...evaluation, report: { ...evaluation.report, inputs, examples, clicks: study.report } };
}
