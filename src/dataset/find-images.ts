/**
 * Finds the image files of a data set: the folder is searched once, and names are looked up in what was found.
 *
 * Names from box files are data. They never become patterns, and a file is handed out only when its real path lies
 * inside the image folder. Order of the search: the path as written; of the files with the same last part the one whose
 * end agrees with the longest end of the name, in the same spelling if there is one, else with accents composed, else in
 * another case. Several files that fit equally well are a failure, not a guess. What an earlier run wrote is not searched.
 */
import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import fastGlob from "fast-glob";
import { count } from "../count.js";
import { missingInput, reasonOf, receivedOf } from "../errors.js";
import { isInside } from "../files/folders.js";
import { JOURNAL_FILE, RUN_FILE, withoutRunOutputs } from "../files/run-layout.js";
import type { FailReason, Failure } from "../types.js";
import type { Match } from "./image-index.js";
import { ImageIndex } from "./image-index.js";
import { foldedKey, isEndOfOther, nameKey, readingsOf, reasonOutside } from "./image-names.js";
import { isAbsent } from "./json/byte-file.js";

/** File name endings sharp reads in every installation. */
const IMAGE_EXTENSIONS = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "tif", "tiff", "gif", "avif"] as const;

/** Endings of images that are not read, named where there is nothing else. */
const UNREAD_EXTENSIONS: ReadonlySet<string> = new Set(
  "bmp dib jp2 j2k jxl pbm pgm ppm pnm pam pfm heic heif psd exr hdr dcm fits tga dds ico cr2 cr3 nef arw dng raf".split(
    " ",
  ),
);

const EXTENSIONS: ReadonlySet<string> = new Set(IMAGE_EXTENSIONS);

export type Located =
  | {
      readonly kind: "file";
      readonly path: string;
      /** The image folder with links resolved. */
      readonly root: string;
      /** Relative to the image folder, "/" between parts. */
      readonly name: string;
      /** True when the file's upper and lower case differ from what was asked for. */
      readonly isOtherCase?: true;
    }
  | { readonly kind: "failed"; readonly failure: Failure };

export interface ImageFinder {
  /** As the user gave it. */
  readonly folder: string;
  /** Image files found. */
  readonly count: number;
  /**
   * Fails with image-outside, image-missing, image-ambiguous or image-unreadable.
   * @param fileName `file_name` of a box file, any text
   */
  locate(fileName: string): Promise<Located>;
  /** The image whose file name without extension is `stem`, with or without leading folders. */
  locateStem(stem: string): Promise<Located>;
  /** The image whose file name is a number, apart from leading zeros: 139 is 000000000139.jpg. */
  locateNumber(id: number): Promise<Located>;
  /**
   * The same text for all names that mean one image: the path of the file they lead to, or their common spelling where
   * there is no such file. Asks the list of files, not the disk.
   */
  keyOf(fileName: string): string;
}

/**
 * @param folder searched at any depth; links are listed but linked folders are not entered
 * @throws E_MISSING when the folder does not exist, cannot be read, or holds no image
 */
export async function findImages(folder: string): Promise<ImageFinder> {
  const root = await openFolder(folder);
  const index = await listImages(folder);
  const place: Place = { folder, root };
  const failMissing = (wanted: string): Located =>
    failed(
      "image-missing",
      `expected an image file ${wanted} in ${folder}, received none among its ${count(index.count, "image")}. ` +
        "Add the image or correct the name.",
    );

  return {
    folder,
    count: index.count,
    async locate(fileName) {
      const outside = reasonOutside(fileName);
      if (outside !== undefined) return failOutside(folder, fileName, outside);
      for (const name of readingsOf(fileName)) {
        const onDisk = await take(place, name);
        if (onDisk !== undefined) return onDisk;
      }
      for (const name of readingsOf(fileName)) {
        const found = await resolve(place, fileName, index.findName(name));
        if (found !== undefined) return found;
      }
      return failMissing(receivedOf(fileName));
    },
    async locateStem(stem) {
      const outside = reasonOutside(stem);
      if (outside !== undefined) return failOutside(folder, stem, outside);
      for (const name of readingsOf(stem)) {
        const found = await resolve(place, stem, index.findStem(name));
        if (found !== undefined) return found;
      }
      return failMissing(`named ${receivedOf(stem)} and an extension`);
    },
    async locateNumber(id) {
      return (await resolve(place, id, index.findNumber(id))) ?? failMissing(`whose name is the number ${id}`);
    },
    keyOf(fileName) {
      const found = reasonOutside(fileName) === undefined ? index.findName(fileName) : undefined;
      // The only file with the same last part, in another folder, is good enough to be shown but not to be the same.
      return found?.kind === "one" && isEndOfOther(foldedKey(found.path), foldedKey(fileName))
        ? nameKey(found.path)
        : nameKey(fileName);
    },
  };
}

