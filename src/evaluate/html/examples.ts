/** Instances as pictures: the photograph, and over it truth, automatic polygon and corrected polygon, as SVG. */
import type { CropWindow } from "../../geometry/grid.js";
import { type Markup, html } from "../../write/html/markup.js";
import { ratio } from "../../write/html/numbers.js";
import { type Outline, jpegGround, photograph } from "../../write/html/photograph.js";
import type { Example, ReportRing } from "../report-types.js";

/** What is shown of an example's photograph. */
export interface ExamplePicture {
  readonly window: CropWindow;
  readonly jpeg: Uint8Array;
}

/** Pictures of the examples of a report; an example without one is shown on an empty ground. */
export type ExamplePictures = ReadonlyMap<Example, ExamplePicture>;

/** Border around the box that is drawn when there is no photograph. */
const MARGIN = 0.2;

export function exampleRow(title: string, examples: readonly Example[], pictures: ExamplePictures): Markup {
  if (examples.length === 0) return html``;
  return html`<h3>${title}</h3>
    <div class="examples">${examples.map((example) => figure(example, pictures.get(example)))}</div>`;
}

function figure(example: Example, picture: ExamplePicture | undefined): Markup {
  const window = picture?.window ?? windowAround(example.box);
  const outline =
    (kind: Outline["kind"]) =>
    (points: ReportRing): Outline => ({ points, kind });
  const outlines = [
    ...example.truth.map(outline("truth")),
    ...example.automatic.map(outline("automatic")),
    ...(example.corrected === undefined ? [] : [example.corrected].map(outline("corrected"))),
  ];
  const corrected =
    example.correctedIou === undefined
      ? html``
      : html`; T = ${example.correctedThreshold ?? ""}: ${ratio(example.correctedIou)} after ${example.clicks ?? 0}
        click${example.clicks === 1 ? "" : "s"}`;
  return html`<figure>
    ${photograph(window, picture === undefined ? "" : jpegGround(picture.jpeg), outlines, `annotation ${example.annotationId}`)}
    <figcaption>
      <b>${example.category}</b> IoU
      ${ratio(example.iou)}${example.score === undefined ? html`` : html`, score ${ratio(example.score)}`}${corrected}<br /><small
        >annotation ${example.annotationId}, ${example.fileName}</small
      >
    </figcaption>
  </figure>`;
}

function windowAround([left, top, width, height]: Example["box"]): CropWindow {
  const side = Math.max(width, height) * (1 + MARGIN);
  return { left: left + width / 2 - side / 2, top: top + height / 2 - side / 2, side };
}
