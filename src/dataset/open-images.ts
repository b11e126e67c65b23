/**
 * Where images lie: a folder that is searched at any depth, a zip file, a text file of paths, or one image. Each gives a
 * list of names to look up in, and hands out a file by its name.
 */
import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { count } from "../count.js";
import { invalidData, isAbsent, missingInput, reasonOf, receivedOf } from "../errors.js";
import { isZipName, memberPath, openArchive } from "../files/archive.js";
import { isInside } from "../files/folders.js";
import { JOURNAL_FILE, RUN_FILE, withoutRunOutputs } from "../files/run-layout.js";
import type { FailReason, Failure } from "../types.js";
import { ImageIndex } from "./image-index.js";
import { walkFolder } from "./walk-folder.js";

/** File name endings sharp reads in every installation. */
const IMAGE_EXTENSIONS = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "tif", "tiff", "gif", "avif"] as const;

/** Endings of images that are not read, named where there is nothing else. */
const UNREAD_EXTENSIONS: ReadonlySet<string> = new Set(
  "bmp dib jp2 j2k jxl pbm pgm ppm pnm pam pfm heic heif psd exr hdr dcm fits tga dds ico cr2 cr3 nef arw dng raf".split(
    " ",
  ),
);

const EXTENSIONS: ReadonlySet<string> = new Set(IMAGE_EXTENSIONS);

/** Bytes of a text file of paths: about a million of them. */
const LARGEST_LIST = 64 * 1024 * 1024;
/** Characters of a path; no system takes longer ones. */
const LONGEST_PATH = 4096;

export type Located =
  | {
      readonly kind: "file";
      readonly path: string;
      /** Folder with links resolved that the file must lie in: the image folder, or a listed file's own. */
      readonly root: string;
      /** Relative to the image folder, "/" between parts. */
      readonly name: string;
      /** True when the file's upper and lower case differ from what was asked for. */
      readonly isOtherCase?: true;
    }
  | { readonly kind: "failed"; readonly failure: Failure };

export interface ImagePlace {
  /** As the user gave it. */
  readonly given: string;
  readonly index: ImageIndex;
  /** @returns the file of this name, a failure, or undefined when there is none */
  take(name: string): Promise<Located | undefined>;
}

/** @throws E_MISSING when there is nothing of the name or no image in it; E_DATA for a damaged zip file or list */
export async function openImages(given: string): Promise<ImagePlace> {
  let root: string, isFolder: boolean;
  try {
    root = await realpath(given);
    isFolder = (await stat(root)).isDirectory();
  } catch (error) {
    throw missingInput(
      `${given}: expected a folder with images, received ${isAbsent(error) ? "no such folder" : reasonOf(error)}`,
      "Check the spelling, the permissions, and the folder the command runs in.",
      error,
    );
  }
  if (isFolder) return openFolder(given, root);
  if (isZipName(given)) return openPacked(given, root);
  if (/\.(?:txt|lst|list)$/iu.test(given)) return openListed(given, await readList(given));
  if (isImageName(given)) return openListed(given, [resolve(given)]);
  throw missingInput(
    `${given}: expected a folder with images, a zip file (.zip), a text file of paths (.txt) or an image ` +
      `(${IMAGE_EXTENSIONS.join(", ")}), received a file of another name`,
    "Pass the folder the images lie in.",
  );
}

async function openFolder(folder: string, root: string): Promise<ImagePlace> {
  const { index, files } = await searchFolder(folder);
  return {
    given: folder,
    index,
    // Two questions to the disk for each of 100,000 images take longer than reading their boxes. Whoever opens one
    // looks again.
    take: (name) =>
      files.has(name)
        ? Promise.resolve({ kind: "file", path: join(folder, name), root, name })
        : takeFile(name, { given: folder, root }),
  };
}

/** @returns `files`: images that are no links, in folders that are none */
async function searchFolder(
  folder: string,
): Promise<{ readonly index: ImageIndex; readonly files: ReadonlySet<string> }> {
  const paths: string[] = [];
  const links = new Set<string>();
  const others = new Map<string, number>();
  try {
    for await (const { path, name, isLink } of walkFolder(folder)) {
      if (isLink) links.add(path);
      if (isImageName(name) || name === RUN_FILE || name === JOURNAL_FILE) paths.push(path);
      const extension = extensionOf(name);
      if (UNREAD_EXTENSIONS.has(extension)) others.set(extension, (others.get(extension) ?? 0) + 1);
    }
  } catch (error) {
    throw missingInput(
      `${folder}: expected folders that can be read, received ${reasonOf(error)}`,
      "Check the permissions of the folder.",
      error,
    );
  }
  const images = withoutRunOutputs(paths.sort()).filter(isImageName);
  const index = indexOf(images);
  if (index.count > 0) return { index, files: new Set(images.filter((path) => !links.has(path))) };
  const unread = [...others].sort().map(([extension, count]) => `${count} *.${extension}`);
  throw missingInput(
    `${folder}: expected images (${IMAGE_EXTENSIONS.join(", ")}) at any depth, received ${unread.length === 0 ? "none" : `${unread.join(", ")}, which are not read here`}`,
    unread.length === 0 ? "Pass the folder the images lie in." : "Convert them to PNG or JPEG.",
  );
}

