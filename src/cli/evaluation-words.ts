/** The closing words of `polyrnn evaluate`: the score, what was left out, what was written. */
import type { EvaluationSummary } from "../evaluate/evaluation-summary.js";
import type { EvaluationReport, Interval, ListedReason } from "../evaluate/report-types.js";

export function evaluationWords({ counts }: EvaluationReport, summary: EvaluationSummary): string[] {
  const compared = [...summary.compared, { name: "grid ceiling", ...summary.gridCeiling }].map(
    ({ name, instanceMean }) => `${name} ${ratio(instanceMean.mean)}`,
  );
  const lines = [
    `mean IoU ${withRange(summary.iou.instanceMean)} over ${summary.evaluated} instances; mean of ${summary.iou.classMean.count} classes ${withRange(summary.iou.classMean)}`,
    `boundary IoU ${withRange(summary.boundaryIou.instanceMean)}; masks filled by ${summary.rasterizer === "coco" ? "COCO's" : "Pillow's"} rule`,
    `on the same instances: ${compared.join(", ")}`,
  ];
  if (summary.failed > 0) lines.push(`${summary.failed} counted as IoU 0: ${reasons(counts.failures)}`);
  if (summary.excluded > 0) lines.push(`${summary.excluded} left out: ${reasons(counts.exclusions)}`);
  if (counts.remarks.length > 0) lines.push(`worth a look: ${reasons(counts.remarks)}`);
  if (summary.failUnder?.passed === false)
    lines.push(`mean IoU is below the limit of ${summary.failUnder.limit} (--fail-under)`);
  lines.push(`wrote ${summary.out.replace(/\/+$/, "")}/: ${summary.written.join(", ")}`);
  return lines;
}

function reasons(listed: readonly ListedReason[]): string {
  return listed.map(({ reason, count }) => `${count} ${reason}`).join(", ");
}

function withRange({ mean, low, high }: Interval): string {
  return low === null || high === null ? ratio(mean) : `${ratio(mean)} (95 % interval ${ratio(low)} to ${ratio(high)})`;
}

function ratio(value: number | null): string {
  return value === null ? "none" : value.toFixed(4);
}
