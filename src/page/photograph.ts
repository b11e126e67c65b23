/** A part of a photograph with outlines on top, as SVG. */
import type { CropWindow } from "../geometry/grid.js";
import type { Fragment, Markup } from "./markup.js";
import { html, trusted } from "./markup.js";

/** One outline: points in image pixels, and the class that gives its stroke (page/page.ts). */
export interface Outline {
  readonly points: readonly (readonly [number, number])[];
  readonly kind: "truth" | "automatic" | "corrected";
}

/** Units of the drawing along a side; the page scales it. */
const SIDE = 300;

/**
 * @param window part of the image that is shown; image pixels
 * @param ground what lies under the outlines; may be empty
 * @param label  what it shows, for screen readers
 */
export function photograph(window: CropWindow, ground: Fragment, outlines: readonly Outline[], label: string): Markup {
  const drawing = [ground, strokes(outlines, window)];
  return html`<svg viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="${label}">${drawing}</svg>`;
}

/** The photograph itself; it fills the drawing. */
export function jpegGround(jpeg: Uint8Array): Markup {
  const base64 = trusted(Buffer.from(jpeg).toString("base64"));
  return html`<image href="data:image/jpeg;base64,${base64}" width="${SIDE}" height="${SIDE}"/>`;
}

/** A ground with outlines that several drawings of a page share. */
export interface SharedGround {
  readonly id: string;
  readonly window: CropWindow;
  readonly jpeg: Uint8Array;
  readonly outlines: readonly Outline[];
}

/** Goes into the page once, before the drawings that use it; shows nothing itself. */
export function sharedGrounds(grounds: readonly SharedGround[]): Markup {
  const groups = grounds.map(
    ({ id, window, jpeg, outlines }) => html`<g id="${id}">${jpegGround(jpeg)}${strokes(outlines, window)}</g>`,
  );
  return html`<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>${groups}</defs></svg>`;
}

export function groundOf({ id }: SharedGround): Markup {
  return html`<use href="#${id}"/>`;
}

/** Two strokes each, dark under light, so that the line is visible on any photograph. */
function strokes(outlines: readonly Outline[], { left, top, side }: CropWindow): Markup[] {
  return outlines.map(({ points, kind }) => {
    const text = points.map(([x, y]) => `${position(x - left, side)},${position(y - top, side)}`).join(" ");
    return html`<polygon class="under" points="${text}"/><polygon class="${kind}" points="${text}"/>`;
  });
}

function position(value: number, side: number): string {
  return ((value / side) * SIDE).toFixed(1);
}