interface Place {
  readonly folder: string;
  /** The folder with links resolved. */
  readonly root: string;
}

async function openFolder(folder: string): Promise<string> {
  try {
    const root = await realpath(folder);
    if ((await stat(root)).isDirectory()) return root;
  } catch (error) {
    throw missingInput(
      `${folder}: expected a folder with images, received ${isAbsent(error) ? "no such folder" : reasonOf(error)}`,
      "Check the spelling, the permissions, and the folder the command runs in.",
      error,
    );
  }
  throw missingInput(`${folder}: expected a folder with images, received a file`, "Pass the folder the images lie in.");
}

async function listImages(folder: string): Promise<ImageIndex> {
  const paths: string[] = [];
  const others = new Map<string, number>();
  try {
    const entries = fastGlob.stream("**", {
      cwd: folder,
      objectMode: true,
      onlyFiles: false,
      followSymbolicLinks: false,
    });
    for await (const entry of entries as AsyncIterable<unknown> as AsyncIterable<fastGlob.Entry>) {
      if (!entry.dirent.isFile() && !entry.dirent.isSymbolicLink()) continue;
      if (isImageName(entry.name) || entry.name === RUN_FILE || entry.name === JOURNAL_FILE) paths.push(entry.path);
      const extension = entry.name.slice(entry.name.lastIndexOf(".") + 1).toLowerCase();
      if (UNREAD_EXTENSIONS.has(extension)) others.set(extension, (others.get(extension) ?? 0) + 1);
    }
  } catch (error) {
    throw missingInput(
      `${folder}: expected folders that can be read, received ${reasonOf(error)}`,
      "Check the permissions of the folder.",
      error,
    );
  }
  const index = new ImageIndex();
  for (const path of withoutRunOutputs(paths)) if (isImageName(path)) index.add(path);
  if (index.count > 0) return index;
  const unread = [...others].map(([extension, count]) => `${count} *.${extension}`);
  throw missingInput(
    `${folder}: expected images (${IMAGE_EXTENSIONS.join(", ")}) at any depth, received ${unread.length === 0 ? "none" : `${unread.join(", ")}, which are not read here`}`,
    unread.length === 0 ? "Pass the folder the images lie in." : "Convert them to PNG or JPEG.",
  );
}

function isImageName(path: string): boolean {
  return EXTENSIONS.has(path.slice(path.lastIndexOf(".") + 1).toLowerCase());
}

async function resolve(place: Place, wanted: string | number, match: Match): Promise<Located | undefined> {
  if (match === undefined) return undefined;
  if (match.kind === "one") {
    const taken = await take(place, match.path);
    return taken?.kind === "file" && match.isOtherCase ? { ...taken, isOtherCase: true } : taken;
  }
  const shown = match.paths.slice(0, 3).map(receivedOf).join(", ");
  const more = match.paths.length > 3 ? ` and ${match.paths.length - 3} more` : "";
  return failed(
    "image-ambiguous",
    `image ${receivedOf(wanted)}: expected one such file in ${place.folder}, received ${shown}${more}. ` +
      "Name the image with its folder.",
  );
}

/** @returns the file at this path inside the folder, a failure, or undefined when there is no file */
async function take(place: Place, name: string): Promise<Located | undefined> {
  const path = join(place.folder, name);
  try {
    const real = await realpath(path);
    if (!isInside(place.root, real)) return failOutside(place.folder, name, "a link that leads out of it");
    return (await stat(real)).isFile() ? { kind: "file", path, root: place.root, name } : undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    return failed(
      "image-unreadable",
      `image ${receivedOf(name)}: expected a file that can be read, received ${reasonOf(error)}. ` +
        "Check its permissions.",
    );
  }
}

function failOutside(folder: string, name: string, received: string): Located {
  return failed(
    "image-outside",
    `image ${receivedOf(name)}: expected a path inside ${folder}, received ${received}. ` +
      "It was not opened; correct the name.",
  );
}

function failed(reason: FailReason, message: string): Located {
  return { kind: "failed", failure: { reason, message } };
}
