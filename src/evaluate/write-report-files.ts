/** A finished report to files: report.json, report.md, report.html, and the summary of a CI job. */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { cannotWrite, reasonOf } from "../errors.js";
import { writeAtomic } from "../write/atomic-file.js";
import { cutExamplePictures } from "./example-pictures.js";
import { renderReportHtml } from "./html/render-report.js";
import type { Evaluation } from "./options.js";
import { REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN } from "./report-folder.js";
import { reportMarkdown } from "./write-report-markdown.js";

/** Bytes GitHub takes of one step's summary; more would lose all of it. */
const LARGEST_STEP_SUMMARY = 1024 * 1024;

/**
 * @param out exists
 * @param note told of images that cannot be shown
 * @returns names written, relative to `out`
 * @throws E_WRITE
 */
export async function writeReportFiles(
  evaluation: Evaluation,
  out: string,
  note: (line: string) => void,
): Promise<readonly string[]> {
  const { report } = evaluation;
  await writeAtomic(join(out, REPORT_JSON), `${JSON.stringify(report, null, 1)}\n`);
  await writeAtomic(join(out, REPORT_MARKDOWN), reportMarkdown(report));
  const pictures = await cutExamplePictures(evaluation, note);
  await writeAtomic(join(out, REPORT_HTML), renderReportHtml(report, pictures));
  return [REPORT_HTML, REPORT_MARKDOWN, REPORT_JSON];
}

/**
 * Adds the Markdown report to the summary of a GitHub job step.
 * @param path the file GITHUB_STEP_SUMMARY names
 * @throws E_WRITE
 */
export async function appendStepSummary(path: string, { report }: Evaluation): Promise<void> {
  const markdown = reportMarkdown(report);
  const fits = Buffer.byteLength(markdown) < LARGEST_STEP_SUMMARY;
  try {
    await appendFile(
      path,
      fits ? markdown : `The report is larger than a step summary may be; see ${REPORT_MARKDOWN}.\n`,
    );
  } catch (thrown) {
    throw cannotWrite(
      `GITHUB_STEP_SUMMARY ${path}: cannot be written: ${reasonOf(thrown)}`,
      "Unset the variable, or make the file writable.",
      thrown,
    );
  }
}
