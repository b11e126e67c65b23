/**
 * The output folder of a run: what lies in it, and who may write there.
 *
 *     run.json            inputs, model, options, versions, hashes
 *     journal.ndjson      one line per finished instance: the truth
 *     annotations.json    and the other formats asked for, built from the journal
 *     overlays/           pictures to look at
 *     summary.json        counts, failures with reasons, throughput, engine, device
 *     run.lock            while a run is at work: which process (runs/lock.ts)
 */
import { readdir, realpath, rm, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { AnnotateOptions } from "../annotate/options.js";
import { EXIT, PolyrnnError, receivedOf, usageError } from "../errors.js";
import { makeFolder, PARTIAL_SUFFIX, toWriteError } from "../files/atomic-file.js";
import { JOURNAL_FILE, OUTPUT_FOLDERS, RUN_FILE } from "../files/run-layout.js";
import { LOCK_FILE, RunLock, TAKEOVER_FILE } from "./lock.js";

export const SUMMARY_FILE = "summary.json";

/** Everything `annotate` ever writes into its folder; `--force` removes these and nothing else. */
const OWN_FILES = [
  RUN_FILE,
  JOURNAL_FILE,
  SUMMARY_FILE,
  "annotations.json",
  "label-studio.json",
  "label-studio-config.xml",
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
  /** "new" for an empty start, "resume" when a journal is to be gone on with. */
  readonly mode: "new" | "resume";
  /** The caller releases it when the last file is written. */
  readonly lock: RunLock;
}

/** What is asked of the folder, and what must not lie where outputs go. */
export interface RunFolderOptions extends Pick<
  AnnotateOptions,
  "out" | "boxes" | "dataset" | "onlyNew" | "resume" | "force"
> {
  readonly images?: string;
  /** Run folders that are read. */
  readonly parts?: readonly string[];
}

/**
 * Makes the folder ready and keeps other runs out of it.
 * @param note told when the lock of a dead process was taken over
 * @throws when the folder holds something that is neither gone on with (--resume) nor replaced (--force), when another
 *   run is at work there, or when it cannot be written
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
    const names = (await readdir(options.out)).filter((name) => name !== LOCK_FILE && name !== TAKEOVER_FILE);
    if (names.includes(JOURNAL_FILE) && options.resume && !options.force) return "resume";
    // A run that was killed before its first line has left this.
    const others = names.filter((name) => !(options.resume && name === JOURNAL_FILE + PARTIAL_SUFFIX));
    if (others.length > 0 && !options.force) throw notEmpty(options, others);
    if (options.force) {
      for (const name of OWN_FILES)
        for (const end of ["", PARTIAL_SUFFIX])
          await rm(join(options.out, name + end), { recursive: true, force: true });
    }
    return "new";
  } catch (error) {
    throw toWriteError(options.out, error);
  }
}

function notEmpty({ out, resume }: Pick<AnnotateOptions, "out" | "resume">, names: readonly string[]): PolyrnnError {
  const isRun = names.includes(JOURNAL_FILE);
  const shown = names.slice(0, 3).map(receivedOf).join(", ");
  const others = `${shown}${names.length > 3 ? ` and ${names.length - 3} more` : ""}${resume ? ` but no ${JOURNAL_FILE}` : ""}`;
  return new PolyrnnError(
    `--out ${out}: expected ${resume ? "an earlier run or " : ""}an empty folder, received one with ${isRun ? "an earlier run" : others}`,
    "E_OUT_NOT_EMPTY",
    EXIT.cannotWrite,
    isRun
      ? "Go on with --resume, replace it with --force, or name another folder with --out."
      : "Name another folder with --out. --force writes there all the same; files named like the outputs are replaced.",
  );
}

/**
 * Inputs are never written to: the box file must not lie where an output goes, and the images not in the output folder.
 */
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
    const inside = relative(outPath, path);
    const isInside =
      inside === "" || (inside !== ".." && !inside.startsWith(`..${sep}`) && resolve(outPath, inside) === path);
    const isOwn = inside === "" || OWN_FILES.includes(inside.split(sep)[0] ?? "");
    if (isInside && isOwn) {
      throw usageError(
        `--out ${out}: expected a folder apart from the inputs, received one that holds ${name} ${input}`,
        "Name another folder with --out; inputs are never written over.",
      );
    }
  }
}

/** Real path of what exists; the plain absolute one of what does not. */
async function realPathOf(path: string): Promise<string> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  return exists ? realpath(path) : resolve(path);
}
