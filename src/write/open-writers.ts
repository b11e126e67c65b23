/** All formats of a run behind one writer: each image goes to each of them. */
import { abortAll } from "../files/atomic-file.js";
import { openCityscapesWriter } from "./cityscapes.js";
import { openCocoWriter } from "./coco.js";
import { openCvatWriter } from "./cvat.js";
import { inDisplayedFrame } from "./displayed-frame.js";
import { openLabelStudioWriter } from "./label-studio.js";
import { openLabelmeWriter } from "./labelme.js";
import { checkMasks, openMasksWriter } from "./masks.js";
import { openViaWriter } from "./via.js";
import type { AnnotationWriter, FormatOptions, OutputFormat, WriteContext } from "./writer.js";
import { openYoloSegWriter } from "./yolo-seg.js";

type Opener = (context: WriteContext) => AnnotationWriter | Promise<AnnotationWriter>;

const OPENERS = {
  coco: openCocoWriter,
  cityscapes: openCityscapesWriter,
  labelme: openLabelmeWriter,
  "yolo-seg": openYoloSegWriter,
  "label-studio": openLabelStudioWriter,
  cvat: openCvatWriter,
  via: openViaWriter,
  masks: openMasksWriter,
} satisfies Record<OutputFormat, Opener>;

/** Their tools turn a photograph by its EXIF orientation. */
const IN_DISPLAYED_FRAME: ReadonlySet<OutputFormat> = new Set(["labelme", "yolo-seg", "label-studio", "cvat", "via"]);

/** The formats of a list that need the photographs: without them it is not known which way up they are shown. */
export function formatsThatNeedImages(formats: readonly OutputFormat[]): readonly OutputFormat[] {
  return formats.filter((format) => IN_DISPLAYED_FRAME.has(format));
}

/** What a format cannot hold, found before any work is done. @throws E_DATA */
export function checkFormats(
  formats: readonly OutputFormat[],
  categories: WriteContext["categories"],
  options: FormatOptions | undefined,
): void {
  if (formats.includes("masks")) checkMasks(categories, options?.masks);
}

/**
 * @param formats a format named twice is written once
 * @throws E_WRITE when a file cannot be opened; the other formats' files are removed then
 */
export async function openWriters(formats: readonly OutputFormat[], context: WriteContext): Promise<AnnotationWriter> {
  const writers: AnnotationWriter[] = [];
  const displaying = new Set<AnnotationWriter>();
  try {
    for (const format of new Set(formats)) {
      const writer = await OPENERS[format](context);
      writers.push(writer);
      if (IN_DISPLAYED_FRAME.has(format)) displaying.add(writer);
    }
  } catch (error) {
    await abortAll(writers);
    throw error;
  }
  return {
    async image(result) {
      const displayed = displaying.size === 0 ? result : await inDisplayedFrame(result);
      for (const writer of writers) await writer.image(displaying.has(writer) ? displayed : result);
    },
    async finish() {
      const written: string[] = [];
      for (const writer of writers) written.push(...(await writer.finish()));
      return written;
    },
    abort: () => abortAll(writers),
  };
}
