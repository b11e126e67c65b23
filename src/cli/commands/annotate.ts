/** `polyrnn annotate`: options in, words and exit code out; the work is annotate/annotate.ts. */
import type { AnnotateHost, AnnotateOptions } from "../../annotate/options.js";
import { parseShard } from "../../annotate/shard.js";
import type { OpenDrawer } from "../../annotate/drawer.js";
import { EXIT, usageError, type ExitCode } from "../../errors.js";
import { parseRedisAddress, withoutPasswords } from "../../queue/redis-address.js";
import { checkStudy, studyRun } from "../annotate-study.js";
import type { AnnotateFlags } from "../options/annotate-table.js";
import { packageVersion } from "../package-version.js";
import { showProgress } from "../progress.js";
import { appendStepSummary } from "../step-summary.js";
import { summaryWords } from "../summary-words.js";
import { paintFor, printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

export async function annotateCommand(
  flags: AnnotateFlags,
  terminal: Terminal,
  rest: readonly string[],
): Promise<ExitCode> {
  checkCombinations(flags);
  const options = toAnnotateOptions(flags, terminal.env);
  const thresholds = await checkStudy(flags);
  const paint = paintFor(terminal.stderr, terminal.env, flags.color);
  const progressOptions = { quiet: flags.quiet, verbose: flags.verbose, paint, now: () => terminal.now() };
  const progress = showProgress(terminal.stderr, progressOptions);
  // Said before the engines are imported: loading takes a while.
  progress.note(`polyrnn ${packageVersion()}: model ${flags.model}, device ${flags.device} ...`);
  const signal = terminal.stopSignal();
  signal.addEventListener("abort", () => {
    progress.note("stopping after the batches in work; interrupt again to stop at once");
  });
  const host: AnnotateHost = {
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
    data: (line) => writeLine(terminal.stdout, line),
  };
  const { annotate } = await import("../../annotate/annotate.js");
  const summary = await annotate(options, host, await drawerOf(flags)).finally(() => {
    progress.end();
  });
  const say = (words: readonly string[]): void => {
    if (!flags.quiet) for (const line of words) terminal.stderr.write(`${printable(line)}\n`);
  };
  say(summaryWords(summary, rest.map(withoutPasswords), flags.verbose));
  await appendStepSummary(terminal.env, summary);
  const study =
    thresholds === undefined || summary.stopped
      ? undefined
      : await studyRun(flags, thresholds, terminal, signal, progressOptions);
  if (study !== undefined) say(study.words);
  if (flags.json)
    await writeLine(
      terminal.stdout,
      JSON.stringify({ ...summary, ...(study !== undefined && { clicks: study.summary }) }),
    );
  if (summary.stopped) return EXIT.stopped;
  return summary.failed > 0 ? EXIT.failures : EXIT.ok;
}

function checkCombinations(flags: AnnotateFlags): void {
  if (flags.quiet && flags.verbose) throw usageError("--quiet and --verbose exclude each other", "Leave one of them.");
  if (flags.resume && flags.force) {
    throw usageError(
      "--resume and --force exclude each other: one goes on with the run in the output folder, the other replaces it",
      "Leave one of them.",
    );
  }
  if (flags.queue !== undefined) {
    parseRedisAddress(flags.queue);
    if (flags.out === "-")
      throw usageError(
        "--queue needs an output folder: results come in any order, and the journal keeps them",
        "Name a folder with --out.",
      );
    if (flags.imageAddress !== undefined && !/^https?:\/\//.test(flags.imageAddress)) {
      throw usageError(
        "--image-address: expected an address that begins with http:// or https:// but received another kind",
        "Give the address of the folder that holds the images.",
      );
    }
  } else if (flags.imageAddress !== undefined) {
    throw usageError("--image-address is for the workers of a queue", "Add --queue, or leave it out.");
  }
  if (flags.out === "-" && flags.resume) {
    throw usageError(
      "--resume needs an output folder: a stream to standard output (--out -) leaves no run to go on with",
      "Name a folder with --out.",
    );
  }
}

/** @returns undefined where this process draws */
async function drawerOf({
  queue,
  queueTimeout,
  attempts,
  priority,
  imageAddress,
}: AnnotateFlags): Promise<OpenDrawer | undefined> {
  if (queue === undefined) return undefined;
  const { drawOverQueue } = await import("../../queue/draw-over-queue.js");
  return drawOverQueue({
    queue,
    timeoutMs: 1000 * queueTimeout,
    attempts,
    priority,
    ...(imageAddress !== undefined && { imageAddress }),
  });
}

/** Leaves out how to print; names the formats in the plural. */
function toAnnotateOptions(flags: AnnotateFlags, env: Terminal["env"]): AnnotateOptions {
  const { dataset, batchSize, threads, context, limit, shard, onlyNew } = flags;
  return {
    images: flags.images,
    boxes: flags.boxes,
    ...(dataset !== undefined && { dataset }),
    out: flags.out,
    formats: flags.format,
    model: flags.model,
    device: flags.device,
    ...(batchSize !== undefined && { batchSize }),
    ...(threads !== undefined && { threads }),
    ...(context !== undefined && { context }),
    maxSteps: flags.maxSteps,
    candidates: flags.candidates,
    minScore: flags.minScore,
    simplify: flags.simplify,
    categories: flags.categories,
    existing: flags.existing,
    overlays: flags.overlays,
    ...(limit !== undefined && { limit }),
    ...(onlyNew !== undefined && { onlyNew }),
    ...(shard !== undefined && { shard: parseShard(shard, env) }),
    resume: flags.resume,
    force: flags.force,
  };
}
