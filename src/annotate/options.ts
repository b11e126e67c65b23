/**
 * What `annotate` is asked, and what its caller hears while it works. The command line fills these in; tests and other
 * programs may as well.
 */
import type { BoxUnit } from "../dataset/relative-boxes.js";
import type { DeviceChoice } from "../engine/devices.js";
import type { PrecisionChoice } from "../engine/precision.js";
import type { Shard } from "../runs/identity.js";
import type { FailReason, Id } from "../types.js";
import type { FormatOptions, OutputFormat } from "../write/writer.js";

export interface AnnotateOptions {
  /** Folder that is searched for images, at any depth. */
  readonly images: string;
  /** COCO file, COCO results list or Cityscapes folder. */
  readonly boxes: string;
  /** What the numbers of the boxes count; absent: pixels, and a file whose boxes look relative is refused. */
  readonly boxesAre?: BoxUnit;
  /** COCO file with images and categories for a results list. */
  readonly dataset?: string;
  /**
   * Output folder, or "-" to stream one annotation per line to standard output (no run folder, no resume, no overlays).
   */
  readonly out: string;
  readonly formats: readonly OutputFormat[];
  readonly formatOptions?: FormatOptions;
  /** Name of a bundled model or path of a model folder. */
  readonly model: string;
  readonly device: DeviceChoice;
  /** Of kernels on a GPU; auto when absent. */
  readonly precision?: PrecisionChoice;
  /** Crops per model call, 1 to 256; chosen from the device when absent. */
  readonly batchSize?: number;
  /** Cores to compute on where the CPU does, 1 to 256; all when absent. */
  readonly threads?: number;
  /** Added to the long side of the box, as a ratio, 0 to 1; the model card's when absent. */
  readonly context?: number;
  /** Decoder steps at most, 3 to 500. */
  readonly maxSteps: number;
  /** Polygons predicted per instance at most, 1 to 10; see predict/candidates.ts. */
  readonly candidates: number;
  /** Fit from which a polygon is not predicted again, 0 to 1; the map's own when absent (predict/options.ts). */
  readonly sure?: number;
  /** Polygons with a lower score are left out, 0 to 1. */
  readonly minScore: number;
  /** Douglas-Peucker tolerance in image pixels; 0 keeps every vertex. */
  readonly simplify: number;
  /** Names or ids; only these are predicted. Empty: all. */
  readonly categories: readonly string[];
  /** predict: every box. keep: existing polygons go out unchanged, the rest is predicted. */
  readonly existing: "predict" | "keep";
  readonly overlays: "auto" | "all" | "none";
  /** Predict at most this many instances, in input order. */
  readonly limit?: number;
  /** Only this part of the images; see annotate/shard.ts. */
  readonly shard?: Shard;
  /** annotations.json of an earlier run, or its folder: what is done there goes out as it is. */
  readonly onlyNew?: string;
  readonly resume: boolean;
  /** Replace a run that is already in the output folder. */
  readonly force: boolean;
}

/** The caller's side of a run: messages, progress, data stream, stop. Nothing in annotate/ writes to a terminal. */
export interface AnnotateHost {
  /** Aborted: finish the batches under way, flush, return with `stopped: true`. */
  readonly signal: AbortSignal;
  /** One line for people: a stage begins ("loading model mobile"), a warning. */
  note(line: string): void;
  progress(progress: AnnotateProgress): void;
  failure(failure: ReportedFailure): void;
  /** One NDJSON line without the line break, for `out: "-"`. Resolves when the stream takes more. */
  data(line: string): Promise<void>;
}

export interface AnnotateProgress {
  /** Instances finished so far, including those of the earlier run that is resumed. */
  readonly finished: number;
  /** Instances this run is asked for. */
  readonly total: number;
  readonly failed: number;
  /** Instances finished by this process, for the rate. */
  readonly finishedNow: number;
  /** Instances per second that are usual on such a device, until there is a rate; absent where nobody knows. */
  readonly usualPerSecond?: number;
  /** Share of the files that is written, 0 to 1; 1 when the last one is in place. Absent where none are written. */
  readonly written?: number;
}

export interface ReportedFailure {
  /** null where the file gives the annotation no id; `message` says which one it is. */
  readonly annotationId: Id | null;
  readonly imageId: Id | null;
  readonly reason: FailReason;
  readonly message: string;
}
