/**
 * gallery.html: the instances of a run on one page, the lowest score first, each with its polygon on its photograph. One
 * file that needs no network and runs no script: the filters are check boxes, and the style sheet hides what they name.
 */
import { join } from "node:path";
import { count } from "../count.js";
import { encodeJpeg } from "../crop/picture.js";
import type { DecodedImage } from "../crop/open-image.js";
import { decodeImage, openImage } from "../crop/open-image.js";
import { resampleWindow } from "../crop/resample-window.js";
import { writeAtomic } from "../files/atomic-file.js";
import { GALLERY_FILE } from "../files/run-layout.js";
import { boxRing, squareWindow } from "../geometry/box.js";
import type { Fragment, Markup } from "../page/markup.js";
import { html, shownText, trusted, whole } from "../page/markup.js";
import { renderPage } from "../page/page.js";
import { jpegGround, photograph } from "../page/photograph.js";
import type { Box, Ring } from "../types.js";
import { labelOf, nameCategories } from "../write/labels.js";
import { evenSample } from "../write/overlays.js";
import type { AnnotationWriter, ImageResult, ResultItem, WriteContext } from "../write/writer.js";

/** Instances on the page; of a larger run, every n-th. */
export const MOST_TILES = 500;
/** Categories with a filter of their own, the most frequent first; the others share one. */
const MOST_CATEGORIES = 24;
/** Margin around the box, as a part of its long side. */
const CONTEXT = 0.15;
/** Pixels along a side of a tile's photograph. */
const SIDE = 180;
const SHOWN_NAME = 60;

/** Lower ends of the groups of scores, the doubtful ones first. */
const SCORES = [
  { from: 0, name: "below 0.5" },
  { from: 0.5, name: "0.5 to 0.7" },
  { from: 0.7, name: "0.7 to 0.9" },
  { from: 0.9, name: "0.9 and above" },
] as const;

interface Tile {
  readonly fileName: string;
  readonly annotationId: string;
  readonly category: string;
  /** 0..1; undefined where there is no polygon. */
  readonly score: number | undefined;
  /** "predicted", or why there is no polygon in the files. */
  readonly reason: string;
  readonly picture: Markup;
}

/** @param total instances with an outcome, from which the tiles are chosen */
export function openGallery(context: WriteContext, total: number): AnnotationWriter {
  const names = nameCategories(context.categories);
  const tiles: Tile[] = [];
  let [index, unseen] = [0, 0];
  const isChosen = evenSample(total, MOST_TILES);
  return {
    async image(result) {
      const chosen = result.items.filter(isShown).filter(() => isChosen(index++));
      if (chosen.length === 0) return;
      const image = await decoded(result);
      for (const item of chosen) {
        const tile = image === undefined ? undefined : await makeTile(item, image, result);
        if (tile === undefined) unseen++;
        else tiles.push({ ...tile, category: shownText(labelOf(item.instance.categoryId, names), SHOWN_NAME) });
      }
    },
    async finish() {
      if (tiles.length === 0) return [];
      await writeAtomic(join(context.out, GALLERY_FILE), renderGallery(tiles, { total: index, unseen }));
      return [GALLERY_FILE];
    },
    abort: () => Promise.resolve(),
  };
}

type ShownItem = Extract<ResultItem, { kind: "outcome" }>;

/** What was predicted, or should have been. */
function isShown(item: ResultItem): item is ShownItem {
  const { outcome } = item;
  return item.kind === "outcome" && (outcome.status !== "skipped" || outcome.reason === "score-below-minimum");
}

/** @returns undefined for a photograph that cannot be read; its instances are counted */
async function decoded({ path, image, size }: ImageResult): Promise<DecodedImage | undefined> {
  if (path === undefined) return undefined;
  const opened = await openImage(path, { ...image, ...size });
  if (opened.kind === "failed") return undefined;
  const result = await decodeImage(opened.image);
  return result.kind === "decoded" ? result.image : undefined;
}

/** @returns undefined for a box that cannot be shown */
async function makeTile(
  { instance, outcome }: ShownItem,
  image: DecodedImage,
  { image: { fileName } }: ImageResult,
): Promise<Omit<Tile, "category"> | undefined> {
  const { box } = instance;
  if (!isInside(box, image)) return undefined;
  const window = squareWindow(box, CONTEXT);
  const jpeg = await encodeJpeg(await resampleWindow(image, window, SIDE), SIDE);
  const rings: readonly Ring[] = outcome.status === "done" ? [outcome.ring] : [boxRing(box)];
  const outlines = rings.map((ring) => ({
    points: ring.map(({ x, y }) => [x, y] as const),
    kind: outcome.status === "done" ? ("automatic" as const) : ("truth" as const),
  }));
  const annotationId = shownText(String(instance.annotationId), SHOWN_NAME);
  return {
    fileName: shownText(fileName, SHOWN_NAME),
    annotationId,
    score: outcome.status === "done" ? outcome.score : undefined,
    reason: outcome.status === "done" ? "predicted" : outcome.reason,
    picture: photograph(window, jpegGround(jpeg), outlines, `annotation ${annotationId}`),
  };
}

