/**
 * The main path of an evaluation. Start reading here.
 *
 *     truth -> instances with masks -> every method's mask of each -> IoU, boundary IoU -> table
 *           -> means, intervals, numbers of the charts
 *
 * The truth decides: it is walked once, in its order, and predictions are looked up image by image. Memory: a few
 * numbers per instance, and the masks of one image. Nothing here writes to a terminal or to disk: messages and rows go
 * to the host.
 */
import type { Dataset } from "../dataset/dataset.js";
import { readImageSize } from "../crop/open-image.js";
import { openDataset } from "../dataset/open-dataset.js";
import { invalidData, receivedOf } from "../errors.js";
import { createRandom } from "../random.js";
import type { Evaluation, EvaluationReport, MethodReport, ReportInputs } from "../report/types.js";
import { REPORT_VERSION } from "../report/types.js";
import type { RunInfo } from "../runs/run-file.js";
import { readRunInfo } from "../runs/run-file.js";
import { histogramsOf, iouByScore, iouBySize } from "./distributions.js";
import { collectExamples, locateExamples } from "./examples.js";
import { SourceNames } from "./groups.js";
import { InstanceTable } from "./instance-table.js";
import type { OpenedMethods } from "./methods/open-methods.js";
import { comparisonName, openMethods } from "./methods/open-methods.js";
import { ORACLE_MODEL, ORACLE_NAMES } from "./methods/oracles.js";
import type { EvaluateHost, EvaluateOptions } from "./options.js";
import { oracleShares } from "./oracle-shares.js";
import { summarizeMethods } from "./summarize-methods.js";
import type { WalkSettings } from "./walk-truth.js";
import { Findings, walkTruth } from "./walk-truth.js";

/** Context of the bundled models, as a part of the box's long side. */
const DEFAULT_CONTEXT = 0.15;

/** Everything an evaluation works with, opened once. */
interface Work {
  readonly options: EvaluateOptions;
  readonly host: EvaluateHost;
  readonly dataset: Dataset;
  readonly run: RunInfo;
  /** Image folder, of the options or of the run. */
  readonly images: string | undefined;
  /** Whether the truth's images were searched for. */
  readonly hasImages: boolean;
}

/**
 * @throws PolyrnnError when an input cannot be read, holds nothing to compare, or needs what was not given (--images);
 *   AbortError when the host's signal asks for a stop
 */
export async function evaluate(options: EvaluateOptions, host: EvaluateHost): Promise<Evaluation> {
  const run = await readRunInfo(options.predictions, (problem, cause) => {
    if (options.isRunFolder === true)
      return invalidData(problem, `Name the predictions alone, as ${options.predictions}, to do without it.`, cause);
    host.note(`not used: ${problem}`);
    return undefined;
  });
  const pixelMethod = options.compare.find(({ kind }) => kind === "grabcut" || kind === "learned");
  const oracle = options.oracles?.find((name) => name !== "grid");
  const needsPixels = pixelMethod !== undefined || oracle !== undefined;
  const images = options.images ?? run.images;
  if (oracle !== undefined && run.model !== undefined && run.model !== ORACLE_MODEL)
    host.note(
      `oracles give parts of the truth to ${ORACLE_MODEL}; the predictions are of ${run.model}: two networks are compared`,
    );
  if (needsPixels && images === undefined) {
    const name = pixelMethod === undefined ? `oracle ${oracle!}` : comparisonName(pixelMethod);
    const option = pixelMethod === undefined ? "--oracle" : "--compare";
    throw invalidData(
      `${name}: expected an image folder, received none`,
      `Name the image folder with --images, or leave it out of ${option}.`,
    );
  }
  // Searching for every image of the truth takes a while, and only methods that look at pixels and truths without sizes need it.
  const searched = needsPixels ? images : options.images;
  host.note(`reading ${options.truth}`);
  const dataset = await openDataset({
    boxes: options.truth,
    imageSize: readImageSize,
    signal: host.signal,
    ...(options.boxesAre !== undefined && { boxesAre: options.boxesAre }),
    ...(searched !== undefined && { images: searched }),
  });
  try {
    if (dataset.annotationCount === 0)
      throw invalidData(
        `${options.truth}: expected annotations, received none`,
        "Check that this is the file with the ground truth.",
      );
    return await compare({ options, host, dataset, run, images, hasImages: searched !== undefined });
  } finally {
    await dataset.close();
  }
}

