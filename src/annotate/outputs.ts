/**
 * From the journal to files: walks the data set once more, puts each annotation beside its outcome and hands both to
 * the writers. A stopped run is only counted; its files come when it is resumed.
 */
import { join } from "node:path";
import { openImage } from "../crop/open-image.js";
import { meaningOf } from "../dataset/cityscapes/labels.js";
import type { Dataset, Entry, ImageGroup } from "../dataset/dataset.js";
import type { PolyrnnError } from "../errors.js";
import { invalidData, receivedOf } from "../errors.js";
import { JOURNAL_FILE, RUN_FILE } from "../files/run-layout.js";
import { JournalReader } from "../runs/journal.js";
import type { Id, Outcome } from "../types.js";
import { cityscapesLabel } from "../write/cityscapes.js";
import { passedOver } from "../write/labels.js";
import { openWriters } from "../write/open-writers.js";
import { openOverlays } from "../write/overlays.js";
import { sizeOfRecord } from "../write/writer.js";
import type { AnnotationWriter, ImageResult, ResultItem, WriteContext } from "../write/writer.js";
import { openGallery } from "./gallery.js";
import type { AnnotateHost, AnnotateOptions } from "./options.js";
import type { JournalIndex } from "./plan.js";
import { recoverJournal } from "./plan.js";
import type { Selection } from "./select.js";
import { decide } from "./select.js";
import type { StageClock } from "./summary.js";
import { Tally } from "./summary.js";

interface FinishedRun {
  readonly options: Pick<AnnotateOptions, "out" | "formats" | "formatOptions" | "overlays" | "limit"> & {
    readonly images?: string;
  };
  readonly host: Pick<AnnotateHost, "note">;
  readonly dataset: Dataset;
  /** What made the polygons; see `generatorOf`. */
  readonly generator: string;
  readonly selection: Selection;
  readonly clock: StageClock;
  readonly reviewed?: Reviewed;
  /** Hears how many images the writers have been given; the files are in place when finishRun returns. */
  readonly onImage?: (done: number) => void;
}

/**
 * Lays what people decided over what the run made of an annotation.
 * @returns undefined for what is left out
 */
export type Reviewed = (item: ResultItem) => Promise<ResultItem | undefined>;

interface FinishedCounts {
  /** No files are written then. */
  readonly stopped: boolean;
  /** Instances that are known to have no line. */
  readonly remaining: number;
  /** Images with a polygon to show, for the choice of overlays. */
  readonly imageCount: number;
}

/** What became of each entry of the data set. */
interface Outcomes {
  readonly selection: Selection;
  readonly index: JournalIndex;
  readonly journal: JournalReader;
  readonly reviewed?: Reviewed | undefined;
}

/**
 * @returns the counts of the whole run, and what was written, relative to its folder
 * @throws E_DATA when the journal lacks instances; E_WRITE
 */
export async function finishRun(
  run: FinishedRun,
  journalPath: string,
  counts: FinishedCounts,
): Promise<{ tally: Tally; written: readonly string[] }> {
  const { dataset, selection, options, host, clock } = run;
  const { index } = await recoverJournal(journalPath, undefined, dataset.annotationCount);
  const { reviewed } = run;
  const outcomes: Outcomes = { selection, index, journal: await JournalReader.open(journalPath), reviewed };
  const tally = new Tally();
  try {
    if (counts.stopped) {
      for await (const group of dataset.groups()) await resultOf(group, outcomes, tally);
      return { tally, written: [RUN_FILE, JOURNAL_FILE] };
    }
    host.note(`writing ${options.formats.join(", ")} to ${options.out}`);
    const written = await clock.time("write", () => writeFiles(run, counts, outcomes, tally));
    return { tally, written: [RUN_FILE, JOURNAL_FILE, ...written] };
  } finally {
    await outcomes.journal.close();
  }
}

async function writeFiles(
  { options, dataset, selection, host, generator, onImage }: FinishedRun,
  { imageCount, remaining }: FinishedCounts,
  outcomes: Outcomes,
  tally: Tally,
): Promise<readonly string[]> {
  const context: WriteContext = {
    out: options.out,
    categories: dataset.categories,
    header: dataset.header,
    generator,
    ...(options.formatOptions !== undefined && { formatOptions: options.formatOptions }),
    ...(options.images !== undefined && { images: options.images }),
  };
  const overlays = openOverlays(context, {
    mode: options.overlays,
    imageCount,
    onProblem: (line) => {
      host.note(line);
    },
  });
  const writers: AnnotationWriter[] = [await openWriters(options.formats, context), overlays];
  if (options.overlays !== "none") writers.push(openGallery(context, outcomes.index.size));
  try {
    let [predictable, journaled, imagesDone] = [0, 0, 0];
    const drawn = new Set<Id>();
    for await (const group of dataset.groups()) {
      const result = await resultOf(group, outcomes, tally);
      for (const ordinal of predictableOrdinals(group, selection)) {
        predictable++;
        if (outcomes.index.get(ordinal) !== undefined) journaled++;
      }
      for (const item of result.items)
        if (item.kind === "outcome" && item.outcome.status === "done") drawn.add(item.instance.categoryId);
      for (const writer of writers) await writer.image(result);
      onImage?.(++imagesDone);
    }
    const wanted = Math.min(predictable, options.limit ?? Infinity) - remaining;
    if (journaled < wanted) throw incompleteJournal(join(options.out, JOURNAL_FILE), wanted - journaled);
    if (options.formats.includes("cityscapes")) noteUnknownLabels(dataset, drawn, host);
    const written: string[] = [];
    for (const writer of writers) written.push(...(await writer.finish()));
    return written;
  } catch (error) {
    for (const writer of writers) await writer.abort();
    throw error;
  }
}