function isInside(
  { left, top, width, height }: Box,
  image: { readonly width: number; readonly height: number },
): boolean {
  return width > 0 && height > 0 && left < image.width && top < image.height && left + width > 0 && top + height > 0;
}

/** A group of tiles that one check box shows and hides; its class is its number, never a name from a file. */
interface Group {
  readonly id: string;
  readonly name: string;
  readonly size: number;
}

/** @returns the groups, the largest first, and which one a tile belongs to */
function groupBy(
  tiles: readonly Tile[],
  prefix: string,
  nameOf: (tile: Tile) => string,
): [Group[], (tile: Tile) => string] {
  const sizes = new Map<string, number>();
  for (const tile of tiles) sizes.set(nameOf(tile), (sizes.get(nameOf(tile)) ?? 0) + 1);
  const sorted = [...sizes].sort(([, a], [, b]) => b - a);
  const own = sorted.slice(0, MOST_CATEGORIES);
  const groups = own.map(([name, size], at) => ({ id: `${prefix}${at}`, name, size }));
  const rest = sorted.slice(MOST_CATEGORIES);
  const others = `${prefix}others`;
  if (rest.length > 0)
    groups.push({
      id: others,
      name: `${whole(rest.length)} others`,
      size: rest.reduce((sum, [, size]) => sum + size, 0),
    });
  const ids = new Map(own.map(([name], at) => [name, `${prefix}${at}`]));
  return [groups, (tile) => ids.get(nameOf(tile)) ?? others];
}

function scoreName({ score }: Tile): string {
  return score === undefined ? "no polygon" : SCORES.findLast(({ from }) => score >= from)!.name;
}

/** @param total instances the run has, `unseen` of those chosen have no photograph to show */
function renderGallery(tiles: readonly Tile[], { total, unseen }: { total: number; unseen: number }): string {
  const sorted = tiles.toSorted((a, b) => (a.score ?? -1) - (b.score ?? -1));
  const [categories, categoryId] = groupBy(tiles, "c", ({ category }) => category);
  const [reasons, reasonId] = groupBy(tiles, "r", ({ reason }) => reason.replaceAll("-", " "));
  const order = [...SCORES.map(({ name }) => name as string), "no polygon"];
  const [scores, scoreId] = groupBy(tiles, "s", scoreName);
  scores.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const groups = [...scores, ...categories, ...reasons];
  const sample = total > MOST_TILES ? html` They are an even sample of ${count(total, "instance")}.` : "";
  const hidden = unseen > 0 ? html` ${count(unseen, "instance")} cannot be shown: no photograph, or no box on it.` : "";
  return renderPage(
    "Gallery",
    html`<style>${FILTERS}${groups.map(({ id }) => hide(id))}</style>
<h1>Gallery</h1>
<p class="lead">${count(tiles.length, "instance")}, the lowest score first: the polygon in orange, the box of what has none dashed in white.${sample}${hidden}</p>
<form class="filters">
${filter("Score", scores)}
${filter("Category", categories)}
${reasons.length > 1 ? filter("Outcome", reasons) : ""}
</form>
<div class="examples">
${sorted.map(
  (tile) => html`<figure class="tile ${categoryId(tile)} ${reasonId(tile)} ${scoreId(tile)}">${tile.picture}
<figcaption><b>${tile.score === undefined ? tile.reason.replaceAll("-", " ") : tile.score.toFixed(2)}</b> ${tile.category}<br><small>${tile.annotationId} in ${tile.fileName}</small></figcaption></figure>
`,
)}</div>`,
  );
}

function filter(title: string, groups: readonly Group[]): Fragment {
  return html`<fieldset><legend>${title}</legend>${groups.map(
    ({
      id,
      name,
      size,
    }) => html`<label><input type="checkbox" id="${id}" checked> ${name} <span>${whole(size)}</span></label>
`,
  )}</fieldset>`;
}

/** @param id made here: a letter and a number */
function hide(id: string): Markup {
  return trusted(`body:has(#${id}:not(:checked)) .tile.${id} { display: none; }\n`);
}

const FILTERS = trusted(`
.filters { display: grid; gap: 0.6rem; margin: 1rem 0; }
.filters fieldset { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.3rem 0.8rem 0.5rem; margin: 0; min-width: 0; }
.filters legend { color: var(--soft); padding: 0 0.3rem; }
.filters label { display: inline-block; margin: 0.15rem 1.1rem 0.15rem 0; }
.filters span { color: var(--soft); font-variant-numeric: tabular-nums; }
.tile small { white-space: normal; }
`);
