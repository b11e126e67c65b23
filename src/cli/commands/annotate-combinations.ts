/** Options of `polyrnn annotate` that do not go together: refused before anything is read. */
import { parseThresholds } from "../../clicks/options.js";
import type { SubjectOptions } from "../../clicks/subjects.js";
import type { PrecisionChoice } from "../../engine/precision.js";
import { usageError } from "../../errors.js";
import { parseImageAddress, parseRedisAddress } from "../../queue/address.js";
import type { Secret } from "../../secret.js";
import type { OutputFormat } from "../../write/writer.js";

/** The flags of `annotate` that others depend on. */
export interface CombinedFlags {
  readonly out: string;
  readonly format: readonly OutputFormat[];
  readonly overlays: "auto" | "all" | "none";
  readonly resume: boolean;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly queue?: Secret;
  readonly precision: PrecisionChoice;
  readonly imageAddress?: Secret;
  readonly simulateClicks?: readonly string[];
  readonly published: boolean;
  readonly dryRun: boolean;
  readonly existing: "predict" | "keep";
  readonly shard?: string;
}

/** @throws E_USAGE */
export function checkCombinations(flags: CombinedFlags): void {
  if (flags.quiet && flags.verbose) throw usageError("--quiet and --verbose exclude each other", "Leave one of them.");
  if (flags.resume && flags.force) {
    throw usageError(
      "--resume and --force exclude each other: one goes on with the run in the output folder, the other replaces it",
      "Leave one of them.",
    );
  }
  if (flags.dryRun) checkDryRun(flags);
  if (flags.simulateClicks !== undefined) checkStudied(flags);
  if (flags.published && flags.simulateClicks === undefined)
    throw usageError("--published is for the report of --simulate-clicks", "Add --simulate-clicks, or leave it out.");
  if (flags.queue !== undefined) {
    parseRedisAddress(flags.queue);
    if (flags.precision !== "auto")
      throw usageError(
        "--precision is for the machine that predicts, and with --queue that is each worker's",
        "Give it to polyrnn worker, or leave it out.",
      );
    if (flags.out === "-")
      throw usageError(
        "--queue needs an output folder: results come in any order, and the journal keeps them",
        "Name a folder with --out.",
      );
    if (flags.imageAddress !== undefined) parseImageAddress(flags.imageAddress);
  } else if (flags.imageAddress !== undefined) {
    throw usageError("--image-address is for the workers of a queue", "Add --queue, or leave it out.");
  }
  if (flags.out === "-") checkStreamed(flags);
  if (flags.out === "-" && flags.resume) {
    throw usageError(
      "--resume needs an output folder: a stream to standard output (--out -) leaves no run to go on with",
      "Name a folder with --out.",
    );
  }
}

/** What the report of simulated clicks says nothing about. */
function checkStudied(flags: CombinedFlags): void {
  if (flags.out === "-")
    throw usageError(
      "--simulate-clicks needs an output folder for its report: --out - has none",
      "Name a folder with --out.",
    );
  if (flags.existing === "keep") {
    throw usageError(
      "--simulate-clicks and --existing keep exclude each other: " +
        "kept polygons are the ground truth, and what is drawn has none",
      "Leave one of them.",
    );
  }
  if (flags.shard !== undefined) {
    throw usageError(
      "--simulate-clicks and --shard exclude each other: one part says nothing about the whole",
      "Simulate on the joined run: polyrnn merge, then polyrnn simulate-clicks --run DIR.",
    );
  }
}

/** What a trial on this machine, of the whole input, says nothing about. */
function checkDryRun({ queue, resume }: CombinedFlags): void {
  if (queue !== undefined) {
    throw usageError(
      "--dry-run and --queue exclude each other: what the workers need cannot be measured here",
      "Leave --queue out to count the boxes and measure this machine.",
    );
  }
  if (resume) {
    throw usageError(
      "--dry-run and --resume exclude each other: the trial is of the whole input",
      "Leave one of them; summary.json of the run says how much is left.",
    );
  }
}

/** A stream has one form, COCO annotations, one per line, and no place for pictures. */
function checkStreamed({ format, overlays }: CombinedFlags): void {
  const others = format.filter((name) => name !== "coco");
  if (others.length > 0) {
    throw usageError(
      `--format ${format.join(",")} needs an output folder: --out - streams COCO annotations, one per line`,
      `Name a folder with --out, or leave out ${others.join(", ")}.`,
    );
  }
  if (overlays === "all") {
    throw usageError(
      "--overlays all needs an output folder: --out - has no place for pictures",
      "Name a folder with --out, or leave --overlays out.",
    );
  }
}

/**
 * Before the run: what would fail after it fails now; see also checkCombinations.
 * @returns the thresholds; undefined when no simulation is asked for
 * @throws E_USAGE and, where the boxes have no ground truth, E_DATA
 */
export async function checkStudy(
  flags: Pick<CombinedFlags, "simulateClicks"> & { readonly boxes: string } & SubjectOptions,
): Promise<readonly number[] | undefined> {
  if (flags.simulateClicks === undefined) return undefined;
  const thresholds = parseThresholds(flags.simulateClicks, "--simulate-clicks");
  const { checkTruth } = await import("../../clicks/subjects.js");
  await checkTruth(flags.boxes, flags);
  return thresholds;
}
