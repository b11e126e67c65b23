/** Counts reasons and keeps the first ids of each, in order of first appearance: what a report lists instead of averaging over it. */
import type { Id } from "../types.js";
import { reasonWords, type Reason } from "./reason-words.js";
import { LISTED_IDS, type ListedReason } from "./report-types.js";

export class ListedReasons {
  private readonly listed = new Map<string, { readonly words: string; count: number; readonly firstIds: Id[] }>();

  /**
   * @param message what exactly is wrong with this one; the first one's goes into the words
   * @param method name of the method whose predictions these are, where it is not the predictions file
   */
  add(reason: Reason, id: Id, message?: string, method?: string): void {
    const key = method === undefined ? reason : `${reason}:${method}`;
    let known = this.listed.get(key);
    if (known === undefined) {
      const words = `${method === undefined ? "" : `${method}: `}${reasonWords(reason)}${message === undefined ? "" : `; first: ${message}`}`;
      known = { words, count: 0, firstIds: [] };
      this.listed.set(key, known);
    }
    known.count += 1;
    if (known.firstIds.length < LISTED_IDS) known.firstIds.push(id);
  }

  get total(): number {
    return [...this.listed.values()].reduce((sum, { count }) => sum + count, 0);
  }

  list(): ListedReason[] {
    return [...this.listed].map(([reason, { words, count, firstIds }]) => ({
      reason,
      words,
      count,
      firstIds: [...firstIds],
    }));
  }
}
