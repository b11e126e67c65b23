/**
 * The index of a COCO file in typed arrays: where its annotations are, by image, and where its image records are. An
 * annotation takes three numbers, 16 bytes, whatever it holds. Annotation ids are kept only until it is known which of
 * them occur twice.
 */
import { invalidData } from "../../errors.js";
import type { Id } from "../../types.js";

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
  private strangeImageId: string | undefined;

  /** @param imageIds shared with the images of the same file */
  constructor(private readonly imageIds: IdNumbers) {}

  get count(): number {
    return this.offsets.length;
  }

  /** The first image_id that is none (too large, a list, ...), as it is written; undefined where there is none. */
  get unusableImageId(): string | undefined {
    return this.strangeImageId;
  }

  noteUnusableImageId(received: string): void {
    this.strangeImageId ??= received;
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

/** Sorting a copy finds equal ids with 8 bytes each; a Set would need several times that. */
function noteRepeats(ids: Float64Array, repeats: Map<number, number>): void {
  if (ids.every((id, at) => at === 0 || id > ids[at - 1]!)) return;
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

/** Where the image records of a COCO file are, and their ids. */
export interface ImageTable {
  readonly count: number;
  /** Bytes, by position in `images`. */
  readonly offsets: Float64Array;
  readonly lengths: Int32Array;
  id(position: number): Id;
  /** Position of the first record with this id; undefined when no record has it. */
  positionOf(id: Id): number | undefined;
  /** First and last position with the id of this one; the same number where an id occurs once, as it should. */
  firstWithSameId(position: number): number;
  lastWithSameId(position: number): number;
}

export class ImageTableBuilder {
  private readonly offsets = new NumberColumn(Float64Array);
  private readonly lengths = new NumberColumn(Int32Array);
  private readonly numbers = new NumberColumn(Int32Array);
  private withoutId: { readonly position: number; readonly offset: number; readonly received: string } | undefined;

  constructor(private readonly ids: IdNumbers) {}

  /** @param id undefined where the record has none; `received` then words what it has */
  add(offset: number, length: number, id: Id | undefined, received: () => string): void {
    if (id === undefined) this.withoutId ??= { position: this.offsets.length, offset, received: received() };
    this.offsets.push(offset);
    this.lengths.push(length);
    this.numbers.push(id === undefined ? -1 : this.ids.of(id));
  }

  /**
   * Called when all ids of the file have been seen.
   * @throws E_DATA when a record has no usable id: no annotation can name it, and no failure can be listed under it
   */
  finish(file: string): ImageTable {
    if (this.withoutId !== undefined) {
      const { position, offset, received } = this.withoutId;
      throw invalidData(
        `${file}: images[${position}], byte ${offset}: ` +
          `expected an image record with an id (text, or an integer up to 2^53), received ${received}`,
        received === "none"
          ? "Give the image an id, or remove its record."
          : "Write the id as text or as a smaller number, here and as image_id, or remove the record.",
      );
    }
    const numbers = this.numbers.view();
    const first = new Int32Array(this.ids.count).fill(-1);
    const last = new Map<number, number>();
    for (let position = 0; position < numbers.length; position++) {
      const number = numbers[position]!;
      if (first[number] === -1) first[number] = position;
      else last.set(number, position);
    }
    return {
      count: numbers.length,
      offsets: this.offsets.view(),
      lengths: this.lengths.view(),
      id: (position) => this.ids.id(numbers[position]!),
      positionOf: (id) => {
        const number = this.ids.find(id);
        return number === undefined || first[number] === -1 ? undefined : first[number];
      },
      firstWithSameId: (position) => first[numbers[position]!]!,
      lastWithSameId: (position) => last.get(numbers[position]!) ?? first[numbers[position]!]!,
    };
  }
}

/** Ids as small numbers, so that an index over many annotations can hold them in typed arrays. */
export class IdNumbers {
  private readonly numbers = new Map<Id, number>();
  private readonly list: Id[] = [];
  private last: Id | undefined;
  private lastNumber = 0;

  get count(): number {
    return this.list.length;
  }

  /** Number of an id, 0 for the first one seen; 1 and "1" are two ids. */
  of(id: Id): number {
    // The annotations of an image usually follow one another.
    if (id !== this.last) {
      this.last = id;
      this.lastNumber = this.numbers.get(id) ?? this.take(id);
    }
    return this.lastNumber;
  }

  private take(id: Id): number {
    this.numbers.set(id, this.list.length);
    return this.list.push(id) - 1;
  }

  /** Number of an id that was seen, else undefined. */
  find(id: Id): number | undefined {
    return this.numbers.get(id);
  }

  /** @param number below `count` */
  id(number: number): Id {
    return this.list[number]!;
  }

  /** In the order in which they were first seen. */
  all(): readonly Id[] {
    return this.list;
  }
}

/** A typed array that grows: one field of many records, without an object per record. */
export class NumberColumn<T extends Float64Array | Int32Array> {
  length = 0;
  private values: T;

  constructor(private readonly kind: new (length: number) => T) {
    this.values = new kind(1024);
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const longer = new this.kind(this.values.length * 2);
      longer.set(this.values);
      this.values = longer;
    }
    this.values[this.length++] = value;
  }

  /** The values so far; it may or may not show later pushes. */
  view(): T {
    return this.values.subarray(0, this.length) as T;
  }
}
