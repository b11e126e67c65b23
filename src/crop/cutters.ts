/**
 * Threads that decode images and cut crops, for devices that draw faster than one thread can cut. An image stays in the
 * thread that decoded it until its last crop is cut; what comes back is a reference to pixels in shared memory. In which
 * order, and how much at once, readCrops says as ever.
 */
import { dirname, sep } from "node:path";
import { AskedThread } from "../asking.js";
import type { PackedPlace } from "../files/archive.js";
import { findPacked, isZipName } from "../files/archive.js";
import type { Answers, Question } from "./cutter-thread.js";
import type { CropMaker, HeldImage } from "./read-crops.js";
import { HERE } from "./read-crops.js";

/** Each holds a copy of the program and the image that it works on. */
const MOST_CUTTERS = 8;
/** One that is cut, and one that is decoded meanwhile by libuv's threads. */
const IMAGES_PER_CUTTER = 2;
const CUTS_PER_CUTTER = 4;

/** How many threads should cut beside a graphics card, at least 1. @param cores of the machine, or those it may use */
export function cuttersFor(cores: number): number {
  return Math.min(MOST_CUTTERS, Math.max(1, Math.floor((cores - 1) / 2)));
}

interface Cutter {
  readonly thread: AskedThread<Question, Answers>;
  /** Images that it holds, and headers that it reads. */
  busy: number;
}

/** Cuts in threads of its own. Of a zip file they hear where a member lies: only this thread has read its directory. */
export class Cutters implements CropMaker {
  readonly imagesAtOnce: number;
  readonly cutsAtOnce: number;
  private readonly cutters: readonly Cutter[];
  private images = 0;

  /** @param count threads, at least 1 */
  constructor(count: number) {
    this.imagesAtOnce = IMAGES_PER_CUTTER * count;
    this.cutsAtOnce = CUTS_PER_CUTTER * count;
    const file = new URL("./cutter-thread.js", import.meta.url);
    this.cutters = Array.from({ length: count }, (_, at) => ({
      thread: new AskedThread<Question, Answers>(file, `thread ${at + 1} of ${count} that cut crops`),
      busy: 0,
    }));
  }

  readonly open: CropMaker["open"] = async (path, { width, height }, root) => {
    const record = { ...(width !== undefined && { width }), ...(height !== undefined && { height }) };
    const place = await placeOf(path);
    if (place === "nowhere") return HERE.open(path, record, root);
    const cutter = this.leastBusy();
    cutter.busy++;
    try {
      const result = await cutter.thread.ask({ kind: "open", path, record, root, place });
      return result.kind === "not-unpacked" ? await HERE.open(path, record, root) : result;
    } finally {
      cutter.busy--;
    }
  };

  readonly decode: CropMaker["decode"] = async (image) => {
    const place = await placeOf(image.path);
    if (place === "nowhere") return HERE.decode(image);
    const cutter = this.leastBusy();
    cutter.busy++;
    const id = this.images++;
    const result = await cutter.thread.ask({ kind: "decode", image, id, place }).catch((error: unknown) => {
      cutter.busy--;
      throw error;
    });
    if (result.kind === "decoded") return this.held(cutter, id);
    cutter.busy--;
    return result.kind === "not-unpacked" ? HERE.decode(image) : result;
  };

  /** Ends the threads; whoever still waits for a crop hears of it. */
  async close(): Promise<void> {
    await Promise.all(this.cutters.map(({ thread }) => thread.close()));
  }

  private held(cutter: Cutter, id: number): HeldImage {
    return {
      kind: "held",
      cut: ({ box, annotationId }, context) =>
        cutter.thread.ask({ kind: "cut", id, instance: { box, annotationId }, context }),
      release: () => {
        cutter.busy--;
        cutter.thread.tell({ kind: "release", id });
      },
    };
  }

  private leastBusy(): Cutter {
    return this.cutters.reduce((one, other) => (other.busy < one.busy ? other : one));
  }
}

/**
 * Where a member of a zip file lies; undefined for a file, also in a folder with such a name.
 * @returns "nowhere" where the zip file has no such member or cannot be read: opening it in this thread says why
 */
async function placeOf(path: string): Promise<PackedPlace | undefined | "nowhere"> {
  if (!dirname(path).split(sep).some(isZipName)) return undefined;
  try {
    return await findPacked(path);
  } catch {
    return "nowhere";
  }
}
