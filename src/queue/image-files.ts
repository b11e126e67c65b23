/**
 * From what a job says of its images to files the crop stage can open: inside the worker's image folder, or fetched
 * into a temporary one. Names in jobs are data from outside: nothing beyond the image folder is opened, whatever links
 * lie in it.
 */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative, sep } from "node:path";
import type { CropSource } from "../crop/read-crops.js";
import { reasonOutside } from "../dataset/image-index.js";
import { receivedOf } from "../errors.js";
import type { FailReason, Instance } from "../types.js";
import type { FetchLimits } from "./fetch-image.js";
import { fetchImage } from "./fetch-image.js";
import type { Job, JobImage, JobInstance } from "./job.js";

export interface ImageAccess extends FetchLimits {
  /** Folder that paths in jobs are relative to. */
  readonly folder: string;
  /** True: a failure that may pass counts as one of the image, because nobody will try again. */
  readonly isLastAttempt: boolean;
}

type Location = CropSource["location"];

/** A folder for what was fetched; made when it is first needed. */
export class FetchedFiles {
  private folder: Promise<string> | undefined;
  private count = 0;

  /** A path nothing is at yet. */
  async next(): Promise<string> {
    this.folder ??= mkdtemp(join(tmpdir(), "polyrnn-worker-"));
    return join(await this.folder, String(this.count++));
  }

  async remove(): Promise<void> {
    if (this.folder !== undefined) await rm(await this.folder, { recursive: true, force: true });
  }
}

/**
 * Walks the images of a job in order.
 * @param files fetched images go there; the caller removes it when the crops are cut, which is later than the end of
 *   this walk
 * @throws Error when a fetch failed in a way that may pass
 */
export async function* openJobImages(
  job: Job,
  access: ImageAccess,
  files: FetchedFiles,
): AsyncGenerator<CropSource, void, undefined> {
  for (const image of job.images) {
    const location =
      "path" in image
        ? await locateInside(access.folder, image.path)
        : await fetchInto(await files.next(), image.address, access);
    yield { image: sizeOf(image), location, instances: image.instances.map(toInstance) };
  }
}

async function locateInside(folder: string, path: string): Promise<Location> {
  const outside = reasonOutside(path);
  if (outside !== undefined) return failOutside(path, outside);
  const full = join(folder, path);
  try {
    const inside = relative(await realpath(folder), await realpath(full));
    if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside))
      return failOutside(path, "a link that leads out of it");
  } catch {
    return failed(
      "image-missing",
      `${full}: expected an image file, received no file. Check that the worker's --images is the folder the run was started with.`,
    );
  }
  return { kind: "file", path: full };
}

async function fetchInto(path: string, address: string, access: ImageAccess): Promise<Location> {
  const fetched = await fetchImage(address, path, access);
  if (fetched.kind === "fetched") return { kind: "file", path };
  if (fetched.isTransient && !access.isLastAttempt) throw new Error(fetched.failure.message);
  return { kind: "failed", failure: fetched.failure };
}

function failOutside(path: string, received: string): Location {
  return failed(
    "image-outside",
    `image ${receivedOf(path)}: expected a path inside the worker's image folder, received ${received}. It was not opened.`,
  );
}

function failed(reason: FailReason, message: string): Location {
  return { kind: "failed", failure: { reason, message } };
}

function sizeOf({ width, height }: JobImage): CropSource["image"] {
  return { ...(width !== undefined && { width }), ...(height !== undefined && { height }) };
}

/** Enough of an instance to draw it; what else the annotation holds stays with the coordinator. */
function toInstance({ ordinal, annotationId, imageId, box: [left, top, width, height] }: JobInstance): Instance {
  return { ordinal, annotationId, imageId, categoryId: 0, box: { left, top, width, height }, raw: {} };
}
