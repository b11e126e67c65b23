/** Where the image records of a COCO file are, and which image ids they give. */
import { invalidData } from "../errors.js";
import type { Id } from "../types.js";
import type { IdNumbers } from "./id-numbers.js";
import { NumberColumn } from "./number-column.js";

export interface ImageTable {
  readonly count: number;
  /** Bytes, by position in `images`. */
  readonly offsets: Float64Array;
  readonly lengths: Int32Array;
  id(position: number): Id;
  /** Position of the first record with this id; undefined when no record has it. */
  positionOf(id: Id): number | undefined;
  /** First and last position with the id of this one; the same two numbers where an id stands once, as it should. */
  firstWithSameId(position: number): number;
  lastWithSameId(position: number): number;
}

export class ImageTableBuilder {
  private readonly offsets = new NumberColumn(Float64Array);
  private readonly lengths = new NumberColumn(Int32Array);
  private readonly numbers = new NumberColumn(Int32Array);
  private withoutId: { readonly position: number; readonly offset: number } | undefined;

  constructor(private readonly ids: IdNumbers) {}

  add(offset: number, length: number, id: Id | undefined): void {
    if (id === undefined) this.withoutId ??= { position: this.offsets.length, offset };
    this.offsets.push(offset);
    this.lengths.push(length);
    this.numbers.push(id === undefined ? -1 : this.ids.of(id));
  }

  /**
   * To be called when all ids of the file have been seen.
   * @throws E_DATA when a record has no usable id: no annotation can name it, and no failure could be listed under it
   */
  finish(file: string): ImageTable {
    if (this.withoutId !== undefined) {
      throw invalidData(
        `${file}: images[${this.withoutId.position}], byte ${this.withoutId.offset}: expected an image record with an id (text, or an integer up to 2^53), received none`,
        "Give the image an id, or remove its record.",
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
