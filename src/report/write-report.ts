/**
 * A finished report to files: report.json, report.md, report.html with its photographs, and the summary of a CI job.
 */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { Picture } from "../crop/picture.js";
import { cutPicture } from "../crop/picture.js";
import { cannotWrite, reasonOf } from "../errors.js";
import { writeAtomic } from "../files/atomic-file.js";
import { withoutControls } from "../foreign.js";
import { finishReportFolder, REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN } from "./folder.js";
import { renderReportHtml } from "./html.js";
import { reportMarkdown } from "./markdown.js";
import type { Evaluation, Example } from "./types.js";

/** Bytes GitHub accepts for the summary of one step; of a longer one nothing would be kept. */
const LARGEST_STEP_SUMMARY = 1024 * 1024;

/**
 * @param out exists
 * @param note is told of images that cannot be shown
 * @returns names written, relative to `out`
 * @throws E_WRITE
 */
export async function writeReportFiles(
  evaluation: Evaluation,
  out: string,
  note: (line: string) => void,
): Promise<readonly string[]> {
  const { report } = evaluation;
  await writeAtomic(join(out, REPORT_MARKDOWN), reportMarkdown(report));
  const pictures = await cutExamplePictures(evaluation, note);
  await writeAtomic(join(out, REPORT_HTML), renderReportHtml(report, pictures));
  // Last: it says that the report is whole (report/folder.ts).
  await writeAtomic(join(out, REPORT_JSON), `${withoutControls(JSON.stringify(report, null, 1))}\n`);
  await finishReportFolder(out);
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
  } catch (error) {
    throw cannotWrite(
      `GITHUB_STEP_SUMMARY ${path}: cannot be written: ${reasonOf(error)}`,
      "Unset the variable, or make the file writable.",
      error,
    );
  }
}

/** Part of the box's long side that is shown around it. */
const CONTEXT = 0.4;
/** Pixels along a side: twice what the page shows on a plain screen. */
const SIDE = 480;

/** @param note is told of an image that cannot be shown; its example is drawn on an empty ground */
async function cutExamplePictures(
  { report, imagePaths }: Evaluation,
  note: (line: string) => void,
): Promise<Map<Example, Picture>> {
  const pictures = new Map<Example, Picture>();
  const { worst, median, best } = report.examples;
  for (const example of new Set([...worst, ...median, ...best])) {
    const path = imagePaths.get(example.imageId);
    if (path === undefined) continue;
    const [left, top, width, height] = example.box;
    const record = { width: example.imageWidth, height: example.imageHeight };
    const picture = await cutPicture(path, record, { left, top, width, height }, { context: CONTEXT, size: SIDE });
    if ("jpeg" in picture) pictures.set(example, picture);
    else note(`no picture of annotation ${example.annotationId}: ${picture.message}`);
  }
  return pictures;
}
