/**
 * The output folder of a run: what lies in it, and who may write there.
 *
 *     run.json            inputs, model, options, versions, hashes
 *     journal.ndjson      one line per finished instance: the truth
 *     annotations.json    and the other formats asked for, built from the journal
 *     overlays/           pictures to look at
 *     gallery.html        up to 500 instances on one page, the lowest score first
 *     summary.json        counts, failures with reasons, throughput, engine, device
 *     review.ndjson       what people decided (polyrnn review); no run removes or changes it
 *     run.lock            which process is at work, while one is (runs/lock.ts)
 */
import { readdir, rm } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { PolyrnnError } from "../errors.js";
import { receivedOf, usageError } from "../errors.js";
import { makeFolder, PARTIAL_SUFFIX, toWriteError } from "../files/atomic-file.js";
import { folderNotEmpty, isInside, realPathOf } from "../files/folders.js";
import {
  GALLERY_FILE,
  JOURNAL_FILE,
  LOCK_FILES,
  OUTPUT_FOLDERS,
  REVIEW_FILE,
  RUN_FILE,
  SUMMARY_FILE,
} from "../files/run-layout.js";
import { RunLock } from "./lock.js";

/** Everything `annotate` may write into its folder; `--force` removes these and nothing else. */
const OWN_FILES = [
  RUN_FILE,
  JOURNAL_FILE,
  SUMMARY_FILE,
  "annotations.json",
  "label-studio.json",
  "label-studio-config.xml",
  "cvat.xml",
  "via.json",
  GALLERY_FILE,
  // Written by --simulate-clicks.
  "report.json",
  "report.md",
  "report.html",
  "instances.csv",
  "clicks.csv",
  "automatic.json",
  ...OUTPUT_FOLDERS,
];

export interface ReadyFolder {
  /** "resume" when the folder holds the journal of a run to be continued. */
  readonly mode: "new" | "resume";
  /** The caller releases it when the last file is written. */
  readonly lock: RunLock;
}

/** The folder, how to treat what it holds, and the inputs that must not lie where outputs go. */
export interface RunFolderOptions {
  readonly out: string;
  /** Continue the run that is there. */
  readonly resume: boolean;
  /** Replace the run that is there. */
  readonly force: boolean;
  readonly boxes: string;
  readonly images?: string;
  readonly dataset?: string;
  readonly onlyNew?: string;
  /** Run folders that are read. */
  readonly parts?: readonly string[];
}

/**
 * Makes the folder ready and keeps other runs out of it.
 * @param note receives a line when the lock of a dead process was taken over
 * @throws E_OUT_NOT_EMPTY when the folder holds something that is neither continued (--resume) nor replaced (--force);
 *   E_OUT_IN_USE when another run is at work there; E_USAGE when an input lies where an output goes; E_WRITE
 */
export async function prepareRunFolder(options: RunFolderOptions, note: (line: string) => void): Promise<ReadyFolder> {
  await refuseInputAsOutput(options);
  await makeFolder(options.out);
  const lock = await RunLock.take(options.out, note);
  try {
    return { mode: await clearRunFolder(options), lock };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function clearRunFolder(options: RunFolderOptions): Promise<ReadyFolder["mode"]> {
  try {
    const names = (await readdir(options.out)).filter((name) => !LOCK_FILES.includes(name));
    if (names.includes(JOURNAL_FILE) && options.resume && !options.force) return "resume";
    // What a run leaves that was killed before its first line.
    const others = names.filter((name) => !(options.resume && name === JOURNAL_FILE + PARTIAL_SUFFIX));
    if (others.length > 0 && !options.force) throw notEmpty(options, others);
    if (options.force) {
      if (names.includes(REVIEW_FILE)) throw holdsReview(options.out);
      for (const name of OWN_FILES)
        for (const end of ["", PARTIAL_SUFFIX])
          await rm(join(options.out, name + end), { recursive: true, force: true });
    }
    return "new";
  } catch (error) {
    throw toWriteError(options.out, error);
  }
}

/** The decisions of people belong to the run that would be replaced. */
function holdsReview(out: string): PolyrnnError {
  return folderNotEmpty(
    `--out ${out}: expected a folder without a review, received one with ${REVIEW_FILE}`,
    "Name another folder with --out, or move the review away; --force never removes the work of people.",
  );
}

function notEmpty({ out, resume }: RunFolderOptions, names: readonly string[]): PolyrnnError {
  const isRun = names.includes(JOURNAL_FILE);
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  const others = names.slice(0, 3).map(receivedOf).join(", ") + more + (resume ? ` but no ${JOURNAL_FILE}` : "");
  const expected = `${resume ? "an earlier run or " : ""}an empty folder`;
  return folderNotEmpty(
    `--out ${out}: expected ${expected}, received one with ${isRun ? "an earlier run" : others}`,
    isRun
      ? "Go on with --resume, replace it with --force, or name another folder with --out."
      : "Name another folder with --out. --force writes there all the same; files named like the outputs are replaced.",
  );
}

/** Inputs are never written to: none may be the output folder, or lie in it under a name that an output has. */
async function refuseInputAsOutput({
  out,
  boxes,
  images,
  dataset,
  onlyNew,
  parts = [],
}: RunFolderOptions): Promise<void> {
  const outPath = await realPathOf(out);
  const inputs = [
    ["--boxes", boxes],
    ["--dataset", dataset],
    ["images", images],
    ["--only-new", onlyNew],
    ...parts.map((part) => ["the part", part] as const),
  ] as const;
  for (const [name, input] of inputs) {
    if (input === undefined) continue;
    const path = await realPathOf(input);
    const [top = ""] = relative(outPath, path).split(sep);
    if (isInside(outPath, path) && (top === "" || OWN_FILES.includes(top))) {
      throw usageError(
        `--out ${out}: expected a folder apart from the inputs, received one that holds ${name} ${input}`,
        "Name another folder with --out; inputs are never written over.",
      );
    }
  }
}
