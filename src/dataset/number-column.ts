/** A typed array that grows: one field of many records, without an object per record. */
type Numbers = Float64Array | Int32Array;

export class NumberColumn<T extends Numbers> {
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

  /** The values so far; later pushes may or may not show in it. */
  view(): T {
    return this.values.subarray(0, this.length) as T;
  }
}
