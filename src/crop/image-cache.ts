/**
 * Decoded images for those who ask again and again in any order: the least recently used go first, bounded by bytes and number.
 */
import { CHANNELS } from "./crop.js";
import type { DecodeResult, OpenedImage } from "./open-image.js";
import { decodeImage } from "./open-image.js";

export class ImageCache {
  /** In order of use, the longest unused first. */
  private readonly held = new Map<string, { readonly bytes: number; readonly result: Promise<DecodeResult> }>();
  private used = 0;

  /**
   * @param maxBytes of decoded pixels; a larger image is decoded at every request and not kept
   * @param maxImages held at once
   */
  constructor(
    private readonly maxBytes: number,
    private readonly maxImages = Infinity,
  ) {}

  /** Bytes of the images held, those still being decoded included. */
  get bytes(): number {
    return this.used;
  }

  /** Decodes once, however many ask meanwhile. A damaged image is remembered as damaged while it is held. */
  get(image: OpenedImage): Promise<DecodeResult> {
    const known = this.held.get(image.path);
    if (known !== undefined) {
      this.held.delete(image.path);
      this.held.set(image.path, known);
      return known.result;
    }
    const bytes = image.width * image.height * CHANNELS;
    const result = decodeImage(image);
    if (bytes > this.maxBytes) return result;
    this.held.set(image.path, { bytes, result });
    this.used += bytes;
    for (const [path, oldest] of this.held) {
      if (this.used <= this.maxBytes && this.held.size <= this.maxImages) break;
      this.held.delete(path);
      this.used -= oldest.bytes;
    }
    return result;
  }

  /** The file is another one now. */
  forget(path: string): void {
    const known = this.held.get(path);
    if (known === undefined) return;
    this.held.delete(path);
    this.used -= known.bytes;
  }

  clear(): void {
    this.held.clear();
    this.used = 0;
  }
}
