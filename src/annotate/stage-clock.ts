/** Where the time of a run goes. Stages overlap, so their sum may exceed the wall time. */
import type { AnnotateSummary } from "./options.js";

export type Stage = keyof AnnotateSummary["secondsPerStage"];

export class StageClock {
  private readonly milliseconds: Record<Stage, number> = { decode: 0, crop: 0, encode: 0, steps: 0, write: 0 };
  private readonly started = performance.now();

  add(stage: Stage, milliseconds: number): void {
    this.milliseconds[stage] += milliseconds;
  }

  async time<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.add(stage, performance.now() - start);
    }
  }

  /** Wall time since the clock was made, seconds. */
  elapsed(): number {
    return (performance.now() - this.started) / 1000;
  }

  /** Seconds per stage, rounded to milliseconds. */
  seconds(): AnnotateSummary["secondsPerStage"] {
    const { decode, crop, encode, steps, write } = this.milliseconds;
    const round = (ms: number): number => Math.round(ms) / 1000;
    return {
      decode: round(decode),
      crop: round(crop),
      encode: round(encode),
      steps: round(steps),
      write: round(write),
    };
  }
}
