/** What a GitHub job shows of a run: Markdown, appended to the file that GITHUB_STEP_SUMMARY names. */
import { appendFile } from "node:fs/promises";
import type { AnnotateSummary } from "../annotate/summary.js";
import { count } from "../count.js";
import { cannotWrite, reasonOf } from "../errors.js";
import { plainText, table, WHOLE } from "../report/markdown-text.js";
import { durationText } from "./phrases.js";
import { shortcomings } from "./run-summary.js";
import type { Terminal } from "./terminal.js";

/** Failures listed one by one; all of them are in summary.json. */
const LISTED_FAILURES = 20;
/** Characters of a message, which holds names and paths; enough for what to do next, at its end. */
const LONGEST_MESSAGE = 1000;

/** @returns undefined outside a GitHub job */
export function stepSummaryFile(env: Terminal["env"]): string | undefined {
  const path = env["GITHUB_STEP_SUMMARY"];
  return path === "" ? undefined : path;
}

/** Does nothing outside a GitHub job. @throws E_WRITE when the file cannot be written */
export async function appendStepSummary(env: Terminal["env"], summary: AnnotateSummary): Promise<void> {
  const path = stepSummaryFile(env);
  if (path === undefined) return;
  try {
    await appendFile(path, summaryMarkdown(summary));
  } catch (error) {
    throw cannotWrite(
      `GITHUB_STEP_SUMMARY ${path}: cannot be written: ${reasonOf(error)}`,
      "Unset the variable, or make the file writable.",
      error,
    );
  }
}

/** Every name in it is text, whatever it holds. */
export function summaryMarkdown(summary: AnnotateSummary): string {
  const { shard } = summary;
  const { model, modelHash, engineVersion, device } = summary;
  const counts = [
    ["Images", String(shard?.images ?? summary.images)],
    ["Annotations", String(shard?.annotations ?? summary.annotations)],
    ["**Polygons drawn**", `**${summary.done}**`],
    ["Failed", String(summary.failed)],
    ["Skipped", String(summary.skipped)],
    ...(summary.remaining > 0 ? [["Not drawn yet", String(summary.remaining)]] : []),
  ];
  const lines = [
    `### ${titleOf(summary)}`,
    "",
    ...table(["", "Count"], counts),
    "",
    `Model ${plainText(model)} \`${modelHash.slice(0, 12)}\`, ${plainText(engineVersion)}, ${plainText(device)}. ` +
      throughput(summary),
    "",
    ...shortcomings(summary).map((line) => `- ${plainText(line, WHOLE)}`),
    ...(summary.stopped ? ["Stopped before the end; the same command with `--resume` goes on.", ""] : []),
    ...reasonTable("Failed because", summary.failedByReason),
    ...reasonTable("Skipped because", summary.skippedByReason),
    ...failureList(summary),
  ];
  return `${lines.join("\n")}\n`;
}

function titleOf({ shard, merged }: AnnotateSummary): string {
  if (shard !== undefined) return `Polygons, shard ${shard.index}/${shard.count}`;
  if (merged !== undefined) return `Polygons, merged of ${merged.parts.length}/${count(merged.count, "shard")}`;
  return "Polygons";
}

function throughput({ finishedNow, seconds, instancesPerSecond, merged }: AnnotateSummary): string {
  if (merged !== undefined) return `Merged in ${durationText(seconds)}.`;
  return `${count(finishedNow, "instance")} in ${durationText(seconds)}, ${instancesPerSecond.toFixed(1)} per second.`;
}

function reasonTable(title: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => [reason, String(n)]);
  return rows.length === 0 ? [] : [...table([title, "Count"], rows), ""];
}

function failureList({ failed, failures }: AnnotateSummary): string[] {
  const listed = failures.slice(0, LISTED_FAILURES);
  if (listed.length === 0) return [];
  return [
    `<details><summary>${listed.length} of ${count(failed, "failure")}</summary>`,
    "",
    ...listed.map(
      ({ annotationId, reason, message }) =>
        `- annotation ${annotationId === null ? "without an id" : plainText(String(annotationId))}, ${reason}: ${plainText(message, LONGEST_MESSAGE)}`,
    ),
    "",
    "</details>",
    "",
  ];
}