/** Members are read in place: a path in a zip file is data, and no file is made from it. */
async function openPacked(given: string, root: string): Promise<ImagePlace> {
  const archive = await openArchive(given);
  // What macOS adds to each file is named like it and is none.
  const index = indexOf(withoutRunOutputs(archive.names.filter((name) => !/(?:^|\/)__MACOSX\//u.test(name))));
  if (index.count === 0)
    throw missingInput(
      `${given}: expected images (${IMAGE_EXTENSIONS.join(", ")}) in the zip file, received none among ${count(archive.names.length, "file")}`,
      "Pack the images themselves, or pass their folder.",
    );
  return {
    given,
    index,
    take: (name) =>
      Promise.resolve(archive.has(name) ? { kind: "file", path: memberPath(given, name), root, name } : undefined),
  };
}

/** Absolute paths of the images that a text file names, one a line; relative ones start at the text file. */
async function readList(path: string): Promise<readonly string[]> {
  const found = await stat(path);
  const wrong = (where: string, expected: string, received: string): Error =>
    invalidData(
      `${path}${where}: expected ${expected}, received ${received}`,
      "Write the path of one image a line, absolute or from where the text file lies.",
    );
  if (!found.isFile()) throw wrong("", "a text file of paths", "a device or pipe");
  if (found.size > LARGEST_LIST) throw wrong("", `at most ${LARGEST_LIST} bytes`, String(found.size));
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (error) {
    throw wrong("", "text in UTF-8", reasonOf(error));
  }
  const paths: string[] = [];
  for (const [i, whole] of text.split("\n").entries()) {
    const line = whole.trim();
    if (line === "") continue;
    if (line.length > LONGEST_PATH || line.includes("\0") || !isImageName(line))
      throw wrong(`, line ${i + 1}`, `the path of an image (${IMAGE_EXTENSIONS.join(", ")})`, receivedOf(line));
    paths.push(resolve(dirname(path), line));
  }
  if (paths.length === 0) throw missingInput(`${path}: expected paths of images, received none`, "Write one a line.");
  return paths;
}

/** @param paths absolute; their names are what follows the folder that they have in common */
function openListed(given: string, paths: readonly string[]): ImagePlace {
  const base = commonFolder(paths);
  const byName = new Map(paths.map((path) => [relative(base, path).replaceAll(sep, "/"), path]));
  return {
    given,
    index: indexOf([...byName.keys()]),
    async take(name) {
      const path = byName.get(name);
      if (path === undefined) return undefined;
      const root = await realpath(path).then(dirname, () => dirname(path));
      const taken = await takeFile(name, { given: base, root });
      if (taken !== undefined) return taken;
      return failed(
        "image-missing",
        `image ${receivedOf(name)}: expected a file at ${path}, as ${given} says, received none. Correct the list.`,
      );
    },
  };
}

function commonFolder(paths: readonly string[]): string {
  let base = dirname(paths[0]!);
  for (const path of paths) while (!isInside(base, path)) base = dirname(base);
  return base;
}

function indexOf(paths: readonly string[]): ImageIndex {
  const index = new ImageIndex();
  for (const path of paths) if (isImageName(path)) index.add(path);
  return index;
}

function isImageName(path: string): boolean {
  return EXTENSIONS.has(extensionOf(path));
}

function extensionOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1).toLowerCase();
}

/** @returns the file at this path inside the folder, a failure, or undefined when there is no file */
async function takeFile(
  name: string,
  { given, root }: { readonly given: string; readonly root: string },
): Promise<Located | undefined> {
  const path = join(given, name);
  try {
    const real = await realpath(path);
    if (!isInside(root, real)) return failOutside(given, name, "a link that leads out of it");
    return (await stat(real)).isFile() ? { kind: "file", path, root, name } : undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    return failed(
      "image-unreadable",
      `image ${receivedOf(name)}: expected a file that can be read, received ${reasonOf(error)}. ` +
        "Check its permissions.",
    );
  }
}

export function failOutside(folder: string, name: string, received: string): Located {
  return failed(
    "image-outside",
    `image ${receivedOf(name)}: expected a path inside ${folder}, received ${received}. ` +
      "It was not opened; correct the name.",
  );
}

export function failed(reason: FailReason, message: string): Located {
  return { kind: "failed", failure: { reason, message } };
}
