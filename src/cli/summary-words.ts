/** The closing words of `polyrnn annotate`: what became of the instances, what was written, what to run next. */
import type { AnnotateSummary } from "../annotate/options.js";
import { durationWords } from "./progress.js";

/**
 * @param rest    the words of the command line after `annotate`, for the command that goes on
 * @param verbose adds the time per stage
 */
export function summaryWords(summary: AnnotateSummary, rest: readonly string[], verbose: boolean): string[] {
  const lines = [headline(summary)];
  if (summary.failed > 0) lines.push(`${summary.failed} failed: ${reasons(summary.failedByReason)}`);
  if (summary.skipped > 0) lines.push(`${summary.skipped} skipped: ${reasons(summary.skippedByReason)}`);
  if (summary.clipped > 0) lines.push(clippedWords(summary));
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
    return `nothing to draw${shardWords(summary)}: ${skipped === 0 ? "there are no annotations" : `${count(skipped, "annotation")}, and all passed over`}`;
  return (
    `${count(done, "polygon")} from ${count(summary.shard?.images ?? summary.images, "image")}${shardWords(summary)} in ${durationWords(summary.seconds)}` +
    ` (${summary.instancesPerSecond.toFixed(1)} instances per second; model ${summary.model}, ${summary.engineVersion}, ${summary.device})`
  );
}

/** Corners in place of sizes make most boxes too large, and nothing else about them is wrong. */
function clippedWords({ clipped, done }: AnnotateSummary): string {
  const isUnusual = clipped >= 10 && clipped > done / 2;
  return (
    `${count(clipped, "box", "boxes")} reached over the image's border and ${clipped === 1 ? "was" : "were"} cut there` +
    (isUnusual ? "; check that boxes are [left, top, width, height], not [left, top, right, bottom]" : "")
  );
}

/** " (shard 3/16)" */
function shardWords({ shard }: AnnotateSummary): string {
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
