/** `annotate` of the library: a whole data set to a run folder, as the command does it. */
import type { AnnotateProgress } from "../annotate/options.js";
import type { AnnotateSummary } from "../annotate/summary.js";
import { usageError } from "../errors.js";
import type { Shard } from "../runs/identity.js";
import type { FormatOptions, OutputFormat } from "../write/writer.js";
import { LINKS, MASK_KINDS, OUTPUT_FORMATS, SEGMENTATIONS } from "../write/writer.js";
import type { DataSetOptions } from "./options.js";
import { DATA_SET_DEFAULTS, DATA_SET_ROWS, FLAG, from, hostOf, oneOf, optionChecker, RATIO, TEXT } from "./options.js";

/** Options of `annotate`. Paths are relative to the working folder of the process. */
export interface AnnotateOptions extends DataSetOptions<AnnotateProgress> {
  /** Box file or folder in any format that is read (docs/formats.md). */
  readonly boxes: string;
  /** COCO file with the images and categories of a results list. */
  readonly dataset?: string;
  /** Output folder, made when absent. "-": nothing is written, and every polygon goes to `onLine`. */
  readonly out: string;
  /** Default: ["coco"]. */
  readonly formats?: readonly OutputFormat[];
  /** Choices within formats: run lengths, which masks, how photographs are linked. */
  readonly formatOptions?: FormatOptions;
  /** Polygons with a lower score are left out, 0 to 1. Default: 0. */
  readonly minScore?: number;
  /** Douglas-Peucker tolerance in image pixels, 0 or more; 0, the default, keeps every vertex. */
  readonly simplify?: number;
  /** "keep": polygons that the input has go out unchanged. Default: "predict". */
  readonly existing?: "predict" | "keep";
  /** Pictures and gallery.html. "auto": up to 50. Default: "none". */
  readonly overlays?: "auto" | "all" | "none";
  /** Part `index` (from 1) of `count` parts of the images, for `polyrnn merge`. */
  readonly shard?: Shard;
  /** Earlier annotations.json or its run folder: boxes that did not change keep their polygons. */
  readonly onlyNew?: string;
  /** Continue the run in the output folder. Default: false. */
  readonly resume?: boolean;
  /** Replace the run that is already in the output folder. Default: false. */
  readonly force?: boolean;
  /** With `out: "-"`: one annotation as JSON. The run waits for the promise. */
  readonly onLine?: (line: string) => void | Promise<void>;
}

export const ANNOTATE_DEFAULTS = {
  ...DATA_SET_DEFAULTS,
  formats: ["coco"],
  minScore: 0,
  simplify: 0,
  existing: "predict",
  overlays: "none",
  resume: false,
  force: false,
} as const;

const check = optionChecker<AnnotateOptions>(
  "annotate",
  {
    ...DATA_SET_ROWS,
    boxes: TEXT,
    dataset: TEXT,
    out: TEXT,
    formats: { type: "array", minItems: 1, items: { enum: OUTPUT_FORMATS } },
    formatOptions: {
      type: "object",
      additionalProperties: false,
      properties: {
        segmentation: { enum: SEGMENTATIONS },
        masks: { type: "array", minItems: 1, items: { enum: MASK_KINDS } },
        link: { enum: LINKS },
        labelStudioPrefix: TEXT,
        embedImages: FLAG,
      },
    },
    minScore: RATIO,
    simplify: { type: "number", minimum: 0 },
    existing: oneOf("predict", "keep"),
    overlays: oneOf("auto", "all", "none"),
    shard: {
      type: "object",
      required: ["index", "count"],
      additionalProperties: false,
      properties: { index: from(1), count: from(1) },
    },
    onlyNew: TEXT,
    resume: FLAG,
    force: FLAG,
  },
  ["images", "boxes", "out"],
);

/**
 * Predicts a polygon for every box of a data set and writes annotations, journal and summary into a folder.
 *
 * When the signal is aborted the batches under way are finished and journaled, and the summary says `stopped: true`;
 * the same call with `resume: true` goes on. While the input is still being opened it throws the signal's reason.
 * @returns the summary, also when instances failed
 * @throws PolyrnnError E_USAGE for wrong options, E_MISSING and E_DATA for the input, E_UNAVAILABLE for model and
 *   device, E_OUT_NOT_EMPTY, E_RESUME and E_WRITE for the output; what is journaled by then is kept
 */
export async function annotate(options: AnnotateOptions): Promise<AnnotateSummary> {
  const { signal, onProgress, onFailure, onNote, onLine, ...asked } = check(options);
  if (asked.out === "-" && onLine === undefined)
    throw usageError('annotate(): out "-" sends polygons to onLine, which is absent', "Pass onLine, or name a folder.");
  if (asked.shard !== undefined && asked.shard.index > asked.shard.count) {
    throw usageError(
      `annotate(): expected /shard/index to be at most ${asked.shard.count} but received ${asked.shard.index}`,
      "Parts are counted from 1.",
    );
  }
  signal?.throwIfAborted();
  const main = await import("../annotate/annotate.js");
  return main.annotate(
    { ...ANNOTATE_DEFAULTS, ...asked },
    {
      ...hostOf({ signal, onNote, onProgress, onFailure }),
      data: async (line) => {
        await onLine?.(line);
      },
    },
  );
}
