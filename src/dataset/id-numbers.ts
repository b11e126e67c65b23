/** Ids as small numbers, so that an index over many annotations can hold them in typed arrays. */
import type { Id } from "../types.js";

export class IdNumbers {
  private readonly numbers = new Map<Id, number>();
  private readonly list: Id[] = [];

  get count(): number {
    return this.list.length;
  }

  /** Number of an id, 0 for the first one seen; 1 and "1" are two ids. */
  of(id: Id): number {
    const known = this.numbers.get(id);
    if (known !== undefined) return known;
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

  /** In the order they were first seen. */
  all(): readonly Id[] {
    return this.list;
  }
}
