/** A part of a photograph with outlines over it, as SVG. */
import type { CropWindow } from "../../geometry/grid.js";
import { type Markup, html, trusted } from "./markup.js";

/** One outline: points in image pixels, and the class that gives its stroke (style.ts). */
export interface Outline {
  readonly points: readonly (readonly [number, number])[];
  readonly kind: "truth" | "automatic" | "corrected";
}

/** Units of the drawing along a side; the page scales it. */
const SIDE = 300;

/**
 * @param window part of the image that is shown; image pixels
 * @param jpeg   the photograph of that part; without one the outlines are on an empty ground
 * @param label  what it shows, for those who cannot see it
 */
export function photograph(window: CropWindow, jpeg: Uint8Array | undefined, outlines: readonly Outline[], label: string): Markup {
  const photo = jpeg === undefined ? html`` : html`<image href="data:image/jpeg;base64,${trusted(Buffer.from(jpeg).toString("base64"))}" width="${SIDE}" height="${SIDE}"/>`;
  return html`<svg viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="${label}">${photo}${outlines.map((outline) => strokes(outline, window))}</svg>`;
}

/** Two strokes, dark under light, so that the line is seen on any photograph. */
function strokes({ points, kind }: Outline, { left, top, side }: CropWindow): Markup {
  const text = points.map(([x, y]) => `${position(x - left, side)},${position(y - top, side)}`).join(" ");
  return html`<polygon class="under" points="${trusted(text)}"/><polygon class="${kind}" points="${trusted(text)}"/>`;
}

function position(value: number, side: number): string {
  return ((value / side) * SIDE).toFixed(1);
}
