/** A click study on the terminal, for `simulate-clicks` and `annotate --simulate-clicks`; the work is in clicks/. */
import type { StudyRequest } from "../clicks/study.js";
import { studyClicks } from "../clicks/study.js";
import type { ClickSource, ClickSummary } from "../clicks/tally.js";
import { summarizeClicks } from "../clicks/tally.js";
import { count } from "../count.js";
import type { ClickReport } from "../report/types.js";
import { appendStepSummary } from "../report/write-report.js";
import { durationText, inFolder, listedReasons } from "./phrases.js";
import type { ProgressOptions } from "./progress.js";
import { showProgress } from "./progress.js";
import { stepSummaryFile } from "./step-summary.js";
import type { Terminal } from "./terminal.js";

export interface AskedStudy extends StudyRequest {
  readonly source: ClickSource;
  /** Most mean clicks per instance at the smallest threshold; no limit when absent. */
  readonly failOverClicks?: number;
}

export interface EndedStudy {
  readonly summary: ClickSummary;
  /** The closing messages. */
  readonly messages: readonly string[];
  /** Instances that could not be simulated. */
  readonly failed: number;
}

/** @throws as `studyClicks`; E_WRITE when the summary of a GitHub job cannot be written */
export async function runStudy(
  asked: AskedStudy,
  terminal: Terminal,
  signal: AbortSignal,
  progressOptions: ProgressOptions,
): Promise<EndedStudy> {
  const progress = showProgress(terminal.stderr, progressOptions);
  try {
    const { evaluation, study, written } = await studyClicks(asked, {
      signal,
      note: (line) => {
        progress.note(line);
      },
      progress: (report) => {
        progress.progress(report);
      },
      failure: (failure) => {
        progress.failure(failure);
      },
    });
    const stepSummary = stepSummaryFile(terminal.env);
    if (stepSummary !== undefined) await appendStepSummary(stepSummary, evaluation);
    const { source, out, failOverClicks } = asked;
    const { truth, images } = asked.simulate;
    const summary = summarizeClicks(study.report, { source, truth, images }, { out, written }, failOverClicks);
    return { summary, messages: closingMessages(summary, study.report), failed: study.failed };
  } finally {
    progress.end();
  }
}

const HEAD = ["T", "clicks", "IoU", "truth vertices", "speed-up"];

/** A small table, what was left out, what was written. */
function closingMessages(summary: ClickSummary, { exclusions }: Pick<ClickReport, "exclusions">): string[] {
  const { instances, match, metric, maxClicks, wallSeconds, secondsPerClick, failOverClicks } = summary;
  const rows = summary.perThreshold.map(({ threshold, clicks, iou, truthVertices, speedUp }) => [
    String(threshold),
    decimals(clicks.mean, 2),
    decimals(iou.mean, 3),
    decimals(truthVertices, 1),
    speedUp === null ? "none" : `x ${speedUp.toFixed(2)}`,
  ]);
  const atMost = maxClicks === null ? "" : `, at most ${count(maxClicks, "click")}`;
  const perClick = secondsPerClick === null ? "" : `, ${(secondsPerClick * 1000).toFixed(1)} ms of computing per click`;
  const lines = [
    `${count(instances, "instance")}, match ${match}, metric ${metric}${atMost}; means over instances:`,
    ...aligned([HEAD, ["automatic", "0", decimals(summary.automaticIou, 3), "", ""], ...rows]),
    correctionsText(summary),
    ...measuredLines(summary),
    `${durationText(wallSeconds)}${perClick}`,
  ];
  if (summary.excluded > 0) lines.push(`${summary.excluded} left out: ${listedReasons(exclusions)}`);
  if (failOverClicks?.passed === false) {
    const { threshold, limit } = failOverClicks;
    lines.push(`mean clicks at T = ${threshold} are over the limit of ${limit} (--fail-over-clicks)`);
  }
  lines.push(`wrote ${inFolder(summary.out, summary.written)}`);
  return lines;
}

function measuredLines({ effort, reviewed }: ClickSummary): string[] {
  if (reviewed === undefined) return [];
  const measured = effort.find(({ who }) => who === "measured");
  if (measured === undefined) return [`nothing that was simulated is reviewed in ${reviewed}`];
  const work = (row: ClickSummary["effort"][number]): string => {
    const proposals = row.redrawTaken === null ? "" : `, proposals taken ${row.redrawTaken}, left ${row.redrawLeft}`;
    return `clicks ${decimals(row.clicksMean, 2)}, IoU ${decimals(row.iouBefore, 3)} to ${decimals(row.iouAfter, 3)}${proposals}`;
  };
  return [
    `on ${count(measured.instances, "instance")} that people reviewed in ${reviewed}:`,
    `  people: ${work(measured)}`,
    ...effort.filter(({ who }) => who === "simulated").map((row) => `  simulated, T = ${row.threshold}: ${work(row)}`),
  ];
}

function correctionsText({ curveThreshold, noc }: ClickSummary): string {
  const targets = noc.map(
    ({ target, meanClicks, failures, cap }) =>
      `${target}: ${decimals(meanClicks, 1)} (${failures} never within ${cap})`,
  );
  return `corrections to reach IoU at T = ${curveThreshold}: ${targets.join(", ")}`;
}

/** Columns flush right, two spaces apart. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")}`.trimEnd());
}

function decimals(value: number | null, digits: number): string {
  return value === null ? "none" : value.toFixed(digits);
}
