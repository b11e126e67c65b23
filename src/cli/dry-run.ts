/** `polyrnn annotate --dry-run` on the terminal; the work is annotate/dry-run.ts. */
import type { DryRun } from "../annotate/dry-run.js";
import type { AnnotateHost, AnnotateOptions } from "../annotate/options.js";
import { count } from "../count.js";
import type { ExitCode } from "../errors.js";
import { cutText } from "../foreign.js";
import { judgeRun } from "./max-failed.js";
import { durationText, reasons } from "./phrases.js";
import type { Terminal } from "./terminal.js";
import { printable, writeJsonLine, writeLine } from "./terminal.js";

/** Categories named one by one; `--json` has all. */
const NAMED_CATEGORIES = 20;
const LONGEST_NAME = 60;

/** @returns what the run would end with, as far as the input says */
export async function runDry(
  options: AnnotateOptions,
  flags: { readonly json: boolean; readonly maxFailed?: string },
  host: AnnotateHost,
  terminal: Pick<Terminal, "stdout">,
): Promise<ExitCode> {
  const { dryRun } = await import("../annotate/dry-run.js");
  const result = await dryRun(options, host);
  const { stopped, toPredict, skippedByReason, failedByReason } = result;
  const failed = sum(failedByReason);
  const { exitCode, message, maxFailed } = judgeRun(
    { done: toPredict, failed, remaining: 0, stopped, skippedByReason, failedByReason },
    flags.maxFailed,
  );
  if (flags.json) {
    await writeJsonLine(terminal.stdout, { ...result, ...(maxFailed !== undefined && { maxFailed }) });
    return exitCode;
  }
  for (const line of [...dryRunMessages(result), ...(message === undefined ? [] : [message])])
    await writeLine(terminal.stdout, printable(line));
  return exitCode;
}

export function dryRunMessages(result: DryRun): string[] {
  const { annotations, toPredict, imagesAsked, images, skippedByReason, failedByReason } = result;
  const lines = [
    `dry run, nothing is written: ${count(annotations, "box", "boxes")}, ` +
      `${toPredict} to draw in ${count(imagesAsked, "image")}`,
    ...categoryLines(result.categories),
    `images: ${images.found} found, ${images.notFound} not found${exampleText(images.examples, images.notFound)}`,
  ];
  if (sum(skippedByReason) > 0) lines.push(`${sum(skippedByReason)} to be skipped: ${reasons(skippedByReason)}`);
  if (sum(failedByReason) > 0) lines.push(`${sum(failedByReason)} to fail: ${reasons(failedByReason)}`);
  return [...lines, ...estimateLines(result)];
}

function categoryLines(categories: DryRun["categories"]): string[] {
  const used = categories.filter(({ boxes }) => boxes > 0);
  const named = used.slice(0, NAMED_CATEGORIES);
  const width = Math.max(0, ...named.map(({ boxes }) => String(boxes).length));
  const lines = named.map(({ id, name, boxes, toPredict }) => {
    const rest = toPredict === boxes ? "" : ` (${toPredict} to draw)`;
    return `  ${String(boxes).padStart(width)}  ${cutText(name ?? `category ${String(id)}`, LONGEST_NAME)}${rest}`;
  });
  const more = used.length - named.length;
  return more > 0 ? [...lines, `  and ${count(more, "more category", "more categories")}`] : lines;
}

function exampleText(examples: readonly string[], notFound: number): string {
  const [first] = examples;
  if (first === undefined) return "";
  return notFound === 1 ? `: ${cutText(first, LONGEST_NAME)}` : `, for example ${cutText(first, LONGEST_NAME)}`;
}

function estimateLines({ trial, estimate, stopped, toPredict, model, engineVersion, device }: DryRun): string[] {
  if (stopped) return ["stopped before the trial was over; time and memory are not known"];
  if (trial === null || estimate === null) return toPredict === 0 ? ["there is nothing to draw"] : [];
  const lines = [
    `about ${durationText(estimate.seconds)} and ${estimate.peakMemoryMiB} MiB, from a trial of ` +
      `${count(trial.instances, "instance")} (${trial.instancesPerSecond.toFixed(1)} per second; ` +
      `model ${model}, ${engineVersion}, ${device})`,
  ];
  if (sum(trial.failedByReason) > 0)
    lines.push(`of the trial, ${sum(trial.failedByReason)} failed: ${reasons(trial.failedByReason)}`);
  return lines;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}
