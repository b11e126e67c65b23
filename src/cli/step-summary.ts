/** What a GitHub job shows of a run: Markdown, appended to the file that GITHUB_STEP_SUMMARY names. */
import { appendFile } from "node:fs/promises";
import type { AnnotateSummary } from "../annotate/options.js";
import { cannotWrite, reasonOf } from "../errors.js";
import { plainText, table } from "../evaluate/markdown.js";
import { shortcomings } from "./merge-words.js";
import { durationWords } from "./progress.js";

/** Failures listed one by one; all of them are in summary.json. */
const LISTED_FAILURES = 20;

/** Does nothing outside a GitHub job. @throws E_WRITE when the file cannot be written */
export async function appendStepSummary(
  env: Readonly<Record<string, string | undefined>>,
  summary: AnnotateSummary,
): Promise<void> {
  const path = env["GITHUB_STEP_SUMMARY"];
  if (path === undefined || path === "") return;
  try {
    await appendFile(path, summaryMarkdown(summary));
  } catch (thrown) {
    throw cannotWrite(
      `GITHUB_STEP_SUMMARY ${path}: cannot be written: ${reasonOf(thrown)}`,
      "Unset the variable, or make the file writable.",
      thrown,
    );
  }
}

/** Every name in it is text, whatever it holds. */
export function summaryMarkdown(summary: AnnotateSummary): string {
  const { shard, merged } = summary;
  const title =
    shard !== undefined
      ? `Polygons, shard ${shard.index}/${shard.count}`
      : merged !== undefined
        ? `Polygons, merged of ${merged.parts.length}/${merged.count} shards`
        : "Polygons";
  const images = shard?.images ?? summary.images,
    annotations = shard?.annotations ?? summary.annotations;
  const lines = [
    `### ${title}`,
    "",
    ...table(
      ["", "Count"],
      [
        ["Images", String(images)],
        ["Annotations", String(annotations)],
        ["**Polygons drawn**", `**${summary.done}**`],
        ["Failed", String(summary.failed)],
        ["Skipped", String(summary.skipped)],
        ...(summary.remaining > 0 ? [["Not drawn yet", String(summary.remaining)]] : []),
      ],
    ),
    "",
    `Model ${plainText(summary.model)} \`${summary.modelHash.slice(0, 12)}\`, ${plainText(summary.engineVersion)}, ${plainText(summary.device)}. ${throughput(summary)}`,
    "",
    ...shortcomings(summary).map((line) => `- ${plainText(line)}`),
    ...(summary.stopped ? ["Stopped before the end; the same command with `--resume` goes on.", ""] : []),
    ...reasonTable("Failed because", summary.failedByReason),
    ...reasonTable("Skipped because", summary.skippedByReason),
  ];
  const listed = summary.failures.slice(0, LISTED_FAILURES);
  if (listed.length > 0) {
    lines.push(
      `<details><summary>${listed.length} of ${summary.failed} failures</summary>`,
      "",
      ...listed.map(
        ({ annotationId, reason, message }) =>
          `- annotation ${plainText(String(annotationId))}, ${reason}: ${plainText(message)}`,
      ),
      "",
      "</details>",
      "",
    );
  }
  return `${lines.join("\n")}\n`;
}

function throughput({ finishedNow, seconds, instancesPerSecond, merged }: AnnotateSummary): string {
  if (merged !== undefined) return `Merged in ${durationWords(seconds)}.`;
  return `${finishedNow} instances in ${durationWords(seconds)}, ${instancesPerSecond.toFixed(1)} per second.`;
}

function reasonTable(title: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return rows.length === 0
    ? []
    : [
        ...table(
          [title, "Count"],
          rows.map(([reason, n]) => [reason, String(n)]),
        ),
        "",
      ];
}
