/** The closing words of `polyrnn annotate`: what became of the instances, what was written, what to run next. */
import { appendFile } from "node:fs/promises";
import type { AnnotateSummary, MergedShards } from "../annotate/summary.js";
import type { ClickSummary } from "../clicks/tally.js";
import { cannotWrite, reasonOf } from "../errors.js";
import { plainText, table } from "../report/markdown.js";
import type { EvaluationSummary } from "../report/summary.js";
import type { ClickReport, EvaluationReport, Interval, ListedReason } from "../report/types.js";
import { durationText } from "./progress.js";

/**
 * @param rest    the words of the command line after `annotate`, for the command that goes on
 * @param verbose adds the time per stage
 */
export function summaryMessages(summary: AnnotateSummary, rest: readonly string[], verbose: boolean): string[] {
  const lines = [headline(summary)];
  if (summary.failed > 0) lines.push(`${summary.failed} failed: ${reasons(summary.failedByReason)}`);
  if (summary.skipped > 0) lines.push(`${summary.skipped} skipped: ${reasons(summary.skippedByReason)}`);
  if (summary.clipped > 0) lines.push(clippedText(summary));
  if (summary.invalid > 0)
    lines.push(
      `${count(summary.invalid, "polygon")} ${summary.invalid === 1 ? "crosses or touches itself" : "cross or touch themselves"} (polyrnn_valid: false)`,
    );
  if (summary.unended > 0) lines.push(`${count(summary.unended, "polygon")} ended at the step limit (--max-steps)`);
  if (verbose) {
    const stages = Object.entries(summary.secondsPerStage).map(
      ([stage, seconds]) => `${stage} ${seconds.toFixed(2)} s`,
    );
    lines.push(
      `time: ${stages.join(", ")}; peak memory ${Math.round(summary.peakMemoryMiB)} MiB; batches of ${summary.batchSize}`,
    );
  }
  if (summary.written.length > 0) lines.push(`wrote ${inFolder(summary.out, summary.written)}`);
  const next = nextStep(summary, rest);
  if (next !== undefined) lines.push(next);
  return lines;
}

/** A rate of nothing would only puzzle. */
function headline(summary: AnnotateSummary): string {
  const { done, failed, remaining, skipped, skippedByReason } = summary;
  const asked = done + failed + remaining + (skippedByReason["score-below-minimum"] ?? 0);
  if (asked === 0)
    return `nothing to draw${shardText(summary)}: ${skipped === 0 ? "there are no annotations" : `${count(skipped, "annotation")}, and all passed over`}`;
  return (
    `${count(done, "polygon")} from ${count(summary.imagesAsked, "image")}${shardText(summary)} in ${durationText(summary.seconds)}` +
    ` (${summary.instancesPerSecond.toFixed(1)} instances per second; model ${summary.model}, ${summary.engineVersion}, ${summary.device})`
  );
}

/** Corners in place of sizes make most boxes too large, and nothing else about them is wrong. */
function clippedText({ clipped, done }: AnnotateSummary): string {
  const isUnusual = clipped >= 10 && clipped > done / 2;
  return (
    `${count(clipped, "box", "boxes")} reached over the image's border and ${clipped === 1 ? "was" : "were"} cut there` +
    (isUnusual ? "; check that boxes are [left, top, width, height], not [left, top, right, bottom]" : "")
  );
}

/** " (shard 3/16)" */
function shardText({ shard }: AnnotateSummary): string {
  return shard === undefined ? "" : ` (shard ${shard.index}/${shard.count})`;
}

function nextStep(summary: AnnotateSummary, rest: readonly string[]): string | undefined {
  if (summary.stopped && summary.out === "-") return `stopped with ${count(summary.remaining, "instance")} left`;
  if (summary.stopped) {
    const again = rest.filter((word) => word !== "--force");
    const command = ["polyrnn", "annotate", ...again, ...(again.includes("--resume") ? [] : ["--resume"])];
    return `stopped with ${count(summary.remaining, "instance")} left; go on with: ${command.map(quoted).join(" ")}`;
  }
  if (summary.failed > 0 && summary.out !== "-")
    return `next: see the failures in ${joined(summary.out, "summary.json")}`;
  const pictures = summary.written.find((path) => path.startsWith("overlays"));
  return pictures === undefined ? undefined : `next: look at the pictures in ${joined(summary.out, pictures)}`;
}

export function count(n: number, singular: string, plural = `${singular}s`): string {
  return `${n} ${n === 1 ? singular : plural}`;
}

export function reasons(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([reason, n]) => `${n} ${reason}`)
    .join(", ");
}

export function inFolder(folder: string, paths: readonly string[]): string {
  const shown = paths.slice(0, 6).join(", ");
  return `${joined(folder, "")}: ${shown}${paths.length > 6 ? ` and ${paths.length - 6} more` : ""}`;
}

function joined(folder: string, path: string): string {
  return `${folder.replace(/\/+$/, "")}/${path}`;
}

/** A word as a POSIX shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/* The closing words of `polyrnn merge`: what was joined, what is missing, what to do about it. */

