/** The closing words of a click simulation: a small table, what was left out, what was written. */
import type { ClickSummary } from "../evaluate/click-summary.js";
import type { ClickReport, ListedReason } from "../evaluate/report-types.js";
import { durationWords } from "./progress.js";

const HEAD = ["T", "clicks", "IoU", "truth vertices", "speed-up"];

export function clickStudyWords(summary: ClickSummary, { exclusions }: Pick<ClickReport, "exclusions">): string[] {
  const rows = summary.perThreshold.map(({ threshold, clicks, iou, truthVertices, speedUp }) => [
    String(threshold),
    decimals(clicks.mean, 2),
    decimals(iou.mean, 3),
    decimals(truthVertices, 1),
    speedUp === null ? "none" : `x ${speedUp.toFixed(2)}`,
  ]);
  const lines = [
    `${summary.instances} instances, match ${summary.match}, metric ${summary.metric}${summary.maxClicks === null ? "" : `, at most ${summary.maxClicks} clicks`}; means over instances:`,
    ...aligned([HEAD, ["automatic", "0", decimals(summary.automaticIou, 3), "", ""], ...rows]),
    `corrections to reach IoU at T = ${summary.curveThreshold}: ${summary.noc.map(({ target, meanClicks, failures, cap }) => `${target}: ${decimals(meanClicks, 1)} (${failures} never within ${cap})`).join(", ")}`,
    `${durationWords(summary.wallSeconds)}${summary.secondsPerClick === null ? "" : `, ${(summary.secondsPerClick * 1000).toFixed(1)} ms of computing per click`}`,
  ];
  if (summary.excluded > 0) lines.push(`${summary.excluded} left out: ${reasons(exclusions)}`);
  const { failOverClicks } = summary;
  if (failOverClicks?.passed === false)
    lines.push(
      `mean clicks at T = ${failOverClicks.threshold} are over the limit of ${failOverClicks.limit} (--fail-over-clicks)`,
    );
  lines.push(`wrote ${summary.out.replace(/\/+$/, "")}/: ${summary.written.join(", ")}`);
  return lines;
}

/** Columns flush right, two spaces apart. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")}`.trimEnd());
}

function reasons(listed: readonly ListedReason[]): string {
  return listed.map(({ reason, count }) => `${count} ${reason}`).join(", ");
}

function decimals(value: number | null, digits: number): string {
  return value === null ? "none" : value.toFixed(digits);
}
