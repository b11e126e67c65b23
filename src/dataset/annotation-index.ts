/**
 * Where the annotations of a file are, by image: three numbers per annotation, 16 bytes, whatever the annotations hold. Annotation
 * ids are kept only until it is known which of them stand twice.
 */
import type { Id } from "../types.js";
import type { IdNumbers } from "./id-numbers.js";
import { NumberColumn } from "./number-column.js";

const NO_IMAGE_ID = -1;

/** The finished index. An annotation is named by its ordinal, its position in the list. */
export interface GroupedAnnotations {
  readonly count: number;
  /** Bytes, by ordinal. */
  readonly offsets: Float64Array;
  readonly lengths: Int32Array;
  /** Annotations of one group, in file order; a group is an image, or an image id that points nowhere. */
  group(number: number): Uint32Array;
  /** Ordinal of the first annotation with the same id; undefined for the first one itself. */
  firstWithSameId(ordinal: number): number | undefined;
}

export class AnnotationIndex {
  private readonly offsets = new NumberColumn(Float64Array);
  private readonly lengths = new NumberColumn(Int32Array);
  private readonly imageNumbers = new NumberColumn(Int32Array);
  /** NaN where the id is text or absent. */
  private readonly numericIds = new NumberColumn(Float64Array);
  private readonly textIds = new Map<string, number>();
  private readonly repeats = new Map<number, number>();

  /** @param imageIds shared with the images of the same file */
  constructor(private readonly imageIds: IdNumbers) {}

  get count(): number {
    return this.offsets.length;
  }

  /** Takes the next annotation of the file. */
  add(offset: number, length: number, id: Id | undefined, imageId: Id | undefined): void {
    if (typeof id === "string") this.noteText(id);
    this.numericIds.push(typeof id === "number" ? id : NaN);
    this.imageNumbers.push(imageId === undefined ? NO_IMAGE_ID : this.imageIds.of(imageId));
    this.offsets.push(offset);
    this.lengths.push(length);
  }

  /**
   * @param groupOfImage group by image number; annotations without an image id form the group after the last
   * @param groups number of groups, that last one included
   */
  finish(groupOfImage: Int32Array, groups: number): GroupedAnnotations {
    const imageNumbers = this.imageNumbers.view();
    const groupOf = (ordinal: number): number => {
      const image = imageNumbers[ordinal]!;
      return image === NO_IMAGE_ID ? groups - 1 : groupOfImage[image]!;
    };
    const starts = new Uint32Array(groups + 1);
    for (let i = 0; i < imageNumbers.length; i++) starts[groupOf(i) + 1]!++;
    for (let group = 0; group < groups; group++) starts[group + 1]! += starts[group]!;
    const next = starts.slice();
    const order = new Uint32Array(imageNumbers.length);
    for (let i = 0; i < imageNumbers.length; i++) order[next[groupOf(i)]!++] = i;

    const { repeats } = this;
    noteRepeats(this.numericIds.view(), repeats);
    return {
      count: this.count,
      offsets: this.offsets.view(),
      lengths: this.lengths.view(),
      group: (number) => order.subarray(starts[number], starts[number + 1]),
      firstWithSameId: (ordinal) => repeats.get(ordinal),
    };
  }

  private noteText(id: string): void {
    const first = this.textIds.get(id);
    if (first === undefined) this.textIds.set(id, this.count);
    else this.repeats.set(this.count, first);
  }
}

/** Sorting a copy finds equal ids in 8 bytes each; a Set of them would need several times that. */
function noteRepeats(ids: Float64Array, repeats: Map<number, number>): void {
  const sorted = ids.slice().sort();
  const firstOf = new Map<number, number | undefined>();
  for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) firstOf.set(sorted[i]!, undefined);
  if (firstOf.size === 0) return;
  for (let ordinal = 0; ordinal < ids.length; ordinal++) {
    const id = ids[ordinal]!;
    if (!firstOf.has(id)) continue;
    const first = firstOf.get(id);
    if (first === undefined) firstOf.set(id, ordinal);
    else repeats.set(ordinal, first);
  }
}
