/**
 * Names in a run folder, and how a search for inputs leaves out what a run wrote: overlays and links to photographs
 * would make image names ambiguous, and polygon files would count as boxes.
 *
 * A run folder is known by its run.json and journal.ndjson. In it, only the folders that `annotate` makes are left out,
 * so that photographs may lie beside them.
 */

export const RUN_FILE = "run.json";
export const JOURNAL_FILE = "journal.ndjson";
export const SUMMARY_FILE = "summary.json";
/** A run on one page, to look at. */
export const GALLERY_FILE = "gallery.html";
/** Decisions of people, made by `polyrnn review`; no other command writes there. */
export const REVIEW_FILE = "review.ndjson";

/** Names the process at work in an output folder, while one is (runs/lock.ts). */
export const LOCK_FILE = "run.lock";
/** Held for the moment in which a lock of a dead process is replaced, so that two runs cannot both replace it. */
export const TAKEOVER_FILE = "run.lock.takeover";
/** What a killed process may leave of its lock: no content of a folder. */
export const LOCK_FILES: readonly string[] = [LOCK_FILE, TAKEOVER_FILE];

/** Folders `annotate` makes in its output folder. */
export const OUTPUT_FOLDERS = ["cityscapes", "labelme", "masks", "overlays", "yolo-seg"] as const;

/**
 * @param paths files below one folder, relative, "/" between parts; RUN_FILE and JOURNAL_FILE among them where there
 *   are any
 * @returns the paths that no run wrote into its output folders, in the same order
 */
export function withoutRunOutputs(paths: readonly string[]): readonly string[] {
  const all = new Set(paths);
  const outputs = paths
    .filter((path) => path === JOURNAL_FILE || path.endsWith(`/${JOURNAL_FILE}`))
    .map((path) => path.slice(0, -JOURNAL_FILE.length))
    .filter((folder) => all.has(folder + RUN_FILE))
    .flatMap((folder) => OUTPUT_FOLDERS.map((name) => `${folder}${name}/`));
  return outputs.length === 0 ? paths : paths.filter((path) => !outputs.some((output) => path.startsWith(output)));
}
