/**
 * Finds the image files of a data set: the folder (or zip file, or list; see open-images.ts) is searched once, and names are looked up in what was found.
 *
 * Names from box files are data. They never become patterns, and a file is handed out only when its real path lies
 * inside the image folder. Order of the search: the path as written; of the files with the same last part the one whose
 * end agrees with the longest end of the name, in the same spelling if there is one, else with accents composed, else in
 * another case. Several files that fit equally well are a failure, not a guess. What an earlier run wrote is not searched.
 */
import { count } from "../count.js";
import { receivedOf } from "../errors.js";
import type { Match } from "./image-index.js";
import { foldedKey, isEndOfOther, nameKey, readingsOf, reasonOutside } from "./image-names.js";
import type { ImagePlace, Located } from "./open-images.js";
import { failed, failOutside, openImages } from "./open-images.js";

export type { Located } from "./open-images.js";

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
 * @param folder searched at any depth; links are listed but linked folders are not entered. Or a zip file, a text file
 *   of paths, or one image.
 * @throws E_MISSING when it does not exist, cannot be read, or holds no image; E_DATA for a damaged zip file or list
 */
export async function findImages(folder: string): Promise<ImageFinder> {
  const place = await openImages(folder);
  const { index } = place;
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
        const onDisk = await place.take(name);
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

async function resolve(place: ImagePlace, wanted: string | number, match: Match): Promise<Located | undefined> {
  if (match === undefined) return undefined;
  if (match.kind === "one") {
    const taken = await place.take(match.path);
    return taken?.kind === "file" && match.isOtherCase ? { ...taken, isOtherCase: true } : taken;
  }
  const shown = match.paths.slice(0, 3).map(receivedOf).join(", ");
  const more = match.paths.length > 3 ? ` and ${match.paths.length - 3} more` : "";
  return failed(
    "image-ambiguous",
    `image ${receivedOf(wanted)}: expected one such file in ${place.given}, received ${shown}${more}. ` +
      "Name the image with its folder.",
  );
}
