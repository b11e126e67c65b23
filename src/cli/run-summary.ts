/** The closing messages of `polyrnn annotate`: what became of the instances, what was written, what to run next. */
import type { AnnotateSummary } from "../annotate/summary.js";
import { count } from "../count.js";
import { cutText } from "../foreign.js";
import { DOUBTFUL_BELOW } from "../predict/options.js";
import { durationText, inFolder, pathIn, reasons } from "./phrases.js";

/** Written paths named one by one; a data set in a format of one file per image has thousands. */
const NAMED_PATHS = 6;
/** Characters of an id; a file may have ids of a thousand. */
const LONGEST_ID = 60;

/**
 * @param args    the command line after `annotate`, for the command that goes on
 * @param verbose adds the time per stage
 */
export function summaryMessages(summary: AnnotateSummary, args: readonly string[], verbose: boolean): string[] {
  const lines = [headline(summary), ...leftOut(summary)];
  if (summary.clipped > 0) lines.push(clippedText(summary));
  if (summary.invalid > 0)
    lines.push(
      `${count(summary.invalid, "polygon")} ${summary.invalid === 1 ? "crosses or touches itself" : "cross or touch themselves"} (polyrnn_valid: false)`,
    );
  if (summary.unended > 0) lines.push(`${count(summary.unended, "polygon")} ended at the step limit (--max-steps)`);
  lines.push(...lowestText(summary));
  if (verbose) {
    const stages = Object.entries(summary.secondsPerStage).map(
      ([stage, seconds]) => `${stage} ${seconds.toFixed(2)} s`,
    );
    const memory = `peak memory ${Math.round(summary.peakMemoryMiB)} MiB`;
    lines.push(`time: ${stages.join(", ")}; ${memory}; batches of ${summary.batchSize}`);
  }
  if (summary.written.length > 0) lines.push(writtenText(summary));
  const next = nextStep(summary, args);
  if (next !== undefined) lines.push(next);
  return lines;
}

/** Failed and skipped instances, by reason. */
export function leftOut({ failed, failedByReason, skipped, skippedByReason }: AnnotateSummary): string[] {
  const lines: string[] = [];
  if (failed > 0) lines.push(`${failed} failed: ${reasons(failedByReason)}`);
  if (skipped > 0) lines.push(`${skipped} skipped: ${reasons(skippedByReason)}`);
  return lines;
}

/** "lowest scores: 0.12 (annotation 7), 0.31 (annotation 4)" */
export function lowestText({ lowestScores }: Pick<AnnotateSummary, "lowestScores">): string[] {
  if (lowestScores.length === 0) return [];
  const texts = lowestScores.map(
    ({ score, annotationId }) => `${score.toFixed(2)} (annotation ${cutText(String(annotationId), LONGEST_ID)})`,
  );
  return [`lowest ${lowestScores.length === 1 ? "score" : "scores"}: ${texts.join(", ")}`];
}

export function writtenText({ out, written }: Pick<AnnotateSummary, "out" | "written">): string {
  const more = written.length - NAMED_PATHS;
  return `wrote ${inFolder(out, written.slice(0, NAMED_PATHS))}${more > 0 ? ` and ${more} more` : ""}`;
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
      line:
        `shard ${shard}/${merged.count} (${folder}) is unfinished: ` +
        `${count(remaining, "instance")} left, for example annotation ${String(firstRemaining)}`,
    }));
  return [...missing, ...unfinished].sort((a, b) => a.shard - b.shard).map(({ line }) => line);
}

/** A rate of nothing would only puzzle. */
function headline(summary: AnnotateSummary): string {
  const { done, failed, remaining, skipped, skippedByReason } = summary;
  const asked = done + failed + remaining + (skippedByReason["score-below-minimum"] ?? 0);
  if (asked === 0) {
    const why = skipped === 0 ? "there are no annotations" : `${count(skipped, "annotation")}, and all passed over`;
    return `nothing to draw${shardText(summary)}: ${why}`;
  }
  // Where nothing could be asked for (every box failed) the images of the input are what was looked at.
  const images = count(summary.imagesAsked || (summary.shard?.images ?? summary.images), "image");
  return (
    `${count(done, "polygon")} from ${images}${shardText(summary)} in ${durationText(summary.seconds)}` +
    ` (${summary.instancesPerSecond.toFixed(1)} instances per second;` +
    ` model ${summary.model}, ${summary.engineVersion}, ${summary.device})`
  );
}

/** Corners in place of sizes make most boxes too large, and nothing else about them is wrong. */
function clippedText({ clipped, done }: AnnotateSummary): string {
  const isUnusual = clipped >= 10 && clipped > done / 2;
  const were = clipped === 1 ? "was" : "were";
  return (
    `${count(clipped, "box", "boxes")} reached over the image's border and ${were} cut there` +
    (isUnusual ? "; check that boxes are [left, top, width, height], not [left, top, right, bottom]" : "")
  );
}

/** " (shard 3/16)" */
function shardText({ shard }: AnnotateSummary): string {
  return shard === undefined ? "" : ` (shard ${shard.index}/${shard.count})`;
}

function nextStep(summary: AnnotateSummary, args: readonly string[]): string | undefined {
  if (summary.stopped && summary.out === "-") return `stopped with ${count(summary.remaining, "instance")} left`;
  if (summary.stopped) {
    const again = args.filter((arg) => arg !== "--force");
    const command = ["polyrnn", "annotate", ...again, ...(again.includes("--resume") ? [] : ["--resume"])];
    return `stopped with ${count(summary.remaining, "instance")} left; go on with: ${command.map(quoted).join(" ")}`;
  }
  if (summary.out !== "-") {
    const steps = [
      ...(summary.failed > 0 ? [`see the failures in ${pathIn(summary.out, "summary.json")}`] : []),
      ...(summary.done > 0 ? [reviewText(summary)] : []),
    ];
    if (steps.length > 0) return `next: ${steps.join("; then ")}`;
  }
  const pictures = summary.written.find((path) => path.startsWith("overlays"));
  return pictures === undefined ? undefined : `next: look at the pictures in ${pathIn(summary.out, pictures)}`;
}

function reviewText({ out, doubtful }: AnnotateSummary): string {
  // Of a folder whose name begins with a dash, the shell's reader would make an option.
  const folder = quoted(out.startsWith("-") ? `./${out}` : out);
  return `polyrnn review ${folder} (${count(doubtful, "polygon")} below ${DOUBTFUL_BELOW})`;
}

/** An argument as a POSIX shell takes it. */
function quoted(arg: string): string {
  return /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}
