/** Writing down which weights a network needs: the loader checks a file against this list before anything runs. */
import { GRID_SIZE } from "../geometry/grid.js";
import type { StateWidths } from "./polygon-rnn.js";

/** Collects names and shapes in the file's layout. */
export class WeightList {
  readonly shapes = new Map<string, readonly number[]>();

  /** A convolution kernel [outputs, inputs, size, size] and its bias. */
  conv(name: string, outputs: number, inputs: number, size: number, bias: "bias" | "no-bias" = "bias"): this {
    this.shapes.set(`${name}.weight`, [outputs, inputs, size, size]);
    if (bias === "bias") this.shapes.set(`${name}.bias`, [outputs]);
    return this;
  }

  /** A dense layer [outputs, inputs] and its bias. */
  dense(name: string, outputs: number, inputs: number): this {
    this.shapes.set(`${name}.weight`, [outputs, inputs]);
    this.shapes.set(`${name}.bias`, [outputs]);
    return this;
  }

  /** Peephole maps of both decoder layers, [C, 28, 28] each; none when the card says so. */
  peepholes(widths: StateWidths, wanted: boolean): this {
    if (!wanted) return this;
    widths.forEach((channels, layer) => {
      for (const gate of ["input", "forget", "output"]) {
        this.shapes.set(`decoder.peephole_${layer + 1}.${gate}.weight`, [channels, GRID_SIZE, GRID_SIZE]);
      }
    });
    return this;
  }
}
