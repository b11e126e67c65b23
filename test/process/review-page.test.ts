/// <reference lib="dom" />
/**
 * `polyrnn review` as a person meets it: the built page, a real browser, the journal on the disk. Where the server must
 * die or run out of room it is the built command; elsewhere one server in this process serves one window, and each test
 * works on instances that nobody has touched.
 */
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFile, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { DecisionRequest, InstanceView } from "../../src/review/api.js";
import { HAS_CHROMIUM, launchBrowser } from "../page-in-browser.js";
import { ACTIONS } from "../../src/review/page/actions.js";
import type { ReviewServer } from "../../src/review/server.js";
import { startServer } from "../../src/review/server.js";
import type { ReviewSession } from "../../src/review/session.js";
import { readStaticFiles } from "../../src/review/static-files.js";
import { sealLine, toOutcome, unsealLine } from "../../src/runs/journal.js";
import { accept, linesOf, newRun, openReview } from "../review/reviews.js";

const ROOT = join(import.meta.dirname, "..", "..");
const DESK = { viewport: { width: 1280, height: 800 } };
let browser: Browser;

interface Served {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly address: string;
}

const children: ChildProcess[] = [];

/** The command in a process of its own. */
async function start(folder: string, port = 0): Promise<Served> {
  const child = spawn(
    process.execPath,
    [join(ROOT, "bin", "polyrnn.js"), "review", folder, "--no-open", "--threads", "1", "--port", String(port)],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  children.push(child);
  let text = "";
  for await (const part of child.stderr as AsyncIterable<Buffer>) {
    text += part.toString();
    const address = /open (http:\S+)/.exec(text)?.[1];
    if (address === undefined) continue;
    return { folder, child, address };
  }
  throw new Error(`expected the address of the review, received ${text}`);
}

let own: Served | undefined;

/** A run of its own, served by a process that may be tortured; the next test goes on with it while it lives. */
async function ownProcess(): Promise<Served> {
  if (own === undefined || own.child.exitCode !== null || own.child.signalCode !== null)
    own = await start(await newRun());
  before = (await linesOf(own.folder)).length;
  return own;
}

/** One run, its server in this process, and the window that most tests share. */
interface Shared {
  readonly folder: string;
  readonly session: ReviewSession;
  readonly server: ReviewServer;
  readonly page: Page;
}
let shared: Shared;
/** Lines of the review when the test began. */
let before = 0;

async function newPage(options: Parameters<Browser["newPage"]>[0]): Promise<Page> {
  const page = await browser.newPage(options);
  page.on("pageerror", (error) => {
    throw error;
  });
  return page;
}

/** The page of a review, its picture drawn. Loading it again is cheap: the browser keeps the process that shows it. */
async function show(page: Page, address: string): Promise<Page> {
  if (page.url().startsWith(new URL("/", address).href)) await page.reload();
  else await page.goto(address);
  await page.waitForSelector("#canvas image[href]", { state: "attached" });
  return page;
}

/** What another test has begun is out of the way. @param isEmpty one without an automatic polygon */
async function freshInstance(isEmpty = false): Promise<InstanceView> {
  const { session } = shared;
  for (;;) {
    const { next } = session.session();
    const [row] = session.queuePage(next! - 1, 1).rows;
    const view = await session.instance(row!.ordinal);
    if (view.revision === 0 && isEmpty === (view.rings.length === 0)) return view;
    await session.decide(row!.ordinal, accept(view, { ...view.spent, status: "skipped" }));
  }
}

/** The shared page, or another, on an instance that nobody has touched. */
async function open({ page = shared.page, isEmpty = false } = {}): Promise<Page> {
  await freshInstance(isEmpty);
  before = (await linesOf(shared.folder)).length;
  return show(page, shared.server.address);
}

/** A window of its own, for the time of the test. */
async function newWindow(options: Parameters<Browser["newPage"]>[0] = DESK): Promise<Page> {
  const page = await newPage(options);
  onTestFinished(() => page.close());
  return page;
}

/** Index and place of a vertex that no other one covers. */
async function freeVertex(page: Page): Promise<{ readonly at: number; readonly x: number; readonly y: number }> {
  const found = await page.evaluate(() => {
    for (const [at, handle] of [...document.querySelectorAll(".handle")].entries()) {
      const { left, top, width, height } = handle.getBoundingClientRect();
      const [x, y] = [left + width / 2, top + height / 2];
      if (document.elementFromPoint(x, y)?.closest("[data-vertex]") === handle) return { at, x, y };
    }
    return undefined;
  });
  expect(found).toBeDefined();
  return found!;
}

async function drag(page: Page): Promise<number> {
  const { at, x, y } = await freeVertex(page);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 20, y + 30, { steps: 3 });
  await page.mouse.up();
  return at;
}

