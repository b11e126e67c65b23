/// <reference lib="dom" />
/**
 * A perfect annotator goes through the page with the mouse: worst place first, takes what is truly better. What that
 * costs and gains has to be what `simulate-clicks --match worst` says.
 *
 * Three instances of the fixtures; with POLYRNN_REVIEW_DATA=FOLDER also twenty of FOLDER/val.json (COCO, its images in
 * FOLDER/images), whose table is printed.
 */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { simulateClicks } from "../../src/clicks/simulate-clicks.js";
import { outlineOf } from "../../src/clicks/simulation.js";
import type { Correction, PinnedRing, TrueOutline } from "../../src/clicks/worst-place.js";
import { onImage, worstPlace } from "../../src/clicks/worst-place.js";
import { readCrops } from "../../src/crop/read-crops.js";
import type { Crop } from "../../src/crop/crop.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { GRID_SIZE } from "../../src/geometry/grid.js";
import { iouWithTruth } from "../../src/geometry/iou.js";
import { loadModel } from "../../src/model/model.js";
import type { ClickRow } from "../../src/report/csv.js";
import type { InstanceView, RedrawAnswer } from "../../src/review/api.js";
import { openMeasuredReview } from "../../src/review/measured.js";
import { nearestOnEdge } from "../../src/review/page/edit.js";
import type { ReviewServer } from "../../src/review/server.js";
import { startServer } from "../../src/review/server.js";
import type { ReviewSession } from "../../src/review/session.js";
import { readStaticFiles } from "../../src/review/static-files.js";
import type { Id, ImagePoint, Ring } from "../../src/types.js";
import { boxesWith, IMAGES, newOut, runAnnotate } from "../annotate/runs.js";
import { HAS_CHROMIUM, launchBrowser } from "../page-in-browser.js";
import { linesOf, openSession } from "../review/reviews.js";

const ROOT = join(import.meta.dirname, "..", "..");
const DATA = process.env["POLYRNN_REVIEW_DATA"];
const MODEL = "mobile";
const THRESHOLD = 1;
const OPTIONS = { model: MODEL, maxSteps: 71, candidates: 1 } as const;
let browser: Browser;

beforeAll(async () => {
  if (HAS_CHROMIUM) browser = await launchBrowser();
});
afterAll(async () => {
  if (HAS_CHROMIUM) await browser.close();
});

/** What the annotator knows and the network does not. */
type Subject = Pick<Crop, "instance" | "window" | "imageWidth" | "imageHeight">;

async function subjectsOf(images: string, boxes: string): Promise<Map<Id, Subject>> {
  const dataset = await openDataset({ images, boxes });
  const { context } = (await loadModel(MODEL)).card;
  const subjects = new Map<Id, Subject>();
  async function* sources(): AsyncGenerator<
    Parameters<typeof readCrops>[0] extends AsyncIterable<infer S> ? S : never
  > {
    for await (const { image, location, entries } of dataset.groups()) {
      const instances = entries.flatMap((entry) => (entry.kind === "instance" ? [entry.instance] : []));
      yield { image, location, instances };
    }
  }
  for await (const result of readCrops(sources(), { context, maxCropsAhead: 4 }))
    if (result.kind === "crop") subjects.set(result.crop.instance.annotationId, result.crop);
  await dataset.close();
  return subjects;
}

/** The page as seen: where its polygon lies on the screen and in the image. */
interface Seen extends PinnedRing {
  readonly toScreen: (point: ImagePoint) => ImagePoint;
  readonly toImage: (point: ImagePoint) => ImagePoint;
}

