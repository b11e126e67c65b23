/** Pictures of the instance in work and of the next two, as addresses in memory. */
import { picture } from "./server.js";

const MOST_KEPT = 6;

export class Pictures {
  private readonly kept = new Map<number, Promise<string>>();

  get(ordinal: number): Promise<string> {
    const known = this.kept.get(ordinal);
    if (known !== undefined) return known;
    const loading = picture(ordinal, "margin=0.5&side=1600");
    this.kept.set(ordinal, loading);
    // What failed is asked for again the next time.
    loading.catch(() => this.kept.delete(ordinal));
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_KEPT && oldest !== undefined) this.forget(oldest);
    return loading;
  }

  prepare(rows: readonly { readonly ordinal: number }[]): void {
    // Whoever opens the instance meets the error.
    for (const { ordinal } of rows) this.get(ordinal).catch(() => undefined);
  }

  /** Its box may have changed. */
  forget(ordinal: number): void {
    const known = this.kept.get(ordinal);
    this.kept.delete(ordinal);
    known?.then(URL.revokeObjectURL, () => undefined);
  }
}
