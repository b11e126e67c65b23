/** A run with every part filled and names as hostile as files can hold, for the page's tests. */
import { createRandom } from "../../../src/random.js";
import type {
  MetricsLine,
  PictureCrop,
  RunStarted,
  SourceScore,
  TrainingHistory,
  ValidationLine,
} from "../../../src/train/events.js";
import type { TrainingPageFacts } from "../../../src/train/page/render-training.js";
import type { ImagePoint } from "../../../src/types.js";

export const HOSTILE_NAMES = [
  "<script>document.title='owned'</script>",
  '"><img src=x onerror="document.title=\'owned\'">',
  "nul\u0000byte",
  "right\u202Eto left",
  "x".repeat(4000),
  "]]></text></svg><script>document.title='owned'</script>",
  "{c|{{7*7}}}",
  "__proto__",
  "constructor",
  "people",
] as const;

const SIDE = 224;
const random = createRandom("sample history");

function ring(radius: number): ImagePoint[] {
  return Array.from({ length: 12 }, (_, at) => ({
    x: 112 + radius * Math.cos((at * Math.PI) / 6),
    y: 112 + 0.7 * radius * Math.sin((at * Math.PI) / 6),
  }));
}

function crop(at: number): PictureCrop {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) =>
    i % 3 === 0 ? 60 + at * 20 : (Math.floor(i / 3 / SIDE) * 255) / SIDE,
  );
  return {
    annotationId: at === 0 ? HOSTILE_NAMES[0] : at,
    source: HOSTILE_NAMES[at % HOSTILE_NAMES.length]!,
    pixels,
    truth: [ring(80)],
  };
}

/** JSON.parse makes "__proto__" a name like any other, as in metrics.ndjson. */
function hostileSources(iou: number): Record<string, SourceScore> {
  const entries = HOSTILE_NAMES.map(
    (name, at) =>
      `${JSON.stringify(name)}: ${JSON.stringify({ iou: iou - 0.1 + at / 40, boxIou: 0.6, instances: 100 - at })}`,
  );
  return JSON.parse(`{${entries.join(",")}}`) as Record<string, SourceScore>;
}

function validation(step: number, last: number, crops: readonly PictureCrop[]): ValidationLine {
  const iou = 0.75 - 0.4 * Math.exp((-4 * step) / last);
  return {
    type: "validation",
    step,
    all: { iou, boxIou: 0.625, instances: 900 },
    bySource: hostileSources(iou),
    failed: 3,
    isBest: step <= 0.8 * last,
    instancesPerSecond: 20,
    drawn: crops.map(({ annotationId, source }, at) => ({
      annotationId,
      source,
      ring: at === 7 && step < last / 2 ? [] : ring(40 + (40 * step) / last),
      iou: at === 7 && step < last / 2 ? 0 : iou,
    })),
  };
}

/** @param validations how many there were */
export function sampleHistory(validations: number): TrainingHistory {
  const crops = Array.from({ length: 8 }, (_, at) => crop(at));
  const last = validations * 500;
  const lines: MetricsLine[] = [];
  for (let step = 50; step <= last; step += 50) {
    const part = Math.exp((-3 * step) / last);
    lines.push({
      type: "step",
      step,
      losses: {
        total: 1.5 + 6 * part + random.between(0, 0.3),
        steps: 1 + 4 * part,
        edge: 0.3 + part,
        vertex: 0.2 + 0.5 * part,
        mask: 0.1 + 0.5 * part,
      },
      accuracy: 0.6 - 0.5 * part,
      maskIou: 0.9 - 0.5 * part,
      gradientNorm: 1 + 3 * random.next(),
      rates: { head: 1.5e-3 * part, trunk: 3e-4 * part },
      instancesPerSecond: 14.2,
    });
    if (step % 500 === 0) lines.push(validation(step, last, crops));
  }
  return { folder: "runs/mine", lines, crops };
}

export function sampleFacts(): TrainingPageFacts {
  const run: RunStarted = {
    folder: "/data/runs/mine",
    architecture: "mobile",
    trainable: 3_012_345,
    frozen: 20_000,
    start: HOSTILE_NAMES[1],
    instances: 12_345,
    images: 2345,
    bySource: new Map(HOSTILE_NAMES.map((name, at) => [name, 1000 + at])),
    dropped: new Map([
      ["no-polygon", 12],
      [HOSTILE_NAMES[0], 3],
    ]),
    validationInstances: 900,
    device: "tfjs on cpu (@tensorflow/tfjs-node 4.22.0)",
    doneSteps: 0,
    steps: 10_000,
    batchSize: 16,
  };
  return {
    run,
    options: [
      ["data", HOSTILE_NAMES[1]],
      ["lr", "0.0015"],
    ],
    generator: "polyrnn 0.0.0",
  };
}
