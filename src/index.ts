/**
 * The library: `import { annotate } from "polyrnn"`. The only file that passes on what others define, for a package has
 * one door. What is exported here is held by docs/api.md; docs/library.md explains it with examples.
 *
 * Nothing here writes to a terminal, ends the process or listens to its signals. What is heavy loads at the first call.
 */
export type { AnnotateProgress, ReportedFailure } from "./annotate/options.js";
export type { AnnotateSummary } from "./annotate/summary.js";
export type { ClickStudy, CorrectedPolygon } from "./clicks/options.js";
export type { Pixels } from "./crop/pixel-image.js";
export type { Dataset, DatasetFormat, Entry, ImageGroup, ImageLocation, Rejected } from "./dataset/dataset.js";
export { EXIT, PolyrnnError } from "./errors.js";
export type { ExitCode } from "./errors.js";
export type { AnnotateOptions } from "./library/annotate.js";
export { annotate } from "./library/annotate.js";
export type { OpenWriter, ReadDatasetOptions, WriterOptions } from "./library/data-sets.js";
export { readDataset, writers } from "./library/data-sets.js";
export type { EvaluateOptions } from "./library/evaluate.js";
export { evaluate } from "./library/evaluate.js";
export type { BoxOptions, CallOptions, DeviceOptions, MeasureOptions, PredictingOptions } from "./library/options.js";
export type { OpenedModel, OpenModelOptions, PredictedPolygon, PredictOptions } from "./library/predict.js";
export { openModel, predict } from "./library/predict.js";
export type { SimulateClicksOptions } from "./library/simulate-clicks.js";
export { simulateClicks } from "./library/simulate-clicks.js";
export type { ClickRow, ResultRow } from "./report/csv.js";
export type { ClickReport, EvaluationReport } from "./report/types.js";
export type {
  Box,
  Category,
  DoneOutcome,
  FailedOutcome,
  FailReason,
  Failure,
  Id,
  ImagePoint,
  ImageRecord,
  Instance,
  JsonObject,
  JsonValue,
  Outcome,
  Ring,
  Rle,
  SkippedOutcome,
  SkipReason,
  Truth,
} from "./types.js";
export type { AnnotationWriter, ImageResult, OutputFormat, ResultItem } from "./write/writer.js";
