/**
 * The run that is reviewed: its record, its input, and where each instance and its automatic polygon lie. Opened by one
 * walk over the data set and one over the journal; typed arrays hold what a queue of 100,000 instances needs.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { stat } from "node:fs/promises";
import type { RunInput } from "../annotate/input.js";
import { openInput } from "../annotate/input.js";
import { JournalIndex } from "../annotate/plan.js";
import { parseShard } from "../annotate/shard.js";
import { decide } from "../annotate/select.js";
import type { ImageLocation } from "../dataset/dataset.js";
import { invalidData, missingInput, reasonOf } from "../errors.js";
import { openRegularFile } from "../files/regular-file.js";
import { JOURNAL_FILE, REVIEW_FILE } from "../files/run-layout.js";
import type { Model } from "../model/model.js";
import { loadModel } from "../model/model.js";
import type { RunIdentity } from "../runs/identity.js";
import { checkIdentity } from "../runs/identity.js";
import type { LineRange } from "../runs/journal.js";
import { JournalReader, unsealLine } from "../runs/journal.js";
import type { RunRecord } from "../runs/run-file.js";
import { readRunFile } from "../runs/run-file.js";
import type { Box, Category, Id, ImageRecord, Outcome, Ring } from "../types.js";
import { describeViolation } from "../validate.js";
import { ReviewJournal } from "./journal.js";
import { readHeadsAside } from "./journal-heads.js";

/** One image with its instances, without what the files need of it. */
export interface ReviewedImage {
  readonly record: Pick<ImageRecord, "id" | "width" | "height">;
  readonly location: ImageLocation;
  /** Of all instances on it that the run was asked for. */
  readonly ordinals: number[];
}

export interface ReviewedRun {
  readonly folder: string;
  readonly record: RunRecord;
  readonly identity: RunIdentity;
  readonly input: RunInput;
  readonly categories: readonly Category[];
  readonly images: readonly ReviewedImage[];
  /** By ordinal: position of the image; -1 where the run was not asked for the instance. */
  readonly imageOf: Int32Array;
  /** By ordinal: position of the category; -1 for an unknown one. */
  readonly categoryOf: Int32Array;
  /** By ordinal: [left, top, width, height]. */
  readonly boxes: Float64Array;
  /** By ordinal: of the automatic polygon, 0..1; NaN where there is none to review, -1 where none came out. */
  readonly scores: Float32Array;
  readonly index: JournalIndex;
  /** Reads a line of the journal; many may ask at once. */
  readonly readOutcome: (line: LineRange) => Promise<Outcome>;
  readonly review: ReviewJournal;
  /** sha256 of the first line of the run's journal. */
  readonly hash: string;
  close(): Promise<void>;
}

const HINT = "Name the folder that polyrnn annotate wrote with --out.";

/**
 * @throws E_MISSING where there is no run, E_DATA where it is damaged, its input is not what it was, or its review
 *   belongs to another run
 */
export async function openReviewedRun(folder: string, note: (line: string) => void): Promise<ReviewedRun> {
  const record = await readRunFile(folder, "the run folder of polyrnn annotate", HINT);
  const journalPath = join(folder, JOURNAL_FILE);
  const reading = readHeadsAside(journalPath);
  reading.catch(() => undefined); // told below, where nothing before it fails
  const { identity, hash } = await readHeader(journalPath);
  const review = await ReviewJournal.read(join(folder, REVIEW_FILE), hash);
  if (review.damaged.length > 0) note(damageOf(review));
  const input = await openInputOf(record, identity);
  try {
    if (input.dataset.sha256 !== identity.input)
      throw invalidData(
        `${record.inputs.boxes}: expected the boxes that the run was made from (sha256 ${identity.input.slice(0, 12)}), ` +
          `received others (${input.dataset.sha256.slice(0, 12)})`,
        "Put the file back as it was, or run polyrnn annotate again.",
      );
    const { dataset } = input;
    const size = dataset.annotationCount;
    const run = {
      folder,
      record,
      identity,
      input,
      categories: dataset.categories,
      images: [] as ReviewedImage[],
      imageOf: new Int32Array(size).fill(-1),
      categoryOf: new Int32Array(size).fill(-1),
      boxes: new Float64Array(4 * size),
      scores: new Float32Array(size).fill(NaN),
      review,
      hash,
    };
    await indexInstances(run);
    const heads = await reading;
    const { damagedLines } = heads;
    const index = new JournalIndex(size);
    heads.ordinals.forEach((ordinal, at) => {
      if (ordinal >= size) return;
      index.set(ordinal, { offset: heads.offsets[at]!, length: heads.lengths[at]! }, heads.failures[at] === 1);
      if (run.imageOf[ordinal] !== -1) run.scores[ordinal] = heads.scores[at]!;
    });
    if (damagedLines.length > 0)
      note(
        `${journalPath}: damaged lines (${damagedLines.slice(0, 10).join(", ")}): their instances are not shown; ` +
          "polyrnn annotate --resume draws them again",
      );
    const automatic = await JournalReader.open(journalPath);
    return {
      ...run,
      index,
      readOutcome: (line) => automatic.read(line),
      async close() {
        await review.close();
        await automatic.close();
        await input.close();
      },
    };
  } catch (error) {
    await input.close();
    throw error;
  }
}

/** @throws E_MISSING where there is no run, E_DATA where run.json is damaged */
export async function checkRunFolder(folder: string): Promise<void> {
  await readRunFile(folder, "the run folder of polyrnn annotate", HINT);
}

/** For people: which lines of a review are lost. */
export function damageOf({ path, damaged }: ReviewJournal): string {
  const more = damaged.length > 10 ? `, ... (${damaged.length} in all)` : "";
  return `${path}: damaged at line ${damaged.slice(0, 10).join(", ")}${more}; what was decided there is open again`;
}

