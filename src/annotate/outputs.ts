/**
 * From the journal to files: walks the data set once more, puts each annotation beside its outcome and hands both to
 * the writers. A stopped run is only counted; its files come when it is resumed.
 */
import { join } from "node:path";
import type { Dataset, Entry, ImageGroup } from "../dataset/dataset.js";
import type { PolyrnnError } from "../errors.js";
import { invalidData } from "../errors.js";
import { JOURNAL_FILE, RUN_FILE } from "../files/run-layout.js";
import { JournalReader } from "../runs/journal.js";
import type { Outcome } from "../types.js";
import { openWriters } from "../write/open-writers.js";
import { openOverlays } from "../write/overlays.js";
import type { AnnotationWriter, ImageResult, ResultItem, WriteContext } from "../write/writer.js";
import type { AnnotateHost, AnnotateOptions } from "./options.js";
import type { JournalIndex } from "./plan.js";
import { recoverJournal } from "./plan.js";
import type { Selection } from "./select.js";
import { decide } from "./select.js";
import type { StageClock } from "./summary.js";
import { Tally } from "./summary.js";

interface FinishedRun {
  readonly options: Pick<AnnotateOptions, "out" | "formats" | "overlays" | "limit"> & { readonly images?: string };
  readonly host: Pick<AnnotateHost, "note">;
  readonly dataset: Dataset;
  /** What made the polygons; see generatorOf. */
  readonly generator: string;
  readonly selection: Selection;
  readonly clock: StageClock;
}

interface FinishedCounts {
  /** No files are written then. */
  readonly stopped: boolean;
  /** Instances that are known to have no line. */
  readonly remaining: number;
  /** Images with something drawn, for the choice of overlays. */
  readonly imageCount: number;
}

export async function finishRun(
  run: FinishedRun,
  journalPath: string,
  drawn: FinishedCounts,
): Promise<{ tally: Tally; written: readonly string[] }> {
  const { index } = await recoverJournal(journalPath, undefined, run.dataset.annotationCount);
  const journal = await JournalReader.open(journalPath);
  const tally = new Tally();
  try {
    if (drawn.stopped) {
      for await (const group of run.dataset.groups()) await resultOf(group, run.selection, index, journal, tally);
      return { tally, written: [RUN_FILE, JOURNAL_FILE] };
    }
    run.host.note(`writing ${run.options.formats.join(", ")} to ${run.options.out}`);
    const written = await run.clock.time("write", () => writeFiles(run, drawn, index, journal, tally));
    return { tally, written: [RUN_FILE, JOURNAL_FILE, ...written] };
  } finally {
    await journal.close();
  }
}

async function writeFiles(
  run: FinishedRun,
  { imageCount, remaining }: FinishedCounts,
  index: JournalIndex,
  journal: JournalReader,
  tally: Tally,
): Promise<readonly string[]> {
  const { options, dataset, selection, host, generator } = run;
  const context: WriteContext = {
    out: options.out,
    categories: dataset.categories,
    header: dataset.header,
    generator,
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
  try {
    let predictable = 0,
      journaled = 0;
    for await (const group of dataset.groups()) {
      const result = await resultOf(group, selection, index, journal, tally);
      for (const ordinal of predictableOrdinals(group, selection)) {
        predictable++;
        if (index.get(ordinal) !== undefined) journaled++;
      }
      for (const writer of writers) await writer.image(result);
    }
    const wanted = Math.min(predictable, options.limit ?? Infinity) - remaining;
    if (journaled < wanted) throw incompleteJournal(join(options.out, JOURNAL_FILE), wanted - journaled);
    const written: string[] = [];
    for (const writer of writers) written.push(...(await writer.finish()));
    return written;
  } catch (error) {
    for (const writer of writers) await writer.abort();
    throw error;
  }
}

function predictableOrdinals(group: ImageGroup, selection: Selection): number[] {
  return group.entries.flatMap((entry) => {
    const decision = decide(entry, selection);
    return decision.kind === "draw" ? [decision.instance.ordinal] : [];
  });
}

/** Every instance was journaled by this process or an earlier one: a line that is not there now was damaged since. */
function incompleteJournal(path: string, missing: number): PolyrnnError {
  return invalidData(
    `${path}: expected a line for every instance, received ${missing} too few: it was damaged while the run was going on`,
    "Run again with --resume: what is missing is drawn again. Check the disk, and that nothing else writes to this folder.",
  );
}

/** Joins one image's annotations with what the journal says of them. */
async function resultOf(
  group: ImageGroup,
  selection: Selection,
  index: JournalIndex,
  journal: JournalReader,
  tally: Tally,
): Promise<ImageResult> {
  const items: ResultItem[] = [];
  let size =
    group.image.width !== undefined && group.image.height !== undefined
      ? { width: group.image.width, height: group.image.height }
      : undefined;
  for (const entry of group.entries) {
    const outcome = await outcomeOf(entry, selection, index, journal);
    if (outcome === undefined) continue; // beyond --limit, or not reached yet
    tally.add(outcome);
    if (outcome.status === "done") size = { width: outcome.imageWidth, height: outcome.imageHeight };
    items.push(
      entry.kind === "instance"
        ? { kind: "outcome", instance: entry.instance, outcome }
        : { kind: "rejected", raw: entry.raw, outcome },
    );
  }
  return {
    image: group.image,
    items,
    isEmpty: group.entries.length === 0,
    ...(size === undefined ? {} : { size }),
    ...(group.location.kind === "file" ? { path: group.location.path } : {}),
  };
}

async function outcomeOf(
  entry: Entry,
  selection: Selection,
  index: JournalIndex,
  journal: JournalReader,
): Promise<Outcome | undefined> {
  const decision = decide(entry, selection);
  if (decision.kind === "settled") return decision.outcome;
  const line = index.get(decision.instance.ordinal);
  return line === undefined ? undefined : journal.read(line);
}