/** What the page saved in this test, drafts included. A page keeps them when work rests for a while, too. */
async function saved(folder = shared.folder): Promise<(DecisionRequest & { readonly ordinal: number })[]> {
  const lines = (await linesOf(folder)).map((line) => JSON.parse(line) as DecisionRequest & { type: string });
  return lines.slice(before).filter(({ type }) => type === "decision") as never;
}

/** What was decided in this test. */
async function decisions(folder?: string): ReturnType<typeof saved> {
  return (await saved(folder)).filter(({ status }) => status !== "draft");
}

/** Decides with a key, and waits for the next instance. */
async function decideWith(page: Page, key: string): Promise<void> {
  const before = await page.getAttribute("#canvas", "data-ordinal");
  await page.keyboard.press(key);
  await page.waitForFunction(
    (ordinal) => document.querySelector<SVGElement>("#canvas")?.dataset["ordinal"] !== ordinal,
    before,
  );
  await page.waitForSelector("#canvas image[href]", { state: "attached" });
}

/** The network found too few vertices for the last instance of the run, says its journal. */
async function losePolygon(folder: string): Promise<void> {
  const path = join(folder, "journal.ndjson");
  const last = (await readFile(path, "utf8")).trimEnd().split("\n").at(-1)!;
  const { ordinal, annotationId, imageId } = toOutcome(unsealLine(last)!)!;
  const found = { status: "failed", reason: "too-few-vertices", message: "two vertices" };
  await appendFile(path, `${sealLine({ type: "outcome", ordinal, annotationId, imageId, ...found })}\n`);
}

beforeAll(async () => {
  if (!HAS_CHROMIUM) return;
  browser = await launchBrowser();
  const folder = await newRun();
  await losePolygon(folder);
  const session = await openReview(folder);
  const files = await readStaticFiles(join(ROOT, "dist"));
  const server = await startServer(session, { port: 0, files, note: () => undefined });
  shared = { folder, session, server, page: await newPage(DESK) };
});
afterAll(async () => {
  if (!HAS_CHROMIUM) return;
  await browser.close();
  for (const child of children) child.kill("SIGKILL");
  await shared.server.close();
  await shared.session.close();
});

