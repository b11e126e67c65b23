/** Pictures for the page: cut out of the photograph, EXIF turned, and kept while they are likely to be asked for. */
import { ImageCache } from "../crop/image-cache.js";
import type { DecodedImage, OpenedImage } from "../crop/open-image.js";
import { openImage, prepareImageLibrary } from "../crop/open-image.js";
import type { ImageView } from "../crop/view.js";
import { encodeView, viewAround } from "../crop/view.js";
import type { Box } from "../types.js";
import type { ReviewedImage } from "./run.js";

/** Bytes of decoded photographs: one of 8,000 x 6,000 pixels has 144 MB. */
const MOST_BYTES = 256 * 2 ** 20;
const MOST_PICTURES = 64;

export const DEFAULT_VIEW = { margin: 0.5, side: 1600 } as const;

type Problem = { readonly problem: string };

export class Pictures {
  private readonly decoded = new ImageCache(MOST_BYTES);
  /** The last used at the end. */
  private readonly made = new Map<string, Promise<Uint8Array | Problem>>();

  constructor() {
    prepareImageLibrary();
  }

  /** The image's header as it is now; a problem where it vanished or changed its size. */
  async open({ record, location }: ReviewedImage): Promise<OpenedImage | Problem> {
    if (location.kind === "failed") return { problem: location.failure.message };
    const opened = await openImage(location.path, record, location.root);
    return opened.kind === "opened" ? opened.image : { problem: opened.failure.message };
  }

  async decode(opened: OpenedImage): Promise<DecodedImage | Problem> {
    const result = await this.decoded.get(opened);
    return result.kind === "decoded" ? result.image : { problem: result.failure.message };
  }

  view(box: Box, opened: OpenedImage, format: { readonly margin: number; readonly side: number }): ImageView {
    return viewAround(box, opened, format);
  }

  async jpeg(opened: OpenedImage, view: ImageView): Promise<Uint8Array | Problem> {
    const key = JSON.stringify([opened.path, view]);
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
    const image = await this.decode(opened);
    return "problem" in image ? image : encodeView(image, view);
  }
}
