/**
 * What `annotate` is asked, and what it tells its caller. The command line fills these in; tests and other programs may
 * as well.
 */
import type { DeviceChoice } from "../engine/devices.js";
import type { DeviceName, EngineName } from "../engine/engine.js";
import type { FailReason, Id, SkipReason } from "../types.js";
import type { OutputFormat } from "../write/writer.js";
import type { Shard, ShardSize } from "./shard.js";

export interface AnnotateOptions {
  /** Folder that is searched for images, at any depth. */
  readonly images: string;
  /** COCO file, COCO results list or Cityscapes folder. */
  readonly boxes: string;
  /** COCO file with images and categories for a results list. */
  readonly dataset?: string;
  /**
   * Output folder, or "-" to stream one annotation per line to standard output (no run folder, no resume, no overlays).
   */
  readonly out: string;
  readonly formats: readonly OutputFormat[];
  /** Name of a bundled model or path of a model folder. */
  readonly model: string;
  readonly device: DeviceChoice;
  /** Crops per model call, 1 to 256; chosen from the device when absent. */
  readonly batchSize?: number;
  /** Cores to compute on where the CPU does, 1 to 256; all when absent. */
  readonly threads?: number;
  /** Added to the long side of the box, as a ratio, 0 to 1; the model card's when absent. */
  readonly context?: number;
  /** Decoder steps at most, 3 to 500. */
  readonly maxSteps: number;
  /** Polygons drawn per instance at most, 1 to 10; see predict/candidates.ts. */
  readonly candidates: number;
  /** Polygons with a lower score are left out, 0 to 1. */
  readonly minScore: number;
  /** Douglas-Peucker tolerance in image pixels; 0 keeps every vertex. */
  readonly simplify: number;
  /** Names or ids; only these are drawn. Empty: all. */
  readonly categories: readonly string[];
  /** predict: draw every box. keep: pass existing polygons through unchanged, draw the rest. */
  readonly existing: "predict" | "keep";
  readonly overlays: "auto" | "all" | "none";
  /** Draw at most this many instances, in input order. */
  readonly limit?: number;
  /** Draw only this part of the images; see annotate/shard.ts. */
  readonly shard?: Shard;
  /** annotations.json of an earlier run, or its folder: what is done there goes out as it is. */
  readonly onlyNew?: string;
  readonly resume: boolean;
  /** Replace a run that is already in the output folder. */
  readonly force: boolean;
}

/** The caller's side of a run: words, progress, data stream, stop. Nothing in annotate/ writes to a terminal. */
export interface AnnotateHost {
  /** Aborted = finish the batches in work, flush, return with `stopped: true`. */
  readonly signal: AbortSignal;
  /** One line for people: a stage begins ("loading model mobile"), a warning. */
  note(line: string): void;
  progress(progress: AnnotateProgress): void;
  failure(failure: ReportedFailure): void;
  /** One NDJSON line without the line break, for `out: "-"`. Resolves when the stream takes more. */
  data(line: string): Promise<void>;
}

export interface AnnotateProgress {
  /** Instances finished so far, those of an earlier, resumed run included. */
  readonly finished: number;
  /** Instances this run is asked for. */
  readonly total: number;
  readonly failed: number;
  /** Instances finished by this process, for the rate. */
  readonly finishedNow: number;
}

export interface ReportedFailure {
  readonly annotationId: Id;
  readonly imageId: Id;
  readonly reason: FailReason;
  readonly message: string;
}

/** What drew: an engine of this process, or the workers of a queue. */
export interface PredictingEngine {
  /** "queue" while no worker has answered, "several" where workers differ. */
  readonly name: EngineName | "queue" | "several";
  readonly device: DeviceName | "queue" | "several";
  /** Library and version, for example "onnxruntime-node 1.30.0"; several are joined by " + ". */
  readonly version: string;
}

/** summary.json; adding a field is free, changing one is a new version. */
export interface AnnotateSummary {
  readonly version: 1;
  readonly type: "summary";
  /** True when the user stopped the run; the journal is valid and --resume goes on. */
  readonly stopped: boolean;
  readonly images: number;
  /** Annotations in the input. */
  readonly annotations: number;
  /** The part of them that this run drew from; the counts below are the part's. */
  readonly shard?: Shard & ShardSize;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  /** Instances not reached (stopped). */
  readonly remaining: number;
  /** Polygons drawn from a box that was cut at the image's border. */
  readonly clipped: number;
  /** Polygons cut at the step limit before end-of-sequence. */
  readonly unended: number;
  readonly failedByReason: Partial<Record<FailReason, number>>;
  readonly skippedByReason: Partial<Record<SkipReason, number>>;
  /** The first 100 failures; all of them are in the journal. */
  readonly failures: readonly ReportedFailure[];
  readonly meanScore: number | null;
  readonly engine: PredictingEngine["name"];
  readonly device: PredictingEngine["device"];
  readonly engineVersion: string;
  readonly model: string;
  readonly modelHash: string;
  readonly batchSize: number;
  /** Instances finished by this process (a resumed run counts only its own). */
  readonly finishedNow: number;
  /** Wall time of this process in seconds, and where it went; stages overlap, so the parts may add up to more. */
  readonly seconds: number;
  readonly secondsPerStage: Readonly<Record<"decode" | "crop" | "encode" | "steps" | "write", number>>;
  readonly instancesPerSecond: number;
  readonly peakMemoryMiB: number;
  /** Output folder, and what was written there; relative paths, a folder ends with "/". */
  readonly out: string;
  readonly written: readonly string[];
  /** What the folder was merged from; absent where it was drawn as a whole. */
  readonly merged?: MergedShards;
}

export interface MergedShards {
  /** Shards of the run. */
  readonly count: number;
  readonly parts: readonly MergedPart[];
  /** Shards that no part is of, and the number of their instances that are to be drawn. */
  readonly missing: readonly { readonly shard: number; readonly remaining: number }[];
}

export interface MergedPart {
  readonly shard: number;
  /** As the user named it. */
  readonly folder: string;
  /** Instances that are not drawn yet; 0: the shard is finished. */
  readonly remaining: number;
  /** One annotation that is not drawn yet. */
  readonly firstRemaining?: Id;
  readonly device: PredictingEngine["device"];
}