type BoundRun = Omit<ReviewedRun, "index" | "readOutcome" | "close"> & { readonly images: ReviewedImage[] };

async function indexInstances(run: BoundRun): Promise<void> {
  const { input, images, imageOf, categoryOf, boxes } = run;
  const places = new Map<Id, number>(run.categories.map(({ id }, at) => [id, at]));
  for await (const { image, location, entries } of input.dataset.groups("boxes")) {
    const ordinals: number[] = [];
    for (const entry of entries) {
      const decision = decide(entry, input.selection);
      if (decision.kind !== "predict") continue;
      const { ordinal, categoryId, box } = decision.instance;
      ordinals.push(ordinal);
      imageOf[ordinal] = images.length;
      categoryOf[ordinal] = places.get(categoryId) ?? -1;
      boxes.set([box.left, box.top, box.width, box.height], 4 * ordinal);
    }
    if (ordinals.length === 0) continue;
    const { id, width, height } = image;
    images.push({
      record: { id, ...(width !== undefined && { width }), ...(height !== undefined && { height }) },
      location,
      ordinals,
    });
  }
}

/** Of the automatic polygon, four decimals; null where none came out. */
export function automaticScore({ scores }: Pick<ReviewedRun, "scores">, ordinal: number): number | null {
  const score = scores[ordinal]!;
  return score < 0 ? null : Math.round(score * 1e4) / 1e4;
}

export function categoryName({ categories }: Pick<ReviewedRun, "categories">, id: Id): string {
  return categories.find((category) => category.id === id)?.name ?? String(id);
}

export function boxOf({ boxes }: Pick<ReviewedRun, "boxes">, ordinal: number): Box {
  const at = 4 * ordinal;
  return { left: boxes[at]!, top: boxes[at + 1]!, width: boxes[at + 2]!, height: boxes[at + 3]! };
}

export async function outcomeOf({ index, readOutcome }: ReviewedRun, ordinal: number): Promise<Outcome | undefined> {
  const line = index.get(ordinal);
  return line === undefined ? undefined : readOutcome(line);
}

const MOST_OTHERS = 300;

/** The other polygons of an image as they are now, for thin lines around the reviewed one; without those rejected. */
export async function othersOf(run: ReviewedRun, ordinal: number): Promise<Ring[]> {
  const { review } = run;
  const others: Ring[] = [];
  for (const other of run.images[run.imageOf[ordinal]!]!.ordinals) {
    if (other === ordinal || others.length >= MOST_OTHERS) continue;
    const known = review.decisionOn(other);
    if (known?.status === "rejected") continue;
    if (known !== undefined && known.status !== "skipped") others.push(...(await review.load(known)).rings);
    else {
      const outcome = await outcomeOf(run, other);
      if (outcome?.status === "done") others.push(outcome.ring);
    }
  }
  return others;
}

async function openInputOf({ inputs, options }: RunRecord, identity: RunIdentity): Promise<RunInput> {
  const { images, boxes, dataset } = inputs;
  const hasImages = (await stat(images).catch(() => undefined))?.isDirectory() === true;
  if (!hasImages)
    throw missingInput(
      `${images}: expected the folder with the images of the run, received none`,
      "Put the images back: a review shows them.",
    );
  return openInput({
    images,
    boxes,
    ...(dataset !== undefined && { dataset }),
    ...(options.boxesAre !== undefined && { boxesAre: options.boxesAre }),
    ...(identity.onlyNew !== null && options.onlyNew !== undefined && { onlyNew: options.onlyNew }),
    ...(identity.shard !== null && { shard: parseShard(identity.shard, {}) }),
    categories: identity.categories,
    existing: identity.existing,
  });
}

const LONGEST_HEADER = 1 << 20;

async function readHeader(path: string): Promise<{ identity: RunIdentity; hash: string }> {
  const text = await firstLine(path);
  const value = unsealLine(text);
  if (value === undefined)
    throw invalidData(`${path}: line 1: expected the head of a run, received a damaged line or none`, HINT);
  const violation = checkIdentity(value);
  if (violation !== undefined) throw invalidData(`${path}: line 1: ${describeViolation(violation)}`, HINT);
  const unchecked: unknown = value;
  return { identity: unchecked as RunIdentity, hash: createHash("sha256").update(text).digest("hex") };
}

async function firstLine(path: string): Promise<string> {
  try {
    const file = await openRegularFile(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST_HEADER), 0, LONGEST_HEADER, 0);
      const end = buffer.subarray(0, bytesRead).indexOf(0x0a);
      return buffer.toString("utf8", 0, end === -1 ? 0 : end);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw missingInput(`${path}: cannot read the journal of the run: ${reasonOf(error)}`, HINT, error);
  }
}

/** sha256 of the first line of a run's journal: what a review names its run by. @throws E_MISSING, E_DATA */
export async function hashOfRun(journalPath: string): Promise<string> {
  return (await readHeader(journalPath)).hash;
}

/** The model of the run, or why the network cannot help. */
export async function loadModelOf({
  record,
  identity,
}: Pick<ReviewedRun, "record" | "identity">): Promise<Model | { readonly reason: string }> {
  const { folder } = record.model as { readonly folder?: unknown };
  const nameOrFolder = typeof folder === "string" ? folder : record.model.name;
  try {
    const model = await loadModel(nameOrFolder);
    if (model.hash === identity.model) return model;
    return { reason: `${nameOrFolder}: the model is not the one that made the polygons; review goes on without it` };
  } catch (error) {
    return { reason: `${reasonOf(error)}; review goes on without the network` };
  }
}
