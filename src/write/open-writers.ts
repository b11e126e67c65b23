/** All formats of a run behind one writer: each image goes to each of them. */
import { openCityscapesWriter } from "./cityscapes.js";
import { openCocoWriter } from "./coco.js";
import { openLabelStudioWriter } from "./label-studio.js";
import { openLabelmeWriter } from "./labelme.js";
import type { AnnotationWriter, OutputFormat, WriteContext } from "./writer.js";
import { openYoloSegWriter } from "./yolo-seg.js";

type Opener = (context: WriteContext) => AnnotationWriter | Promise<AnnotationWriter>;

const OPENERS = {
  coco: openCocoWriter,
  cityscapes: openCityscapesWriter,
  labelme: openLabelmeWriter,
  "yolo-seg": openYoloSegWriter,
  "label-studio": openLabelStudioWriter,
} satisfies Record<OutputFormat, Opener>;

/**
 * @param formats a format named twice is written once
 * @throws E_WRITE when a file cannot be opened; the other formats' files are removed then
 */
export async function openWriters(formats: readonly OutputFormat[], context: WriteContext): Promise<AnnotationWriter> {
  const writers: AnnotationWriter[] = [];
  const abort = async (): Promise<void> => {
    const endings = await Promise.allSettled(writers.map((writer) => writer.abort()));
    const failed = endings.find((ending) => ending.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  };
  try {
    for (const format of new Set(formats)) writers.push(await OPENERS[format](context));
  } catch (error) {
    await abort();
    throw error;
  }
  return {
    async image(result) {
      for (const writer of writers) await writer.image(result);
    },
    async finish() {
      const written: string[] = [];
      for (const writer of writers) written.push(...(await writer.finish()));
      return written;
    },
    abort,
  };
}