describe.skipIf(!HAS_CHROMIUM)("a page of review", () => {
  test("where no polygon came out it is drawn by hand, and after the first vertices the network offers the rest", async () => {
    const page = await open({ isEmpty: true });
    const empty = await page.getAttribute("#canvas", "data-ordinal");
    expect(await page.textContent("#facts")).toContain("no score · open · 0 vertices");
    expect(await page.textContent("#status")).toContain("P draws it by hand");
    await page.keyboard.press("p");
    const { x, y, width, height } = (await page.locator("rect.box").boundingBox())!;
    const clickAt = (across: number, down: number): Promise<void> =>
      page.mouse.click(x + across * width, y + down * height);
    await clickAt(0.2, 0.2);
    await clickAt(0.8, 0.2);
    await page.waitForSelector("#proposal:not([hidden])");
    const way = await page.getAttribute(".ghost", "d");
    await page.keyboard.press("Space");
    expect(await page.getAttribute(".outline", "d")).toBe(way);
    // Taken back, the outline is open again and goes on by hand.
    await page.keyboard.press("Control+z");
    expect(await page.locator(".handle").count()).toBe(2);
    await clickAt(0.5, 0.8);
    await page.waitForSelector("#proposal:not([hidden])");
    await page.keyboard.press("r");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent.startsWith("Redrawn"));
    await page.keyboard.press("d");
    await page.waitForFunction(
      (ordinal) => document.querySelector<SVGElement>("#canvas")!.dataset["ordinal"] !== ordinal,
      empty,
    );
    await page.keyboard.press("a");
    await page.waitForFunction(
      (ordinal) => document.querySelector<SVGElement>("#canvas")!.dataset["ordinal"] === ordinal,
      empty,
    );
    expect(await page.textContent("#facts")).toContain("in work, draft saved");
    await decideWith(page, "Enter");
    const decision = (await decisions()).at(-1)!;
    expect(decision).toMatchObject({ status: "edited", pins: [[0, 1, 2]] });
    expect(decision.counts).toMatchObject({ manual: 3, redrawTaken: 1, redrawLeft: 1, redraw: 1, undo: 1 });
    expect(decision.rings![0]!.length).toBeGreaterThan(3);
  });

  test("a dragged vertex is pinned, and Enter puts it on the disk", async () => {
    const page = await open();
    const at = await drag(page);
    // Left and opened again: what it took so far counts on.
    await decideWith(page, "d");
    await decideWith(page, "a");
    await decideWith(page, "Enter");
    const [draft] = await saved();
    const [decision] = await decisions();
    expect(draft).toMatchObject({ status: "draft", pins: [[at]] });
    expect(decision).toMatchObject({ status: "edited", pins: [[at]] });
    expect(decision!.counts).toMatchObject({ move: 1, add: 0, delete: 0 });
    expect(decision!.activeMs).toBeGreaterThanOrEqual(draft!.activeMs);
    expect(await page.textContent("#counts")).toContain(`${shared.session.session().counts.edited} edited`);
    const { count } = shared.session.session().own;
    expect(await page.textContent("#pace")).toMatch(new RegExp(`^you: ${count}, median [\\d.]+ s, about`));
    await page.keyboard.press("f");
    await page.waitForSelector("#figures[open]");
    expect(await page.textContent("#figures tbody tr")).toContain(`you, since the start${count}`);
  });

  test("a click on a vertex and a click on its place do what dragging does", async () => {
    const page = await open();
    const { at, x, y } = await freeVertex(page);
    await page.mouse.click(x, y);
    expect(await page.locator(".handle.picked").count()).toBe(1);
    await page.mouse.click(x + 25, y + 35);
    await decideWith(page, "Enter");
    const [decision] = await decisions();
    expect(decision).toMatchObject({ status: "edited", pins: [[at]] });
    expect(decision!.counts).toMatchObject({ move: 1, add: 0 });
  });

  test("the keyboard alone moves, adds, deletes, takes back, chooses, rejects and skips", async () => {
    const page = await open();
    const size = await page.locator(".handle").count();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-vertex"))).toBe("0");
    await page.keyboard.press("g");
    await page.keyboard.press("Shift+ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("i");
    expect(await page.locator(".handle").count()).toBe(size + 1);
    await page.keyboard.press("Delete");
    expect(await page.locator(".handle").count()).toBe(size);
    await page.keyboard.press("Control+z");
    await page.keyboard.press("Control+Shift+z");
    await page.keyboard.press("2");
    await decideWith(page, "Enter");
    await decideWith(page, "x");
    await decideWith(page, "s");
    const [edited, rejected, skipped] = await decisions();
    expect(edited!.counts).toMatchObject({ move: 1, add: 1, delete: 1, category: 1, undo: 2 });
    expect([edited!.status, rejected!.status, skipped!.status]).toEqual(["edited", "rejected", "skipped"]);
  });

  test("a new box and an outline by hand go with the keyboard alone, and Esc puts back what was there", async () => {
    const page = await open();
    const keys = async (...names: string[]): Promise<void> => {
      for (const name of names) await page.keyboard.press(name);
    };
    const plain = await page.getAttribute(".outline", "d");
    await keys("p", "Space", "Escape");
    expect(await page.getAttribute(".outline", "d")).toBe(plain);
    await keys("b", "Space", ...Array<string>(6).fill("Shift+ArrowRight"), ...Array<string>(5).fill("Shift+ArrowDown"));
    await keys("Space");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent.startsWith("Drawn in the new box"));
    expect(Number(await page.getAttribute("rect.box", "width"))).toBeCloseTo(120, 0);
    await keys("p", "Space", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space");
    expect(await page.locator(".handle").count()).toBe(3);
    await keys("Enter");
    expect(await page.textContent("#status")).toContain("closed");
    await decideWith(page, "Enter");
    const [decision] = await decisions();
    expect(decision).toMatchObject({ status: "edited", pins: [[0, 1, 2]] });
    expect(decision!.counts).toMatchObject({ box: 1, manual: 4 });
  });

  test("fingers drag, tap a vertex and its place, draw, zoom and pan", async () => {
    const page = await open({ page: await newWindow({ viewport: { width: 414, height: 800 }, hasTouch: true }) });
    await page.keyboard.press("g");
    const { at, x, y } = await freeVertex(page);
    await page.touchscreen.tap(x, y);
    expect(await page.locator(".handle.picked").count()).toBe(1);
    await page.touchscreen.tap(x + 15, y + 20);
    expect(await page.getAttribute(`[data-vertex="${at}"]`, "class")).toContain("pinned");
    const client = await page.context().newCDPSession(page);
    const touch = (type: string, ...fingers: [number, number][]): Promise<unknown> =>
      client.send(
        "Input.dispatchTouchEvent" as never,
        {
          type,
          touchPoints: fingers.map(([px, py], id) => ({ x: px, y: py, id })),
        } as never,
      );
    const dragged = await freeVertex(page);
    await touch("touchStart", [dragged.x, dragged.y]);
    await touch("touchMove", [dragged.x + 12, dragged.y + 12]);
    await touch("touchEnd");
    const widthOf = async (): Promise<number> => Number(await page.getAttribute("image.picture", "width"));
    const before = await widthOf();
    await touch("touchStart", [180, 200]);
    await touch("touchStart", [180, 200], [220, 200]);
    await touch("touchMove", [160, 200], [240, 200]);
    await touch("touchEnd");
    expect((await widthOf()) / before).toBeCloseTo(2, 1);
    // The button lies below; the picture comes back into sight by itself.
    await page.tap('[data-action="manual"]');
    for (const [px, py] of [
      [120, 160],
      [220, 170],
      [180, 260],
    ] as const)
      await page.touchscreen.tap(px, py);
    await page.tap('[data-action="accept"]');
    await page.tap('[data-action="accept"]');
    await page.waitForFunction(
      (edited) => document.querySelector("#counts")?.textContent.includes(`${edited} edited`),
      shared.session.session().counts.edited + 1,
    );
    const [decision] = await decisions();
    expect(decision!.rings![0]).toHaveLength(3);
    expect(decision!.counts).toMatchObject({ move: 2, manual: 3, add: 0 });
  });

  test("a click on an edge adds a vertex, Alt and a click delete it", async () => {
    const page = await open();
    const size = await page.locator(".handle").count();
    const place = await page.evaluate(() => {
      const path = document.querySelector<SVGPathElement>(".outline")!;
      const { left, top } = document.querySelector("#canvas")!.getBoundingClientRect();
      for (let share = 0; share < 1; share += 0.01) {
        const { x, y } = path.getPointAtLength(share * path.getTotalLength());
        if (document.elementFromPoint(left + x, top + y)?.closest("[data-vertex]") === null)
          return { x: left + x, y: top + y };
      }
      return undefined;
    });
    await page.mouse.click(place!.x, place!.y);
    expect(await page.locator(".handle").count()).toBe(size + 1);
    const { x, y } = await freeVertex(page);
    await page.keyboard.down("Alt");
    await page.mouse.click(x, y);
    await page.keyboard.up("Alt");
    expect(await page.locator(".handle").count()).toBe(size);
  });

  test("the plain move stands beside the network's way until Space takes it", async () => {
    const page = await open();
    await drag(page);
    await page.waitForSelector("#proposal:not([hidden])");
    const plain = await page.getAttribute(".outline", "d");
    const way = await page.getAttribute(".ghost", "d");
    expect(way).not.toBe(plain);
    expect(await page.textContent("#proposal-scores")).toMatch(/0\.\d\d → 0\.\d\d/);
    await page.keyboard.press("Space");
    expect(await page.getAttribute(".outline", "d")).toBe(way);
    await page.keyboard.press("Control+z");
    expect(await page.getAttribute(".outline", "d")).toBe(plain);
    // A network without a mask map proposes without a score.
    onTestFinished(() => page.unroute("**/redraw"));
    await page.route("**/redraw", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ json: { ...((await answer.json()) as object), score: null, scoreBefore: null } });
    });
    await drag(page);
    await page.waitForSelector("#proposal:not([hidden])");
    expect(await page.textContent("#proposal-scores")).toBe("The network's way");
    await decideWith(page, "Enter");
    const [decision] = await decisions();
    expect(decision!.counts).toMatchObject({ move: 2, redrawTaken: 1, redrawLeft: 1, undo: 1 });
  });

  test.skipIf(spawnSync("prlimit", ["--version"]).status !== 0)(
    "on a full disk a decision is refused and kept in the page, and goes through when there is room",
    async () => {
      const { folder, child, address } = await ownProcess();
      const limitTo = (size: number | "unlimited"): unknown =>
        spawnSync("prlimit", ["--pid", String(child.pid), `--fsize=${size}:unlimited`]);
      limitTo((await stat(join(folder, "review.ndjson"))).size + 100);
      const page = await show(shared.page, address);
      await drag(page);
      const outline = await page.getAttribute(".outline", "d");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#banner:not([hidden])");
      expect(await page.textContent("#banner")).toContain("Make room");
      expect(await page.getAttribute(".outline", "d")).toBe(outline);
      expect(await linesOf(folder)).toHaveLength(before);
      limitTo("unlimited");
      await decideWith(page, "Enter");
      expect((await decisions(folder)).map(({ status }) => status)).toEqual(["edited"]);
    },
  );

  test("edits outlive a killed server, and a decision is taken back after the restart", async () => {
    const { folder, child, address } = await ownProcess();
    const page = await show(shared.page, address);
    await page.keyboard.press("g");
    await decideWith(page, "Enter");
    const counts = await page.textContent("#counts");
    await drag(page);
    const outline = await page.getAttribute(".outline", "d");
    child.kill("SIGKILL");
    await once(child, "exit");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#banner:not([hidden])");
    expect(await page.textContent("#banner")).toContain("Your edits are kept");
    const again = await start(folder, Number(new URL(address).port));
    await page.goto(again.address);
    await page.waitForSelector("#banner", { state: "hidden" });
    expect(await page.getAttribute(".outline", "d")).toBe(outline);
    await decideWith(page, "Enter");
    expect((await decisions(folder)).map(({ status }) => status)).toEqual(["accepted", "edited"]);
    await page.keyboard.press("Control+z");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent.includes("taken back"));
    expect(await page.textContent("#counts")).toBe(counts);
  });

  test("of two windows the slower one is shown what is in force, and keeps its edits", async () => {
    const one = await open();
    const other = await show(await newWindow(), shared.server.address);
    await drag(other);
    await decideWith(one, "x");
    await other.keyboard.press("Enter");
    await other.waitForSelector("#banner:not([hidden])");
    expect(await other.textContent("#banner")).toContain("now rejected");
    expect(await decisions()).toHaveLength(1);
    expect(await other.getAttribute(".theirs", "d")).not.toBe("");
    await other.click("text=Go on with mine");
    expect(await other.getAttribute(".theirs", "d")).not.toBe("");
    await decideWith(other, "Enter");
    expect((await decisions()).at(-1)).toMatchObject({ status: "edited" });
  });

  test("on a slow network the polygon can be worked on before the picture is there", async () => {
    await freshInstance();
    const page = await newWindow();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route("**/picture?*", async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(shared.server.address);
    await page.waitForSelector(".handle");
    await drag(page);
    expect(await page.textContent("#facts")).toContain("changed");
    expect(await page.locator("#canvas image[href]").count()).toBe(0);
    release();
    await page.waitForSelector("#canvas image[href]", { state: "attached" });
  });

  test.each([
    { width: 360, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
  ] as const)(
    "at $width px, $colorScheme: nothing beside the screen, and axe finds nothing",
    async ({ width, colorScheme }) => {
      const page = await open();
      await page.setViewportSize({ width, height: 740 });
      await page.emulateMedia({ colorScheme });
      await drag(page);
      await page.waitForSelector("#proposal:not([hidden])");
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      const buttons = await page.$$eval("aside button", (all) => all.map((button) => button.dataset["action"]));
      expect(buttons).toEqual(ACTIONS.filter(({ place }) => place !== "elsewhere").map(({ name }) => name));
      const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
      const look = (): Promise<unknown> =>
        page.evaluate(`(() => { ${source}; return axe.run().then(({ violations }) =>
        violations.map(({ id, nodes }) => id + " " + nodes.map(({ target }) => target.join(" ")).join(", "))); })()`);
      expect(await look()).toEqual([]);
      await page.keyboard.press("f");
      await page.waitForSelector("#figures[open]");
      expect(await look()).toEqual([]);
    },
  );
});
