/**
 * Pictures for the page: cut out of the photograph, EXIF turned, and kept while they are likely to be asked for.
 *
 * A file whose time or size changed is read anew, and the page says so: a picture of the same size may be another one.
 * What changes neither goes unnoticed.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { ImageCache } from "../crop/image-cache.js";
import type { DecodedImage, OpenedImage } from "../crop/open-image.js";
import { openImage, prepareImageLibrary } from "../crop/open-image.js";
import type { ImageView } from "../crop/view.js";
import { encodeView, viewAround } from "../crop/view.js";
import { Turns } from "../turns.js";
import type { Box } from "../types.js";
import type { ReviewedImage } from "./run.js";

/** Bytes of decoded photographs: one of 8,000 x 6,000 pixels has 144 MB. */
const MOST_BYTES = 256 * 2 ** 20;
/** Those of this instance, the last ones and the next: in the order of scores a photograph hardly comes back. */
const MOST_PHOTOGRAPHS = 16;
const MOST_PICTURES = 64;
/** Pixels of a picture for the strip, at most. */
const SMALL_SIDE = 200;

export const DEFAULT_VIEW = { margin: 0.5, side: 1600 } as const;

type Problem = { readonly problem: string };

export interface ShownImage extends OpenedImage {
  /** Another one when the file was written again. */
  readonly stamp: string;
  /** For people, where the file was written after the run began. */
  readonly notice?: string;
}

export class Pictures {
  private readonly decoded = new ImageCache(MOST_BYTES, MOST_PHOTOGRAPHS);
  /** The last used at the end. */
  private readonly made = new Map<string, Promise<Uint8Array | Problem>>();
  /** By path: as it is, and whether it was otherwise before. */
  private readonly seen = new Map<string, { readonly stamp: string; readonly isOther: boolean }>();
  /** Headers, each as long as its file stays the same. */
  private readonly opened = new WeakMap<ReviewedImage, { readonly stamp: string; readonly image: OpenedImage }>();
  /** One large and one small picture at a time: the others of the few threads are for the network and the files. */
  private readonly turns = { large: new Turns(), small: new Turns() };

  /** @param since when the run began: it saw the files as they were then */
  constructor(private readonly since: Date) {
    prepareImageLibrary();
  }

  /** The image's header as it is now; a problem where it vanished or changed its size. */
  async open(image: ReviewedImage): Promise<ShownImage | Problem> {
    const { record, location } = image;
    if (location.kind === "failed") return { problem: location.failure.message };
    const { path, root } = location;
    // Before the header, so that what is written in between shows at the next request. Why there is none, openImage says.
    const found = await stat(path).catch(() => undefined);
    const stamp = `${path} ${found?.mtimeMs} ${found?.size}`;
    const known = this.opened.get(image);
    const isKnown = found !== undefined && known?.stamp === stamp;
    const opened = isKnown ? ({ kind: "opened", image: known.image } as const) : await openImage(path, record, root);
    if (opened.kind !== "opened") return { problem: opened.failure.message };
    this.opened.set(image, { stamp, image: opened.image });
    const before = this.seen.get(path);
    const isOther = before !== undefined && (before.isOther || before.stamp !== stamp);
    if (before?.stamp !== stamp) this.decoded.forget(path);
    this.seen.set(path, { stamp, isOther });
    const isLater = found !== undefined && found.mtime > this.since;
    if (!isOther && !isLater) return { ...opened.image, stamp };
    const when = isOther ? "changed since this review began" : `was written after the run began`;
    return {
      ...opened.image,
      stamp,
      notice: `${basename(path)} ${when}: look whether the polygon belongs to this picture.`,
    };
  }

  async decode(opened: OpenedImage): Promise<DecodedImage | Problem> {
    const result = await this.decoded.get(opened);
    return result.kind === "decoded" ? result.image : { problem: result.failure.message };
  }

  view(box: Box, opened: OpenedImage, format: { readonly margin: number; readonly side: number }): ImageView {
    return viewAround(box, opened, format);
  }

  async jpeg(opened: ShownImage, view: ImageView): Promise<Uint8Array | Problem> {
    const key = JSON.stringify([opened.path, opened.stamp, view]);
    const known = this.made.get(key);
    this.made.delete(key);
    const picture = known ?? this.make(opened, view);
    this.made.set(key, picture);
    for (const oldest of this.made.keys()) {
      if (this.made.size <= MOST_PICTURES) break;
      this.made.delete(oldest);
    }
    const made = await picture;
    // A photograph that is put back is seen at the next request.
    if ("problem" in made) this.made.delete(key);
    return made;
  }

  private async make(opened: OpenedImage, view: ImageView): Promise<Uint8Array | Problem> {
    const { large, small } = this.turns;
    return (Math.max(view.width, view.height) > SMALL_SIDE ? large : small).take(async () => {
      const image = await this.decode(opened);
      return "problem" in image ? image : encodeView(image, view);
    });
  }
}
