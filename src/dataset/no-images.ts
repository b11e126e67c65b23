/** Stands in for the image folder where a command needs annotations only: every look-up fails and says that no folder was given. */
import { receivedOf } from "../errors.js";
import type { ImageFinder, Located } from "./find-images.js";

/** Nothing is searched, so opening a data set without images costs no walk over a folder. */
export const NO_IMAGES: ImageFinder = {
  folder: "",
  count: 0,
  locate: (fileName) => Promise.resolve(notSearched(fileName)),
  locateStem: (stem) => Promise.resolve(notSearched(stem)),
  locateNumber: (id) => Promise.resolve(notSearched(id)),
};

function notSearched(wanted: string | number): Located {
  const message = `image ${receivedOf(wanted)}: expected an image folder to look in, received none. Name the folder of the images.`;
  return { kind: "failed", failure: { reason: "image-missing", message } };
}
