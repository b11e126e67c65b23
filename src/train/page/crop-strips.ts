/** The same validation crops at every validation: photograph, truth, and what the model of that step predicts. */
import { encodeJpeg } from "../../crop/picture.js";
import { CROP_SIZE } from "../../geometry/grid.js";
import type { Markup } from "../../page/markup.js";
import { html, ratio, shownText, whole } from "../../page/markup.js";
import type { SharedGround } from "../../page/photograph.js";
import { groundOf, photograph, sharedGrounds } from "../../page/photograph.js";
import type { ImagePoint } from "../../types.js";
import type { PictureCrop, ValidationLine } from "../events.js";

const WINDOW = { left: 0, top: 0, side: CROP_SIZE };
/** Validations that are shown; of more, an even sample with the first, the best and the last. */
const MOST_SHOWN = 60;
/** Characters of a source's name below a picture. */
const NAME_LENGTH = 24;

/** Photographs and truths, which all strips share. */
export interface CropGrounds {
  readonly grounds: readonly SharedGround[];
  readonly crops: readonly PictureCrop[];
  readonly markup: Markup;
}

export async function cropGrounds(crops: readonly PictureCrop[]): Promise<CropGrounds> {
  const grounds: SharedGround[] = [];
  for (const [at, { pixels, truth }] of crops.entries()) {
    const outlines = truth.map((ring) => ({ kind: "truth" as const, points: pairs(ring) }));
    grounds.push({ id: `crop-${at}`, window: WINDOW, jpeg: await encodeJpeg(pixels, CROP_SIZE), outlines });
  }
  return { grounds, crops, markup: sharedGrounds(grounds) };
}

/** The newest validation first, the best one below it, the others folded away. */
export function cropStrips(validations: readonly ValidationLine[], grounds: CropGrounds): Markup {
  const newest = validations.at(-1);
  if (newest === undefined || grounds.crops.length === 0) return html`<p class="note">No validation yet.</p>`;
  const best = validations.findLast(({ isBest }) => isBest);
  const shown = evenSample(validations, new Set([newest, ...(best === undefined ? [] : [best])]));
  const older = shown.filter((line) => line !== newest && line !== best).reverse();
  const hidden = validations.length - shown.length;
  return html`${grounds.markup} ${strip(newest, grounds, newest === best ? "newest, and best so far" : "newest")}
  ${best === undefined || best === newest ? html`` : strip(best, grounds, "best so far")}
  ${older.length === 0 ? html`` : foldedStrips(older, grounds, hidden)}`;
}

/** @param hidden validations that are not shown at all */
function foldedStrips(older: readonly ValidationLine[], grounds: CropGrounds, hidden: number): Markup {
  const note = hidden > 0 ? ` (an even sample; ${whole(hidden)} are not drawn)` : "";
  const open = older.length <= 4 ? html` open` : html``;
  return html`<details${open}><summary>${whole(older.length)} earlier${note}</summary>
${older.map((line) => strip(line, grounds))}</details>`;
}

function strip(line: ValidationLine, { grounds, crops }: CropGrounds, remark?: string): Markup {
  const namesSource = Object.keys(line.bySource).length > 1;
  return html`<h3>
      Step ${whole(line.step)}: mean IoU ${ratio(line.all.iou)}${remark === undefined ? "" : ` (${remark})`}
    </h3>
    <div class="strip">
      ${line.drawn.map(({ ring, iou, source, annotationId }, at) => {
        const ground = grounds[at];
        if (ground === undefined || crops[at]?.annotationId !== annotationId) return html``;
        const outlines = ring.length === 0 ? [] : [{ kind: "automatic" as const, points: pairs(ring) }];
        return html`<figure>
          ${photograph(WINDOW, groundOf(ground), outlines, `annotation ${shownText(annotationId)} at step ${line.step}`)}
          <figcaption>
            ${namesSource ? `${shownText(source, NAME_LENGTH)} ` : ""}<b>${ratio(iou)}</b>${
              ring.length === 0 ? " no polygon" : ""
            }
          </figcaption>
        </figure>`;
      })}
    </div>`;
}

/** @param wanted lines that are kept in any case */
function evenSample(lines: readonly ValidationLine[], wanted: ReadonlySet<ValidationLine>): readonly ValidationLine[] {
  if (lines.length <= MOST_SHOWN) return lines;
  const places = new Set(
    Array.from({ length: MOST_SHOWN - wanted.size }, (_, at) =>
      Math.round((at * (lines.length - 1)) / (MOST_SHOWN - wanted.size - 1)),
    ),
  );
  return lines.filter((line, at) => places.has(at) || wanted.has(line));
}

function pairs(ring: readonly ImagePoint[]): readonly (readonly [number, number])[] {
  return ring.map(({ x, y }) => [x, y] as const);
}