/** Cityscapes has a fixed list of labels: with others its tools stop, and what it calls no instance is read as none. */
function noteUnknownLabels({ categories }: Dataset, drawn: ReadonlySet<Id>, host: FinishedRun["host"]): void {
  const unknown = categories.filter(
    ({ id, name }) => drawn.has(id) && meaningOf(cityscapesLabel(name)).kind !== "thing",
  );
  if (unknown.length === 0) return;
  const names = unknown.slice(0, SHOWN_LABELS).map(({ name }) => receivedOf(name));
  const more = unknown.length > SHOWN_LABELS ? `, ... (${unknown.length} in all)` : "";
  host.note(
    `cityscapes: expected labels of Cityscapes' instances (person, rider, car, ...), received ${names.join(", ")}${more}; ` +
      "its tools do not take them. Rename these categories in the box file, or use another --format.",
  );
}
const SHOWN_LABELS = 5;

function predictableOrdinals(group: ImageGroup, selection: Selection): number[] {
  return group.entries.flatMap((entry) => {
    const decision = decide(entry, selection);
    return decision.kind === "predict" ? [decision.instance.ordinal] : [];
  });
}

/** Every instance was journaled by this process or an earlier one: a line that is not there now was damaged since. */
function incompleteJournal(path: string, missing: number): PolyrnnError {
  return invalidData(
    `${path}: expected a line for every instance, received ${missing} too few: ` +
      "it was damaged while the run was going on",
    "Run again with --resume: what is missing is drawn again. " +
      "Check the disk, and that nothing else writes to this folder.",
  );
}

/** Joins one image's annotations with what the journal says of them, and counts them. */
async function resultOf(group: ImageGroup, outcomes: Outcomes, tally: Tally): Promise<ImageResult> {
  const items: ResultItem[] = [];
  let size = sizeOfRecord(group.image);
  for (const entry of group.entries) {
    const outcome = await outcomeOf(entry, outcomes);
    if (outcome === undefined) continue; // beyond --limit, or not reached yet
    const item = resultItem(entry, outcome);
    const shown = outcomes.reviewed === undefined ? item : await outcomes.reviewed(item);
    if (shown === undefined) continue;
    const { outcome: final } = shown;
    tally.add(final);
    if (final.status === "done") size = { width: final.imageWidth, height: final.imageHeight };
    items.push(shown);
  }
  if (size === undefined && items.some((item) => passedOver(item) !== "none")) size = await sizeOfUnopened(group);
  return {
    image: group.image,
    items,
    isEmpty: group.entries.length === 0,
    isUnknown: group.location.kind === "failed" && group.location.failure.reason === "image-unknown",
    ...(size === undefined ? {} : { size }),
    ...(group.location.kind === "file" ? { path: group.location.path } : {}),
  };
}

/**
 * Size of an image that this run had nothing to draw on, where the input does not say: labels that go through need it.
 * No pixels are decoded for it.
 */
async function sizeOfUnopened({ image, location, entries }: ImageGroup): Promise<ImageResult["size"]> {
  if (location.kind === "file") {
    const opened = await openImage(location.path, image, location.root);
    if (opened.kind === "opened") return { width: opened.image.width, height: opened.image.height };
  }
  for (const entry of entries) {
    const truth = entry.kind === "instance" ? entry.instance.truth : undefined;
    if (truth?.kind === "rle") return { width: truth.rle.width, height: truth.rle.height };
  }
  return undefined;
}

/** What the writers are handed of one annotation. */
export function resultItem(entry: Entry, outcome: Outcome): ResultItem {
  return entry.kind === "instance"
    ? { kind: "outcome", instance: entry.instance, outcome }
    : { kind: "rejected", raw: entry.raw, outcome };
}

/** @returns undefined when the journal says nothing of it */
async function outcomeOf(entry: Entry, { selection, index, journal }: Outcomes): Promise<Outcome | undefined> {
  const decision = decide(entry, selection);
  if (decision.kind === "settled") return decision.outcome;
  const line = index.get(decision.instance.ordinal);
  return line === undefined ? undefined : journal.read(line);
}