export function mergeMessages(summary: AnnotateSummary): string[] {
  const { merged, remaining } = summary;
  if (merged === undefined) return [];
  const lines = [
    `${count(summary.done, "polygon")} of ${merged.parts.length} of ${count(merged.count, "shard")} (model ${summary.model}, ${summary.engineVersion}, ${summary.device})`,
  ];
  if (summary.device === "several")
    lines.push(`drawn on ${deviceText(merged)}: scores of different devices can differ in their last digit`);
  if (summary.failed > 0) lines.push(`${summary.failed} failed: ${reasons(summary.failedByReason)}`);
  if (summary.skipped > 0) lines.push(`${summary.skipped} skipped: ${reasons(summary.skippedByReason)}`);
  lines.push(...shortcomings(summary), `wrote ${inFolder(summary.out, summary.written)}`);
  if (remaining > 0) {
    lines.push(
      `next: finish these shards and merge again, or draw the rest here with the command of the shards, without --shard, and with --out ${summary.out} --resume`,
    );
  }
  return lines;
}

/** One line per shard that is missing or unfinished. */
export function shortcomings({ merged }: Pick<AnnotateSummary, "merged">): string[] {
  if (merged === undefined) return [];
  const missing = merged.missing.map(({ shard, remaining }) => ({
    shard,
    line: `shard ${shard}/${merged.count} is missing: ${count(remaining, "instance")}`,
  }));
  const unfinished = merged.parts
    .filter(({ remaining }) => remaining > 0)
    .map(({ shard, folder, remaining, firstRemaining }) => ({
      shard,
      line: `shard ${shard}/${merged.count} (${folder}) is unfinished: ${count(remaining, "instance")} left, for example annotation ${String(firstRemaining)}`,
    }));
  return [...missing, ...unfinished].sort((a, b) => a.shard - b.shard).map(({ line }) => line);
}

function deviceText({ parts }: MergedShards): string {
  const shards = new Map<string, number[]>();
  for (const { device, shard } of parts) shards.set(device, [...(shards.get(device) ?? []), shard]);
  return [...shards]
    .map(
      ([device, indexes]) =>
        `${device} (${indexes.length === 1 ? "shard" : "shards"} ${indexes.slice(0, 10).join(", ")}${indexes.length > 10 ? ", ..." : ""})`,
    )
    .join(", ");
}

/* What a GitHub job shows of a run: Markdown, appended to the file that GITHUB_STEP_SUMMARY names. */

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
  if (merged !== undefined) return `Merged in ${durationText(seconds)}.`;
  return `${finishedNow} instances in ${durationText(seconds)}, ${instancesPerSecond.toFixed(1)} per second.`;
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

/* The closing words of a click simulation: a small table, what was left out, what was written. */

const HEAD = ["T", "clicks", "IoU", "truth vertices", "speed-up"];

export function clickStudyMessages(summary: ClickSummary, { exclusions }: Pick<ClickReport, "exclusions">): string[] {
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
    `${durationText(summary.wallSeconds)}${summary.secondsPerClick === null ? "" : `, ${(summary.secondsPerClick * 1000).toFixed(1)} ms of computing per click`}`,
  ];
  if (summary.excluded > 0) lines.push(`${summary.excluded} left out: ${listedReasons(exclusions)}`);
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

function listedReasons(listed: readonly ListedReason[]): string {
  return listed.map(({ reason, count }) => `${count} ${reason}`).join(", ");
}

function decimals(value: number | null, digits: number): string {
  return value === null ? "none" : value.toFixed(digits);
}

/* The closing words of `polyrnn evaluate`: the score, what was left out, what was written. */

export function evaluationMessages({ counts }: EvaluationReport, summary: EvaluationSummary): string[] {
  const compared = [...summary.compared, { name: "grid ceiling", ...summary.gridCeiling }].map(
    ({ name, instanceMean }) => `${name} ${ratio(instanceMean.mean)}`,
  );
  const lines = [
    `mean IoU ${withRange(summary.iou.instanceMean)} over ${summary.evaluated} instances; mean of ${summary.iou.classMean.count} classes ${withRange(summary.iou.classMean)}`,
    `boundary IoU ${withRange(summary.boundaryIou.instanceMean)}; masks filled by ${summary.rasterizer === "coco" ? "COCO's" : "Pillow's"} rule`,
    `on the same instances: ${compared.join(", ")}`,
  ];
  if (summary.failed > 0) lines.push(`${summary.failed} counted as IoU 0: ${listedReasons(counts.failures)}`);
  if (summary.excluded > 0) lines.push(`${summary.excluded} left out: ${listedReasons(counts.exclusions)}`);
  if (counts.remarks.length > 0) lines.push(`worth a look: ${listedReasons(counts.remarks)}`);
  if (summary.failUnder?.passed === false)
    lines.push(`mean IoU is below the limit of ${summary.failUnder.limit} (--fail-under)`);
  lines.push(`wrote ${summary.out.replace(/\/+$/, "")}/: ${summary.written.join(", ")}`);
  return lines;
}

function withRange({ mean, low, high }: Interval): string {
  return low === null || high === null ? ratio(mean) : `${ratio(mean)} (95 % interval ${ratio(low)} to ${ratio(high)})`;
}

function ratio(value: number | null): string {
  return value === null ? "none" : value.toFixed(4);
}
