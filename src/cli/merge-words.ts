/** The closing words of `polyrnn merge`: what was joined, what is missing, what to do about it. */
import type { AnnotateSummary, MergedShards } from "../annotate/options.js";
import { count, inFolder, reasons } from "./summary-words.js";

export function mergeWords(summary: AnnotateSummary): string[] {
  const { merged, remaining } = summary;
  if (merged === undefined) return [];
  const lines = [
    `${count(summary.done, "polygon")} of ${merged.parts.length} of ${count(merged.count, "shard")} (model ${summary.model}, ${summary.engineVersion}, ${summary.device})`,
  ];
  if (summary.device === "several")
    lines.push(`drawn on ${deviceWords(merged)}: scores of different devices can differ in their last digit`);
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

function deviceWords({ parts }: MergedShards): string {
  const shards = new Map<string, number[]>();
  for (const { device, shard } of parts) shards.set(device, [...(shards.get(device) ?? []), shard]);
  return [...shards]
    .map(
      ([device, indexes]) =>
        `${device} (${indexes.length === 1 ? "shard" : "shards"} ${indexes.slice(0, 10).join(", ")}${indexes.length > 10 ? ", ..." : ""})`,
    )
    .join(", ");
}
