/**
 * What is kept of every evaluated instance until the last one: numbers in typed arrays, about 50 bytes and 16 per
 * method.
 */
import { NumberColumn } from "../dataset/coco/columns.js";
import type { MethodScore } from "../report/csv.js";
import type { SizeName } from "../report/types.js";

/** COCO's limits on the truth's area, pixels. */
const SMALL_BELOW = 32 ** 2;
const MEDIUM_BELOW = 96 ** 2;
export const SIZE_NAMES: readonly SizeName[] = ["small", "medium", "large"];

export function sizeOfArea(area: number): SizeName {
  if (area < SMALL_BELOW) return "small";
  return area < MEDIUM_BELOW ? "medium" : "large";
}

export interface InstanceRow {
  readonly ordinal: number;
  /** Position in the truth's categories. */
  readonly category: number;
  readonly source: number;
  /** Pixels of the truth. */
  readonly area: number;
  /** Of the predictions file; absent where it has none. */
  readonly score?: number;
  /** Of the predicted polygon; 0 without one. */
  readonly vertices: number;
  /** Vertices of the truth on the grid, all outlines together; 0 where none is large enough. */
  readonly truthVertices: number;
  /** The predictions first, then the other methods, the grid ceiling last. */
  readonly scores: readonly MethodScore[];
}

export class InstanceTable {
  private readonly ordinals = new NumberColumn(Int32Array);
  private readonly categories = new NumberColumn(Int32Array);
  private readonly sources = new NumberColumn(Int32Array);
  private readonly areas = new NumberColumn(Float64Array);
  private readonly scores = new NumberColumn(Float64Array);
  private readonly vertexCounts = new NumberColumn(Int32Array);
  private readonly truthVertexCounts = new NumberColumn(Int32Array);
  private readonly hasPrediction = new NumberColumn(Int32Array);
  private readonly ious = new NumberColumn(Float64Array);
  /** By method. */
  readonly failed: number[];

  /** @param methods the predictions, the other methods and the grid ceiling together */
  constructor(readonly methods: number) {
    this.failed = Array.from({ length: methods }, () => 0);
  }

  add(row: InstanceRow): void {
    this.ordinals.push(row.ordinal);
    this.categories.push(row.category);
    this.sources.push(row.source);
    this.areas.push(row.area);
    this.scores.push(row.score ?? NaN);
    this.vertexCounts.push(row.vertices);
    this.truthVertexCounts.push(row.truthVertices);
    this.hasPrediction.push(row.scores[0]?.failed === false ? 1 : 0);
    for (const [method, score] of row.scores.entries()) {
      this.ious.push(score.iou);
      this.ious.push(score.boundaryIou);
      if (score.failed) this.failed[method]! += 1;
    }
  }

  get count(): number {
    return this.ordinals.length;
  }

  get ordinal(): Int32Array {
    return this.ordinals.view();
  }
  get category(): Int32Array {
    return this.categories.view();
  }
  get source(): Int32Array {
    return this.sources.view();
  }
  /** Pixels of the truth. */
  get area(): Float64Array {
    return this.areas.view();
  }
  /** NaN without one. */
  get score(): Float64Array {
    return this.scores.view();
  }
  /** 0 without a polygon. */
  get vertices(): Int32Array {
    return this.vertexCounts.view();
  }
  /** As in InstanceRow. */
  get truthVertices(): Int32Array {
    return this.truthVertexCounts.view();
  }
  /** 1 where there is a usable prediction. */
  get predicted(): Int32Array {
    return this.hasPrediction.view();
  }

  /** IoU and boundary IoU of every method side by side: 2 * methods numbers per instance. */
  get values(): { readonly columns: number; readonly values: Float64Array } {
    return { columns: 2 * this.methods, values: this.ious.view() };
  }

  /** IoU of the predictions, by instance. */
  predictedIou(): Float64Array {
    const { columns, values } = this.values;
    return Float64Array.from({ length: this.count }, (_, row) => values[row * columns]!);
  }
}
