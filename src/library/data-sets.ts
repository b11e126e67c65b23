/** `readDataset` and `writers` of the library: the formats by themselves, without a network. */
import type { Dataset, ImageGroup } from "../dataset/dataset.js";
import { makeFolder } from "../files/atomic-file.js";
import { packageVersion } from "../version.js";
import type { AnnotationWriter, OutputFormat, WriteContext } from "../write/writer.js";
import { OUTPUT_FORMATS } from "../write/writer.js";
import type { BoxOptions, CallOptions } from "./options.js";
import { BOX_ROWS, optionChecker, TEXT } from "./options.js";

/** Options of `readDataset`. */
export interface ReadDatasetOptions extends CallOptions, BoxOptions {
  /** Box file or folder in any format that is read (docs/formats.md). */
  readonly boxes: string;
  /** Folder that is searched for images. Absent: `location` of every image is a failure. */
  readonly images?: string;
  /** COCO file with the images and categories of a results list. */
  readonly dataset?: string;
  /** Called for every image that `groups` gives. */
  readonly onProgress?: (progress: { readonly finished: number; readonly total: number }) => void;
}

const check = optionChecker<ReadDatasetOptions>(
  "readDataset",
  { ...BOX_ROWS, boxes: TEXT, images: TEXT, dataset: TEXT },
  ["boxes"],
);

/**
 * Opens a data set; its format is recognized from what it holds. Keeps a few numbers per annotation in memory and reads
 * each image's annotations when they are asked for. Images are located, not opened.
 *
 * The signal stops opening and every walk of `groups()`: both throw its reason.
 * @returns the data set, which the caller closes
 * @throws PolyrnnError E_USAGE for wrong options, E_MISSING when something is not there, E_DATA when the format is not
 *   recognized or a file is damaged as a whole; single bad annotations come as entries with a reason
 */
export async function readDataset(options: ReadDatasetOptions): Promise<Dataset> {
  const { signal, onProgress, ...asked } = check(options);
  signal?.throwIfAborted();
  const [{ openDataset }, { readImageSize }] = await Promise.all([
    import("../dataset/open-dataset.js"),
    import("../crop/open-image.js"),
  ]);
  const dataset = await openDataset({ ...asked, imageSize: readImageSize, ...(signal !== undefined && { signal }) });
  return {
    ...dataset,
    async *groups(): AsyncGenerator<ImageGroup> {
      let finished = 0;
      for await (const group of dataset.groups()) {
        signal?.throwIfAborted();
        yield group;
        onProgress?.({ finished: ++finished, total: dataset.imageCount });
      }
    },
  };
}

/** What a writer is told before the first image. */
export type WriterOptions = Pick<WriteContext, "out" | "images" | "categories"> &
  Partial<Pick<WriteContext, "header" | "generator">>;

/** @throws PolyrnnError E_WRITE when the folder or a file cannot be made */
export type OpenWriter = (options: WriterOptions) => Promise<AnnotationWriter>;

/**
 * One function per output format, which opens a writer: `writers.coco({ out, categories })`. The folder is made when
 * absent. A writer takes images in order, then `finish` puts its files in place; `abort` takes back what it began.
 */
export const writers = Object.fromEntries(
  OUTPUT_FORMATS.map((format): [OutputFormat, OpenWriter] => [format, (options) => openWriter(format, options)]),
) as Readonly<Record<OutputFormat, OpenWriter>>;

async function openWriter(format: OutputFormat, options: WriterOptions): Promise<AnnotationWriter> {
  const { openWriters } = await import("../write/open-writers.js");
  await makeFolder(options.out);
  return openWriters([format], { header: {}, generator: `polyrnn ${packageVersion()}`, ...options });
}