async function look(page: Page, { view }: InstanceView): Promise<Seen> {
  const { picture, handles } = await page.evaluate(() => {
    const svg = document.querySelector("#canvas")!.getBoundingClientRect();
    const image = document.querySelector("#canvas image")!;
    const value = (name: string): number => Number(image.getAttribute(name));
    return {
      picture: {
        left: svg.left + value("x"),
        top: svg.top + value("y"),
        width: value("width"),
        x: svg.left,
        y: svg.top,
      },
      handles: [...document.querySelectorAll(".handle")].map((handle) => ({
        place: /\((\S+) (\S+)\)/.exec(handle.getAttribute("transform")!)!.slice(1).map(Number),
        isPinned: handle.classList.contains("pinned"),
      })),
    };
  });
  const zoom = picture.width / (view.width / view.scale);
  const toScreen = ({ x, y }: ImagePoint): ImagePoint => ({
    x: picture.left + (x - view.x) * zoom,
    y: picture.top + (y - view.y) * zoom,
  });
  const toImage = ({ x, y }: ImagePoint): ImagePoint => ({
    x: view.x + (x - picture.left) / zoom,
    y: view.y + (y - picture.top) / zoom,
  });
  const hundredths = (value: number): number => Math.round(value * 100) / 100;
  const ring = handles.map(({ place: [x, y] }) => {
    const point = toImage({ x: x! + picture.x, y: y! + picture.y });
    return { x: hundredths(point.x), y: hundredths(point.y) };
  });
  return { ring, pins: handles.flatMap(({ isPinned }, at) => (isPinned ? [at] : [])), toScreen, toImage };
}

/** What lies on top at each place: the index of a vertex, "free", or "away" outside of the canvas. */
function topsAt(page: Page, places: readonly ImagePoint[]): Promise<string[]> {
  return page.evaluate(
    (all) =>
      all.map(({ x, y }) => {
        const element = document.elementFromPoint(x, y);
        if ((element?.closest("#canvas") ?? null) === null) return "away";
        return element!.closest("[data-vertex]")?.getAttribute("data-vertex") ?? "free";
      }),
    places.map(({ x, y }) => ({ x, y })),
  );
}

/** Where to press for a correction; undefined while other vertices cover all of it. */
async function placeToPress(page: Page, seen: Seen, { kind, at }: Correction): Promise<ImagePoint | undefined> {
  const { ring, toScreen, toImage } = seen;
  if (kind !== "add") {
    const { x, y } = toScreen(ring[at]!);
    const around = [0, 4, 8, 11].flatMap((radius) =>
      Array.from({ length: 16 }, (_, turn) => ({
        x: x + radius * Math.cos((turn * Math.PI) / 8),
        y: y + radius * Math.sin((turn * Math.PI) / 8),
      })),
    );
    const tops = await topsAt(page, around);
    return around[tops.indexOf(String(at))];
  }
  const [from, to] = [toScreen(ring[at - 1]!), toScreen(ring[at % ring.length]!)];
  const along = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9]
    .map((share) => ({ x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) }))
    .filter((place) => nearestOnEdge(ring, toImage(place))?.at === at);
  const tops = await topsAt(page, along);
  return along[tops.indexOf("free")];
}

const ZOOMS = 8;

