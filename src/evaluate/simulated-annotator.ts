/** The annotator in the decode loop: asks a click rule, counts what it corrects, and stops when the clicks are spent. */
import { EOS, cellToIndex, indexToCell } from "../geometry/grid.js";
import type { Decision, DrawingRule } from "../predict/draw-rows.js";
import type { ClickRule } from "./click-rules.js";

/**
 * One simulated annotator at work on one polygon. A click is one replaced proposal: a vertex put elsewhere, an end put in the place of
 * a vertex, or a vertex in the place of an end.
 */
export class SimulatedAnnotator implements DrawingRule<SimulatedAnnotator> {
  private corrected = 0;

  /**
   * @param run      what the caller knows this polygon by; forks carry it on
   * @param budget   clicks the annotator has; Infinity for no limit
   * @param forkUpTo with each of the first that many + 1 corrections a second polygon starts, by an annotator who stops before it;
   *   -1 for none
   * @param isFork   true for those
   */
  constructor(
    readonly run: number,
    private readonly rule: ClickRule,
    private readonly budget: number,
    private readonly forkUpTo: number,
    readonly isFork = false,
  ) {}

  get clicks(): number {
    return this.corrected;
  }

  decide(drawn: readonly number[], proposed: number): Decision<SimulatedAnnotator> {
    if (this.corrected >= this.budget) return { taken: proposed };
    const wanted = this.rule(drawn.map(indexToCell), proposed === EOS ? undefined : indexToCell(proposed));
    const taken = wanted === undefined ? EOS : cellToIndex(wanted);
    if (taken === proposed) return { taken };
    const clicks = this.corrected++;
    return clicks <= this.forkUpTo ? { taken, fork: this.stoppedAt(clicks) } : { taken };
  }

  /** The same annotator with all its clicks spent. */
  private stoppedAt(clicks: number): SimulatedAnnotator {
    const stopped = new SimulatedAnnotator(this.run, this.rule, clicks, -1, true);
    stopped.corrected = clicks;
    return stopped;
  }
}
