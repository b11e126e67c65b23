/**
 * The output folder of a run: what lies in it, and who may write there.
 *
 *     run.json            inputs, model, options, versions, hashes
 *     journal.ndjson      one line per finished instance: the truth
 *     annotations.json    and the other formats asked for, built from the journal
 *     overlays/           pictures to look at
 *     summary.json        counts, failures with reasons, throughput, engine, device
 */
import { mkdir, readdir, realpath, rm, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { JOURNAL_FILE, OUTPUT_FOLDERS, RUN_FILE } from "../dataset/run-outputs.js";
import { EXIT, PolyrnnError, cannotWrite, reasonOf, usageError } from "../errors.js";
import type { AnnotateOptions } from "./options.js";

export const SUMMARY_FILE = "summary.json";

/** Everything `annotate` ever writes into its folder; `--force` removes these and nothing else. */
const OWN_FILES = [
  RUN_FILE, JOURNAL_FILE, SUMMARY_FILE, "annotations.json", "label-studio.json", "label-studio-config.xml", ...OUTPUT_FOLDERS,
];

/**
 * Makes the folder ready. @returns "new" for an empty start, "resume" when a journal is to be gone on with
 * @throws when the folder holds something and neither --resume nor --force was given, or when it cannot be written
 */
export async function prepareRunFolder(options: AnnotateOptions): Promise<"new" | "resume"> {
  await refuseInputAsOutput(options);
  try {
    await mkdir(options.out, { recursive: true });
    const names = await readdir(options.out);
    if (names.includes(JOURNAL_FILE) && options.resume && !options.force) return "resume";
    if (names.length > 0 && !options.force && !options.resume) throw notEmpty(options.out, names);
    if (options.force) for (const name of OWN_FILES) await rm(join(options.out, name), { recursive: true, force: true });
    return "new";
  } catch (error) {
    if (error instanceof PolyrnnError) throw error;
    throw cannotWrite(`--out ${options.out}: cannot make or read the output folder: ${reasonOf(error)}`,
      "Name a folder that can be written.", error);
  }
}

function notEmpty(out: string, names: readonly string[]): PolyrnnError {
  const isRun = names.includes(JOURNAL_FILE);
  return new PolyrnnError(
    `--out ${out}: expected an empty folder, received ${isRun ? "an earlier run" : `${names.length} file(s), for example ${names[0] ?? ""}`}`,
    "E_OUT_NOT_EMPTY", EXIT.cannotWrite,
    isRun ? "Go on with --resume, replace it with --force, or name another folder with --out." : "Name another folder with --out, or write beside what is there with --force.",
  );
}

/** Inputs are never written to: the box file must not lie where an output goes, and the images not in the output folder. */
async function refuseInputAsOutput({ out, boxes, images, dataset }: AnnotateOptions): Promise<void> {
  const outPath = await realPathOf(out);
  for (const [name, input] of [["--boxes", boxes], ["--dataset", dataset], ["images", images]] as const) {
    if (input === undefined) continue;
    const path = await realPathOf(input);
    const inside = relative(outPath, path);
    const isInside = inside === "" || (inside !== ".." && !inside.startsWith(`..${sep}`) && resolve(outPath, inside) === path);
    const isOwn = inside === "" || OWN_FILES.includes(inside.split(sep)[0] ?? "");
    if (isInside && isOwn) {
      throw usageError(`--out ${out}: expected a folder apart from the inputs, received one that holds ${name} ${input}`,
        "Name another folder with --out; inputs are never written over.");
    }
  }
}

/** Real path of what exists; the plain absolute one of what does not. */
async function realPathOf(path: string): Promise<string> {
  const exists = await stat(path).then(() => true, () => false);
  return exists ? realpath(path) : resolve(path);
}