/** One click of the annotator. @returns the network's way, as the page was told it; none after a deletion */
async function correctWithMouse(
  page: Page,
  view: InstanceView,
  correction: Correction,
): Promise<RedrawAnswer | undefined> {
  const { kind, at, to } = correction;
  let seen = await look(page, view);
  let press = await placeToPress(page, seen, correction);
  for (let zooms = 0; press === undefined && zooms < ZOOMS; zooms++) {
    const { ring } = seen;
    const [one, other] = kind !== "add" ? [ring[at]!, ring[at]!] : [ring[at - 1]!, ring[at % ring.length]!];
    const middle = seen.toScreen({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.wheel(0, -200);
    await page.waitForTimeout(50);
    seen = await look(page, view);
    press = await placeToPress(page, seen, correction);
  }
  if (press === undefined)
    throw new Error(`expected ${JSON.stringify(correction)} of ${JSON.stringify(seen)} to be within reach`);
  if (kind === "delete") {
    await page.keyboard.down("Alt");
    await page.mouse.click(press.x, press.y);
    await page.keyboard.up("Alt");
    return undefined;
  }
  const goal = seen.toScreen(to);
  await page.mouse.move(press.x, press.y);
  await page.mouse.down();
  // Out of the way first: a drag of less than 4 pixels would be a click.
  await page.mouse.move(press.x + 12, press.y + 12);
  await page.mouse.move(goal.x, goal.y);
  const answered = page.waitForResponse((response) => response.url().endsWith("/redraw"));
  await page.mouse.up();
  const answer = (await (await answered).json()) as RedrawAnswer;
  // The page has it, too, when its status line says so.
  await page.waitForFunction(() => /network would/.test(document.querySelector("#status")?.textContent ?? ""));
  return answer;
}

interface Counted {
  clicks: number;
  taken: number;
  left: number;
}

async function annotateInPage(
  page: Page,
  view: InstanceView,
  { subject, maxClicks }: { readonly subject: Subject; readonly maxClicks: number },
): Promise<Counted> {
  const { instance, window, imageWidth, imageHeight } = subject;
  const truth: TrueOutline = {
    ring: outlineOf(instance.truth!, window).map((point) => onImage(point, subject)),
    cellPx: window.side / GRID_SIZE,
    imageWidth,
    imageHeight,
    metric: "chessboard",
  };
  const iouOf = (ring: Ring): number =>
    iouWithTruth([ring], instance.truth!, { width: imageWidth, height: imageHeight });
  const counted = { clicks: 0, taken: 0, left: 0 };
  for (;;) {
    const worst = worstPlace(await look(page, view), truth);
    if (worst === undefined || worst.distance <= THRESHOLD || counted.clicks >= maxClicks) return counted;
    counted.clicks++;
    await page.evaluate(() => (document.querySelector("#status")!.textContent = ""));
    const way = await correctWithMouse(page, view, worst);
    const plain = await look(page, view);
    await page.keyboard.press("0");
    if (way === undefined || (await page.isHidden("#proposal"))) continue;
    const isBetter = iouOf(way.ring) > iouOf(plain.ring);
    counted[isBetter ? "taken" : "left"]++;
    await page.keyboard.press(isBetter ? "Space" : "Escape");
    await page.waitForSelector("#proposal", { state: "hidden" });
  }
}

interface Played {
  readonly annotationId: Id;
  readonly counted: Counted;
  readonly ring: Ring;
}

async function open(folder: string): Promise<{ session: ReviewSession; server: ReviewServer; page: Page }> {
  const session = await openSession(folder, { order: "input" });
  const files = await readStaticFiles(join(ROOT, "dist"));
  const server = await startServer(session, { port: 0, files, note: () => undefined });
  onTestFinished(() => server.close());
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  onTestFinished(() => page.close());
  return { session, server, page };
}

/** Reviews a whole run. @returns in the order of the input */
async function play(folder: string, subjects: ReadonlyMap<Id, Subject>, maxClicks: number): Promise<Played[]> {
  const { session, server, page } = await open(folder);
  await page.goto(server.address);
  const played: Played[] = [];
  for (const { ordinal } of session.queuePage(-1, 200).rows) {
    await page.waitForFunction(
      (wanted) => document.querySelector<SVGElement>("#canvas")?.dataset["ordinal"] === wanted,
      String(ordinal),
    );
    await page.waitForSelector("#canvas image[href]", { state: "attached" });
    const view = await session.instance(ordinal);
    const counted = await annotateInPage(page, view, { subject: subjects.get(view.annotationId)!, maxClicks });
    const { ring } = await look(page, view);
    played.push({ annotationId: view.annotationId, counted, ring });
    const saved = page.waitForResponse((response) => response.request().method() === "PUT");
    await page.keyboard.press("Enter");
    expect((await saved).status()).toBe(200);
  }
  await server.close();
  await session.close();
  return played;
}

/** Plays through the page, simulates the same, and compares instance by instance. */
async function compare(images: string, boxes: string, maxClicks: number): Promise<string> {
  const folder = newOut();
  await runAnnotate({ images, boxes, out: folder, ...OPTIONS });
  const played = await play(folder, await subjectsOf(images, boxes), maxClicks);
  const journal = (await linesOf(folder)).map(
    (line) => JSON.parse(line) as { type: string; status?: string; rings?: Ring[] },
  );
  const decided = journal
    .filter(({ type, status }) => type === "decision" && status !== "draft")
    .map(({ rings }) => rings![0]);
  expect(decided).toEqual(played.map(({ ring }) => ring));

  const review = await openMeasuredReview(folder, () => undefined);
  const rows: ClickRow[] = [];
  const { report } = await simulateClicks(
    {
      images,
      truth: boxes,
      ...OPTIONS,
      device: "cpu",
      thresholds: [THRESHOLD],
      maxClicks,
      match: "worst",
      rasterizer: "coco",
      groupBy: { kind: "none" },
      categories: [],
      seed: 1,
      resamples: 0,
      review,
    },
    {
      signal: new AbortController().signal,
      note: () => undefined,
      progress: () => undefined,
      failure: () => undefined,
      row: (row) => {
        rows.push(row);
        return Promise.resolve();
      },
    },
  );
  await review.close();
  expect(rows.map(({ annotationId, perThreshold: [row] }) => [annotationId, row!.clicks])).toEqual(
    played.map(({ annotationId, counted }) => [annotationId, counted.clicks]),
  );
  const [simulated, measured] = report.effort;
  const { who, threshold, secondsMedian, ...same } = simulated!;
  expect(measured).toMatchObject(same);
  expect(same).toMatchObject({
    instances: played.length,
    redrawTaken: played.reduce((sum, { counted }) => sum + counted.taken, 0),
    redrawLeft: played.reduce((sum, { counted }) => sum + counted.left, 0),
  });
  expect(measured!.iouAfter).toBeGreaterThan(measured!.iouBefore);
  return [
    ...rows.map(({ annotationId, automaticIou, perThreshold: [row] }, at) => {
      const { taken, left } = played[at]!.counted;
      return `${annotationId}: IoU ${automaticIou.toFixed(3)} to ${row!.iou.toFixed(3)}, ${row!.clicks} clicks, ${taken} taken, ${left} left`;
    }),
    JSON.stringify({ simulated, measured }),
  ].join("\n");
}

test.skipIf(!HAS_CHROMIUM)("the mouse in the page takes the clicks that the simulation says", async () => {
  const boxes = await boxesWith((coco) => {
    coco.annotations = coco.annotations.slice(0, 3);
  });
  await compare(IMAGES, boxes, 3);
});

test.skipIf(!HAS_CHROMIUM)("a move while a draft is being saved is answered by the network as any other", async () => {
  const boxes = await boxesWith((coco) => {
    coco.annotations = coco.annotations.slice(0, 1);
  });
  const { server, page } = await open((await runAnnotate({ boxes, ...OPTIONS })).out);
  await page.clock.install();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let store: () => void = () => undefined;
  const stored = new Promise<void>((resolve) => (store = resolve));
  await page.route("**/api/instances/*", async (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    const response = await route.fetch();
    store();
    await held;
    return route.fulfill({ response });
  });
  await page.goto(server.address);
  await page.waitForSelector("#canvas image[href]", { state: "attached" });
  for (const key of ["g", "Tab", "ArrowRight", "g"]) await page.keyboard.press(key);
  await page.clock.runFor(6000);
  await stored;
  const answered = page.waitForResponse((response) => response.url().endsWith("/redraw"));
  await page.keyboard.press("Shift+ArrowDown");
  await page.clock.runFor(1000);
  release();
  expect((await answered).status()).toBe(200);
});

if (DATA === undefined) console.log("twenty photographs skipped: POLYRNN_REVIEW_DATA names no folder with val.json");
test.skipIf(!HAS_CHROMIUM || DATA === undefined)(
  "the same on twenty instances of photographs",
  async () => {
    const images = join(DATA!, "images");
    const boxes = await boxesWith(
      (coco) => {
        coco.annotations = coco.annotations.filter((_, at) => at % 100 === 0).slice(0, 20);
      },
      join(DATA!, "val.json"),
    );
    console.log(await compare(images, boxes, 10));
  },
  1_800_000,
);