async function compare({ options, host, dataset, run, images, hasImages }: Work): Promise<Evaluation> {
  const { oracles = [] } = options;
  const networkOracles = ORACLE_NAMES.filter((name) => oracles.includes(name));
  const table = new InstanceTable(1 + options.compare.length + networkOracles.length + 1);
  const findings = new Findings(table, host);
  const sources = new SourceNames(options.groupBy);
  const settings: WalkSettings = {
    truth: options.truth,
    hasImages,
    rasterizer: options.rasterizer,
    minArea: options.minArea,
    sources,
    isGrouped: options.groupBy.kind !== "none",
    ...(options.only !== undefined && { only: options.only }),
  };
  host.note(`reading ${options.predictions}`);
  const methods = await openMethods(
    options,
    options.context ?? run.context ?? DEFAULT_CONTEXT,
    (prediction, method) => findings.excludePrediction(prediction, method),
    { dataset, settings, signal: host.signal },
  );
  try {
    await host.methods(methods.all.map(({ name }) => name));
    await walkTruth({ dataset, methods: methods.all, findings, settings, host });
    for (const method of methods.all) await method.finish?.();
    checkFindings(options, findings, methods);
    sources.checkFound();
    host.note("computing intervals");
    const examples = await collectExamples(dataset, table, methods.predictions, settings);
    const numbers = numbersOf(table, dataset, settings, options);
    const reports = methods.all.map((method, i): MethodReport => ({
      name: method.name,
      words: method.words,
      ...(method.file !== undefined && { file: method.file }),
      ...(method.comparedAs !== undefined && { comparedAs: method.comparedAs }),
      ...numbers.methods[i]!,
      ...(method.seconds !== undefined && { seconds: method.seconds() }),
    }));
    const firstOracle = 1 + options.compare.length;
    const report: EvaluationReport = {
      version: REPORT_VERSION,
      generator: options.generator,
      inputs: inputsOf(options, run),
      counts: countsOf(dataset, findings),
      methods: reports.slice(0, firstOracle),
      gridCeiling: reports.at(-1)!,
      ...numbers.distributions,
      ...(oracles.length > 0 && {
        oracle: oracleShares(
          table,
          oracles,
          (name) => (name === "grid" ? table.methods - 1 : firstOracle + networkOracles.indexOf(name)),
          { resamples: options.resamples, random: createRandom(options.seed).fork("oracles") },
        ),
      }),
      examples,
    };
    return { report, imagePaths: images === undefined ? new Map() : await locateExamples(examples, images) };
  } finally {
    await methods.close();
  }
}

/** @throws E_DATA with the reasons where there is nothing to average over */
function checkFindings(
  { truth, predictions }: EvaluateOptions,
  { table, exclusions }: Findings,
  methods: OpenedMethods,
): void {
  if (table.count === 0) {
    const reasons = exclusions
      .list()
      .filter(({ reason }) => !reason.startsWith("prediction-"))
      .map(({ count, words }) => `${count} ${words}`)
      .join("; ");
    throw invalidData(
      `${truth}: expected ground truth polygons or masks to compare with, ` +
        `received none that can be used (${reasons})`,
      "Pass the file with the ground truth segmentations; boxes alone say nothing about outlines.",
    );
  }
  if (methods.predictions.matched > 0) return;
  const first = exclusions.list().find(({ reason }) => reason.startsWith("prediction-"));
  const example =
    first === undefined
      ? ""
      : `; the first predictions are ${first.firstIds.slice(0, 3).map(receivedOf).join(", ")}: ${first.words}`;
  throw invalidData(
    `${predictions}: expected predictions for the instances of ${truth}, received none that fits${example}`,
    "Check that both files are of the same data set; " +
      "--match-by box matches by image, category and boxes instead of ids.",
  );
}

function numbersOf(
  table: InstanceTable,
  dataset: Dataset,
  { sources, isGrouped }: WalkSettings,
  { seed, resamples }: EvaluateOptions,
): {
  methods: ReturnType<typeof summarizeMethods>;
  distributions: Pick<EvaluationReport, "histograms" | "iouBySize" | "iouByScore">;
} {
  const random = createRandom(seed);
  const names = {
    categories: dataset.categories.map(({ name }) => name),
    ...(isGrouped && { sources: sources.names }),
  };
  const byScore = iouByScore(table, random.fork("score sample"));
  return {
    methods: summarizeMethods(table, names, { resamples, random: random.fork("bootstrap") }),
    distributions: {
      histograms: histogramsOf(table),
      iouBySize: iouBySize(table, random.fork("size sample")),
      ...(byScore !== undefined && { iouByScore: byScore }),
    },
  };
}

function inputsOf(options: EvaluateOptions, run: RunInfo): ReportInputs {
  return {
    predictions: options.predictions,
    truth: options.truth,
    ...(options.images !== undefined && { images: options.images }),
    ...(run.model !== undefined && { model: run.model }),
    ...(run.engine !== undefined && { engine: run.engine }),
    ...(run.device !== undefined && { device: run.device }),
    rasterizer: options.rasterizer,
    groupBy: options.groupBy,
    minArea: options.minArea,
    ...(options.published === true && { published: true }),
    seed: options.seed,
    resamples: options.resamples,
  };
}

function countsOf(dataset: Dataset, { table, failures, exclusions, remarks }: Findings): EvaluationReport["counts"] {
  return {
    truthAnnotations: dataset.annotationCount,
    images: dataset.imageCount,
    evaluated: table.count,
    failed: failures.total,
    failures: failures.list(),
    exclusions: exclusions.list(),
    remarks: remarks.list(),
  };
}
