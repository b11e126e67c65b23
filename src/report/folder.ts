/** The output folder of an evaluation or a click simulation: the names of its files, and what it must be to be used. */
import { readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { count } from "../count.js";
import { cannotWrite, PolyrnnError, reasonOf, usageError } from "../errors.js";
import { makeFolder, removeLeftovers, toWriteError, writeAtomic } from "../files/atomic-file.js";
import { LOCK_FILES } from "../files/run-layout.js";
import { folderNotEmpty, realPathOf, takeBackFolder } from "../files/folders.js";

export const REPORT_JSON = "report.json";
export const REPORT_MARKDOWN = "report.md";
export const REPORT_HTML = "report.html";
/** One line per annotation of the truth (report/csv.ts). */
export const INSTANCES_FILE = "instances.csv";
/** One line per simulated instance and threshold (report/csv.ts). */
export const CLICKS_FILE = "clicks.csv";
/** The polygons a click simulation begins with, as a COCO file. */
export const AUTOMATIC_FILE = "automatic.json";
/**
 * Lies in the folder while a report is written. A folder that a kill has left is known by it: people may have files of
 * the other names.
 */
const UNFINISHED_FILE = "report.unfinished";
const UNFINISHED_TEXT = "A report was being written here. The same polyrnn command replaces what is there of it.\n";

/**
 * Everything that is ever written there. Each is replaced when its successor is whole, so a failed evaluation leaves an
 * earlier report as it was. report.json is written last.
 */
const OWN_FILES: readonly string[] = [
  REPORT_JSON,
  REPORT_MARKDOWN,
  REPORT_HTML,
  INSTANCES_FILE,
  CLICKS_FILE,
  AUTOMATIC_FILE,
  UNFINISHED_FILE,
];

/** Where an evaluation goes when the user does not say: a folder beside the predictions. */
export function defaultReportFolder(predictions: string): string {
  return join(dirname(predictions), "polyrnn-eval");
}

/** A folder to write a report in. */
export interface ReadyReportFolder {
  /**
   * For when there will be no report: a folder that was empty, or that a kill had left, holds none of its files then,
   * and one that was not there is gone.
   */
  takeBack(): Promise<void>;
  /** Lets others write there. */
  release(): Promise<void>;
}

/**
 * Makes the folder ready; `finishReportFolder` ends what begins here.
 * @param inputs files that are never written over
 * @param options force: replace an earlier report; lock: keeps others out of a folder that exists
 * @throws E_USAGE when an input is one of the files to be written; E_OUT_NOT_EMPTY without `force`; E_WRITE;
 *   whatever the lock throws
 */
export async function prepareReportFolder(
  out: string,
  inputs: readonly string[],
  {
    force,
    lock,
  }: { readonly force: boolean; readonly lock: (out: string) => Promise<Pick<ReadyReportFolder, "release">> },
): Promise<ReadyReportFolder> {
  const own = await Promise.all(OWN_FILES.map((name) => realPathOf(join(out, name))));
  for (const input of inputs) {
    if (own.includes(await realPathOf(input))) {
      throw usageError(
        `--out ${out}: expected a folder apart from the inputs, received the one that holds ${input}`,
        "Name another folder with --out; inputs are never written over.",
      );
    }
  }
  const made = await makeFolder(out);
  const held = await lock(out);
  try {
    await removeLeftovers(out, [UNFINISHED_FILE]);
    const isUnfinished = (await readdir(out)).includes(UNFINISHED_FILE);
    if (isUnfinished) await removeLeftovers(out, OWN_FILES);
    const names = (await readdir(out)).filter((name) => !LOCK_FILES.includes(name));
    // Without the file that is written last, what was begun is no report.
    const isCutOff = isUnfinished && !names.includes(REPORT_JSON) && names.every((name) => OWN_FILES.includes(name));
    if (names.length > 0 && !isCutOff && !force) throw notEmpty(out, names);
    await writeAtomic(join(out, UNFINISHED_FILE), UNFINISHED_TEXT);
    // An earlier report is replaced file by file, and stays where there is no new one.
    const written = names.length > 0 && !isCutOff ? [UNFINISHED_FILE] : OWN_FILES;
    return {
      // The lock goes last, so that nobody else has begun there before.
      takeBack: () => takeBackFolder(out, made, [...written, ...LOCK_FILES]),
      release: () => held.release(),
    };
  } catch (error) {
    await held.release();
    if (error instanceof PolyrnnError) throw error;
    throw cannotWrite(
      `--out ${out}: cannot make or read the output folder: ${reasonOf(error)}`,
      "Name a folder that can be written.",
      error,
    );
  }
}

/** Says that the report is whole. @throws E_WRITE */
export async function finishReportFolder(out: string): Promise<void> {
  const path = join(out, UNFINISHED_FILE);
  await rm(path, { force: true }).catch((error: unknown) => {
    throw toWriteError(path, error);
  });
}

function notEmpty(out: string, names: readonly string[]): PolyrnnError {
  const isReport = names.includes(REPORT_JSON);
  const received = isReport ? "an earlier report" : `${count(names.length, "file")}, for example ${names[0] ?? ""}`;
  return folderNotEmpty(
    `--out ${out}: expected an empty folder, received ${received}`,
    isReport
      ? "Replace it with --force, or name another folder with --out."
      : "Name another folder with --out, or write beside what is there with --force.",
  );
}
