/**
 * Refuses images that are both trained on and validated on: the score would say nothing. They have the same file name,
 * or the same bytes under another name. Files are hashed only where both sides have one of the same size.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { nameKey } from "../../dataset/image-names.js";
import { invalidData, receivedOf } from "../../errors.js";

export interface ImageFile {
  /** As the annotation file names it. */
  readonly fileName: string;
  readonly path: string;
}

const SHOWN = 5;

/** @throws E_DATA that names the images of both sets */
export async function checkOverlap(training: readonly ImageFile[], validation: readonly ImageFile[]): Promise<void> {
  const found = await findOverlap(training, validation);
  if (found.length === 0) return;
  const shown = found
    .slice(0, SHOWN)
    .map(({ validation: theirs, training: ours }) =>
      theirs === ours ? receivedOf(theirs) : `${receivedOf(theirs)} (the same picture as ${receivedOf(ours)})`,
    );
  const more = found.length > SHOWN ? ` and ${found.length - SHOWN} more` : "";
  throw invalidData(
    `validation: expected images that are not trained on, received ${found.length} of ${validation.length} that are: ` +
      `${shown.join(", ")}${more}`,
    "Take them out of one of the two annotation files, or exclude them from training; " +
      "if different pictures share a name, rename them.",
  );
}

export interface Overlap {
  readonly training: string;
  readonly validation: string;
}

/** @returns names of the images in both, in the order of `validation` */
export async function findOverlap(
  training: readonly ImageFile[],
  validation: readonly ImageFile[],
): Promise<Overlap[]> {
  const byName = new Map(training.map(({ fileName }) => [nameKey(fileName), fileName]));
  const sizes = await groupBySize(validation);
  const hashes = new Map<string, string>();
  for (const file of training) {
    const size = await sizeOf(file);
    if (size !== undefined && sizes.has(size)) hashes.set(await hashOf(file), file.fileName);
  }
  const overlap: Overlap[] = [];
  for (const file of validation) {
    const { fileName } = file;
    const twin = byName.get(nameKey(fileName)) ?? (hashes.size === 0 ? undefined : hashes.get(await hashOf(file)));
    if (twin !== undefined) overlap.push({ training: twin, validation: fileName });
  }
  return overlap;
}

async function groupBySize(files: readonly ImageFile[]): Promise<Set<number>> {
  const sizes = new Set<number>();
  for (const file of files) {
    const size = await sizeOf(file);
    if (size !== undefined) sizes.add(size);
  }
  return sizes;
}

/** Bytes; undefined for a file that has vanished since its header was read, which is reported as unreadable later. */
async function sizeOf({ path }: ImageFile): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

async function hashOf({ path }: ImageFile): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
