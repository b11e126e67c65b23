/** Instances as pictures: the photograph, and over it truth, automatic polygon and corrected polygon, as SVG. */
import type { CropWindow } from "../../geometry/grid.js";
import type { Example, ReportRing } from "../report-types.js";
import { type Markup, html, trusted } from "./markup.js";
import { ratio } from "./numbers.js";

/** What is shown of an example's photograph. */
export interface ExamplePicture { readonly window: CropWindow; readonly jpeg: Uint8Array }

/** Pictures of the examples of a report; an example without one is shown on an empty ground. */
export type ExamplePictures = ReadonlyMap<Example, ExamplePicture>;

/** Units of the drawing along a side; the page scales it. */
const SIDE = 300;
/** Border around the box that is drawn when there is no photograph. */
const MARGIN = 0.2;

export function exampleRow(title: string, examples: readonly Example[], pictures: ExamplePictures): Markup {
  if (examples.length === 0) return html``;
  return html`<h3>${title}</h3><div class="examples">${examples.map((example) => figure(example, pictures.get(example)))}</div>`;
}

function figure(example: Example, picture: ExamplePicture | undefined): Markup {
  const window = picture?.window ?? windowAround(example.box);
  const paths = [
    ...example.truth.map((ring) => outline(ring, window, "truth")),
    ...example.automatic.map((ring) => outline(ring, window, "automatic")),
    ...(example.corrected === undefined ? [] : [outline(example.corrected, window, "corrected")]),
  ];
  const photo = picture === undefined ? html`` : html`<image href="data:image/jpeg;base64,${trusted(Buffer.from(picture.jpeg).toString("base64"))}" width="${SIDE}" height="${SIDE}"/>`;
  const corrected = example.correctedIou === undefined ? html``
    : html`; T = ${example.correctedThreshold ?? ""}: ${ratio(example.correctedIou)} after ${example.clicks ?? 0} click${example.clicks === 1 ? "" : "s"}`;
  return html`<figure><svg viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="annotation ${example.annotationId}">${photo}${paths}</svg>
<figcaption><b>${example.category}</b> IoU ${ratio(example.iou)}${example.score === undefined ? html`` : html`, score ${ratio(example.score)}`}${corrected}<br><small>annotation ${example.annotationId}, ${example.fileName}</small></figcaption></figure>`;
}

/** Two strokes, dark under light, so that the line is seen on any photograph. */
function outline(ring: ReportRing, { left, top, side }: CropWindow, kind: string): Markup {
  const points = ring.map(([x, y]) => `${position(x - left, side)},${position(y - top, side)}`).join(" ");
  return html`<polygon class="under" points="${trusted(points)}"/><polygon class="${kind}" points="${trusted(points)}"/>`;
}

function position(value: number, side: number): string {
  return ((value / side) * SIDE).toFixed(1);
}

function windowAround([left, top, width, height]: Example["box"]): CropWindow {
  const side = Math.max(width, height) * (1 + MARGIN);
  return { left: left + width / 2 - side / 2, top: top + height / 2 - side / 2, side };
}
