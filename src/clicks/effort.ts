/**
 * The table that lets a simulation be checked: what simulated annotators did beside what people did in a review, on the
 * same instances. Without a review the simulated rows stand alone.
 */
import { NumberColumn } from "../dataset/coco/columns.js";
import type { Rasterizer } from "../geometry/iou.js";
import { iouWithTruth } from "../geometry/iou.js";
import type { ClickEffort } from "../report/types.js";
import type { Id, Ring } from "../types.js";
import type { SimulatedInstance } from "./simulation.js";

/** What a person did to one instance, from a review. */
export interface PersonalEffort {
  readonly clicks: number;
  readonly redrawTaken: number;
  readonly redrawLeft: number;
  readonly activeSeconds: number;
  /** Image pixels; empty where there is none. */
  readonly automatic: Ring;
  readonly decided: Ring;
}

/** The review whose clicks stand beside the simulated ones. */
export interface ComparedReview {
  readonly folder: string;
  find(imageId: Id, annotationId: Id): Promise<PersonalEffort | undefined>;
}

/** Columns of one annotator. */
const COLUMNS = ["clicks", "taken", "left", "iouBefore", "iouAfter", "seconds"] as const;
type Column = (typeof COLUMNS)[number];
type EffortRow = Readonly<Record<Column, number>>;

export class EffortTally {
  /** One per threshold, and the people's at the end. */
  private readonly annotators: readonly Record<Column, NumberColumn<Float64Array>>[];

  /** @param review absent: every simulated instance counts */
  constructor(
    private readonly thresholds: readonly number[],
    private readonly rasterizer: Rasterizer,
    private readonly review: ComparedReview | undefined,
  ) {
    const column = (): NumberColumn<Float64Array> => new NumberColumn(Float64Array);
    this.annotators = Array.from({ length: thresholds.length + 1 }, () => ({
      clicks: column(),
      taken: column(),
      left: column(),
      iouBefore: column(),
      iouAfter: column(),
      seconds: column(),
    }));
  }

  /** @throws as the review */
  async add({ crop, automatic, perThreshold }: SimulatedInstance): Promise<void> {
    const { imageId, annotationId } = crop.instance;
    const person = await this.review?.find(imageId, annotationId);
    if (this.review !== undefined && person === undefined) return;
    for (const [at, { clicks, iou, proposals }] of perThreshold.entries()) {
      const { taken, left } = proposals ?? { taken: NaN, left: NaN };
      this.push(at, { clicks, taken, left, iouBefore: automatic.iou, iouAfter: iou, seconds: NaN });
    }
    if (person === undefined) return;
    const size = { width: crop.imageWidth, height: crop.imageHeight };
    const iouOf = (ring: Ring): number =>
      ring.length < 3 ? 0 : iouWithTruth([ring], crop.instance.truth!, size, this.rasterizer);
    this.push(this.thresholds.length, {
      clicks: person.clicks,
      taken: person.redrawTaken,
      left: person.redrawLeft,
      iouBefore: iouOf(person.automatic),
      iouAfter: iouOf(person.decided),
      seconds: person.activeSeconds,
    });
  }

  /** Empty rows are left out. */
  rows(): ClickEffort[] {
    return this.annotators.flatMap((columns, at) => {
      const instances = columns.clicks.length;
      if (instances === 0) return [];
      const isMeasured = at === this.thresholds.length;
      return [
        {
          who: isMeasured ? "measured" : "simulated",
          threshold: isMeasured ? null : this.thresholds[at]!,
          instances,
          clicksMean: meanOf(columns.clicks),
          clicksMedian: medianOf(columns.clicks),
          redrawTaken: known(sumOf(columns.taken)),
          redrawLeft: known(sumOf(columns.left)),
          iouBefore: meanOf(columns.iouBefore),
          iouAfter: meanOf(columns.iouAfter),
          secondsMedian: known(medianOf(columns.seconds)),
        },
      ];
    });
  }

  private push(at: number, row: EffortRow): void {
    for (const name of COLUMNS) this.annotators[at]![name].push(row[name]);
  }
}

function sumOf(column: NumberColumn<Float64Array>): number {
  return column.view().reduce((sum, value) => sum + value, 0);
}

function meanOf(column: NumberColumn<Float64Array>): number {
  return sumOf(column) / column.length;
}

/** Of an even number, the lower of the two in the middle, as in the report of a review. */
function medianOf(column: NumberColumn<Float64Array>): number {
  return column.view().slice().sort()[Math.ceil(column.length / 2) - 1]!;
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
