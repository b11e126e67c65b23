/** What the review took so far: a person's own pace, always in sight, and all figures in a dialog. */
import type { Session, Statistics, StatisticsRow, StatusCounts } from "../api.js";
import { CLICK_KINDS } from "../api.js";
import { byId, element } from "./elements.js";
import { get } from "./server.js";

const COLUMNS = ["done", "median s", "90 % s", "clicks", "IoU before"];
const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 320, height: 96, left: 34, bottom: 16 };

export function showProgress({ run, total, counts, own }: Session): void {
  const { open, draft, accepted, edited, rejected, skipped } = counts;
  const done = total - open - draft;
  const bar = byId("progress", HTMLProgressElement);
  bar.max = Math.max(1, total);
  bar.value = done;
  byId("run", HTMLElement).textContent = run;
  byId("counts", HTMLElement).textContent =
    `${done} of ${total} · ${accepted} accepted · ${edited} edited · ${rejected} rejected · ${skipped} skipped`;
  byId("pace", HTMLElement).textContent = paceText(own, counts);
}

/** @returns "you: 12, median 6.4 s, about 8 min left", or nothing before the first decision; what is left goes by the mean */
function paceText({ count, secondsMedian, secondsMean }: StatisticsRow, { open, draft }: StatusCounts): string {
  if (count === 0 || secondsMedian === null || secondsMean === null) return "";
  const left = (secondsMean * (open + draft)) / 60;
  return `you: ${count}, median ${secondsMedian.toFixed(1)} s${open + draft > 0 ? `, about ${minutes(left)} left` : ""}`;
}

function minutes(value: number): string {
  if (value < 1) return "1 min";
  return value < 90 ? `${Math.round(value)} min` : `${(value / 60).toFixed(1)} h`;
}

export class Figures {
  constructor(private readonly dialog: HTMLDialogElement) {}

  /** @throws as any call of the server */
  async show(): Promise<void> {
    const statistics = await get<Statistics>("statistics");
    this.dialog.querySelector("#figures-body")!.replaceChildren(...figuresOf(statistics));
    if (!this.dialog.open) this.dialog.showModal();
  }
}

function figuresOf({ counts, all, own, byCategory, byScore, ...rest }: Statistics): HTMLElement[] {
  const { acceptedUnchanged, clicks, networkSeconds, saved, curve } = rest;
  const named = (row: StatisticsRow, name: string): StatisticsRow => ({ ...row, name });
  const rows = [...(own === null ? [] : [named(own, "you, since the start")]), named(all, "all of this run")];
  const kinds = CLICK_KINDS.filter((kind) => clicks[kind] > 0).map((kind) => `${wordsOf(kind)} ${clicks[kind]}`);
  return [
    table("Pace", rows),
    ...(byCategory.length > 0 ? [table("By category", byCategory)] : []),
    ...(byScore.length > 0 ? [table("By score of the network", byScore)] : []),
    line(
      `${counts.accepted + counts.edited} kept, ${acceptedUnchanged} of them unchanged; ` +
        `the network was waited for ${networkSeconds.toFixed(1)} s`,
    ),
    line(kinds.length > 0 ? kinds.join(", ") : "no clicks yet"),
    line(
      saved === null
        ? "saved against drawing by hand: not known; --arm mixed measures it"
        : `saved against drawing by hand: ${saved.mean.toFixed(1)} s each (${saved.low.toFixed(1)} to ${saved.high.toFixed(1)}); ` +
            `${saved.times.mean.toFixed(2)} times as fast (${saved.times.low.toFixed(2)} to ${saved.times.high.toFixed(2)})`,
    ),
    ...(curve.some(({ meanIoU }) => meanIoU < 1) ? [chart(curve)] : []),
  ];
}

const line = (text: string): HTMLElement => element("p", {}, text);

/** "redrawTaken" becomes "redraw taken". */
function wordsOf(kind: string): string {
  return kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function table(caption: string, rows: readonly StatisticsRow[]): HTMLElement {
  const number = (value: number | null, digits: number): string => (value === null ? "–" : value.toFixed(digits));
  return element(
    "table",
    { class: "figures" },
    element("caption", {}, caption),
    element(
      "thead",
      {},
      element("tr", {}, element("td", {}), ...COLUMNS.map((name) => element("th", { scope: "col" }, name))),
    ),
    element(
      "tbody",
      {},
      ...rows.map(({ name, count, secondsMedian, seconds90, clicksMean, iouBefore }) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, name),
          element("td", {}, String(count)),
          element("td", {}, number(secondsMedian, 1)),
          element("td", {}, number(seconds90, 1)),
          element("td", {}, number(clicksMean, 2)),
          element("td", {}, number(iouBefore, 3)),
        ),
      ),
    ),
  );
}

/** Mean IoU, the kept polygons as truth, had a person stopped after the first n from the lowest score. */
function chart(curve: Statistics["curve"]): HTMLElement {
  const { width, height, left, bottom } = CHART;
  const lowest = Math.min(...curve.map(({ meanIoU }) => meanIoU));
  const most = curve.at(-1)!.reviewed;
  const points = curve.map(({ reviewed, meanIoU }) => {
    const x = left + (reviewed / Math.max(1, most)) * (width - left - 4);
    const y = 6 + ((1 - meanIoU) / Math.max(1e-9, 1 - lowest)) * (height - bottom - 12);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const words = `mean IoU from ${lowest.toFixed(3)} to 1 over ${most} reviewed, lowest scores first`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words, class: "curve" });
  const text = (x: number, y: number, anchor: string, said: string): SVGElement => {
    const label = draw("text", { x: String(x), y: String(y), "text-anchor": anchor });
    label.append(said);
    return label;
  };
  svg.append(
    draw("path", { d: `M${points.join("L")}` }),
    text(left - 4, 10, "end", "1"),
    text(left - 4, height - bottom, "end", lowest.toFixed(2)),
    text(left, height - 2, "start", "0"),
    text(width - 4, height - 2, "end", `${most} reviewed`),
  );
  return element("figure", {}, svg, element("figcaption", {}, "Mean IoU after the first n from the lowest score"));
}

function draw(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
