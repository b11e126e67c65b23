/// <reference lib="dom" />
/**
 * `polyrnn review` as a person meets it: the built page, a real browser, the journal on the disk. Where the server must
 * die or run out of room it is the built command; elsewhere it runs in this process, which costs less.
 */
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { DecisionRequest } from "../../src/review/api.js";
import { HAS_CHROMIUM } from "../page-in-browser.js";
import { ACTIONS } from "../../src/review/page/actions.js";
import type { StaticFiles } from "../../src/review/static-files.js";
import { readStaticFiles } from "../../src/review/static-files.js";
import { linesOf, newRun, openServer, openSession } from "../review/reviews.js";

const ROOT = join(import.meta.dirname, "..", "..");
const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
let browser: Browser;

interface Served {
  readonly child: ChildProcess;
  readonly address: string;
}

/** The command in a process of its own. */
async function start(folder: string, port = 0): Promise<Served> {
  const child = spawn(
    process.execPath,
    [join(ROOT, "bin", "polyrnn.js"), "review", folder, "--no-open", "--threads", "1", "--port", String(port)],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let text = "";
  for await (const part of child.stderr as AsyncIterable<Buffer>) {
    text += part.toString();
    const address = /open (http:\S+)/.exec(text)?.[1];
    if (address === undefined) continue;
    return { child, address };
  }
  throw new Error(`expected the address of the review, received ${text}`);
}

let built: Promise<StaticFiles> | undefined;

/** @returns the address of a review in this process */
async function serve(folder: string): Promise<string> {
  built ??= readStaticFiles(join(ROOT, "dist"));
  return (await openServer(await openSession(folder), await built)).address;
}

async function open(address: string, options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  onTestFinished(() => page.close());
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(address);
  await page.waitForSelector("#canvas image[href]", { state: "attached" });
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

async function decisions(folder: string): Promise<(DecisionRequest & { readonly ordinal: number })[]> {
  const lines = (await linesOf(folder)).map((line) => JSON.parse(line) as DecisionRequest & { type: string });
  return lines.filter(({ type }) => type === "decision") as never;
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

beforeAll(async () => {
  if (HAS_CHROMIUM)
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: ["--no-sandbox", "--disable-gpu"] });
});
afterAll(async () => {
  if (HAS_CHROMIUM) await browser.close();
});

describe.skipIf(!HAS_CHROMIUM)("a page of review", () => {
  test("a dragged vertex is pinned, and Enter puts it on the disk", async () => {
    const folder = await newRun();
    const page = await open(await serve(folder));
    const at = await drag(page);
    // Left and opened again: what it took so far counts on.
    await decideWith(page, "d");
    await decideWith(page, "a");
    await decideWith(page, "Enter");
    const [draft, decision] = await decisions(folder);
    expect(draft).toMatchObject({ status: "draft", pins: [[at]] });
    expect(decision).toMatchObject({ status: "edited", pins: [[at]] });
    expect(decision!.counts).toMatchObject({ move: 1, add: 0, delete: 0 });
    expect(decision!.activeMs).toBeGreaterThanOrEqual(draft!.activeMs);
    expect(await page.textContent("#counts")).toContain("1 edited");
    expect(await page.textContent("#pace")).toMatch(/^you: 1, [\d.]+ s each, about/);
    await page.keyboard.press("f");
    await page.waitForSelector("#figures[open]");
    expect(await page.textContent("#figures tbody tr")).toMatch(/^you, since the start1/);
  });

  test("a click on a vertex and a click on its place do what dragging does", async () => {
    const folder = await newRun();
    const page = await open(await serve(folder));
    const { at, x, y } = await freeVertex(page);
    await page.mouse.click(x, y);
    expect(await page.locator(".handle.picked").count()).toBe(1);
    await page.mouse.click(x + 25, y + 35);
    await decideWith(page, "Enter");
    const [decision] = await decisions(folder);
    expect(decision).toMatchObject({ status: "edited", pins: [[at]] });
    expect(decision!.counts).toMatchObject({ move: 1, add: 0 });
  });

  test("the keyboard alone moves, adds, deletes, takes back, chooses, rejects and skips", async () => {
    const folder = await newRun();
    const page = await open(await serve(folder));
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
    const [edited, rejected, skipped] = await decisions(folder);
    expect(edited!.counts).toMatchObject({ move: 1, add: 1, delete: 1, category: 1, undo: 2 });
    expect([edited!.status, rejected!.status, skipped!.status]).toEqual(["edited", "rejected", "skipped"]);
  });

  test("a new box and an outline by hand go with the keyboard alone, and Esc puts back what was there", async () => {
    const folder = await newRun();
    const page = await open(await serve(folder));
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
    const [decision] = (await decisions(folder)).filter(({ status }) => status !== "draft");
    expect(decision).toMatchObject({ status: "edited", pins: [[0, 1, 2]] });
    expect(decision!.counts).toMatchObject({ box: 1, manual: 4 });
  });

  test("fingers drag, tap a vertex and its place, draw, zoom and pan", async () => {
    const folder = await newRun();
    const page = await open(await serve(folder), { viewport: { width: 414, height: 800 }, hasTouch: true });
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
    await page.waitForFunction(() => document.querySelector("#counts")?.textContent.includes("1 edited"));
    const [decision] = (await decisions(folder)).filter(({ status }) => status !== "draft");
    expect(decision!.rings[0]).toHaveLength(3);
    expect(decision!.counts).toMatchObject({ move: 2, manual: 3, add: 0 });
  });

  test("a click on an edge adds a vertex, Alt and a click delete it", async () => {
    const page = await open(await serve(await newRun()));
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
    const folder = await newRun();
    const page = await open(await serve(folder));
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
    await page.route("**/redraw", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ json: { ...((await answer.json()) as object), score: null, scoreBefore: null } });
    });
    await drag(page);
    await page.waitForSelector("#proposal:not([hidden])");
    expect(await page.textContent("#proposal-scores")).toBe("The network's way");
    await decideWith(page, "Enter");
    const [decision] = await decisions(folder);
    expect(decision!.counts).toMatchObject({ move: 2, redrawTaken: 1, redrawLeft: 1, undo: 1 });
  });

  test("edits outlive a killed server, and a decision is taken back after the restart", async () => {
    const folder = await newRun();
    const { child, address } = await start(folder);
    const page = await open(address);
    await page.keyboard.press("g");
    await decideWith(page, "Enter");
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
    expect((await decisions(folder)).map(({ status }) => status).filter((status) => status !== "draft")).toEqual([
      "accepted",
      "edited",
    ]);
    await page.keyboard.press("Control+z");
    await page.waitForFunction(() => document.querySelector("#status")?.textContent.includes("taken back"));
    expect(await page.textContent("#counts")).toContain("1 accepted · 0 edited");
  });

  test.skipIf(spawnSync("prlimit", ["--version"]).status !== 0)(
    "on a full disk a decision is refused and kept in the page, and goes through when there is room",
    async () => {
      const folder = await newRun();
      const { child, address } = await start(folder);
      const limitTo = (size: number | "unlimited"): unknown =>
        spawnSync("prlimit", ["--pid", String(child.pid), `--fsize=${size}:unlimited`]);
      limitTo((await stat(join(folder, "review.ndjson"))).size + 100);
      const page = await open(address);
      await drag(page);
      const outline = await page.getAttribute(".outline", "d");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#banner:not([hidden])");
      expect(await page.textContent("#banner")).toContain("Make room");
      expect(await page.getAttribute(".outline", "d")).toBe(outline);
      expect(await linesOf(folder)).toHaveLength(2);
      limitTo("unlimited");
      await decideWith(page, "Enter");
      expect((await decisions(folder)).map(({ status }) => status)).toEqual(["edited"]);
    },
  );

  test("of two windows the slower one is shown what is in force, and keeps its edits", async () => {
    const folder = await newRun();
    const address = await serve(folder);
    const [one, other] = [await open(address), await open(address)];
    await drag(other);
    await decideWith(one, "x");
    await other.keyboard.press("Enter");
    await other.waitForSelector("#banner:not([hidden])");
    expect(await other.textContent("#banner")).toContain("now rejected");
    expect(await decisions(folder)).toHaveLength(1);
    expect(await other.getAttribute(".theirs", "d")).not.toBe("");
    await other.click("text=Go on with mine");
    expect(await other.getAttribute(".theirs", "d")).not.toBe("");
    await decideWith(other, "Enter");
    expect((await decisions(folder)).at(-1)).toMatchObject({ status: "edited" });
  });

  test("on a slow network the polygon can be worked on before the picture is there", async () => {
    const address = await serve(await newRun());
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    onTestFinished(() => page.close());
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route("**/picture?*", async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(address);
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
      const address = await serve(await newRun());
      const page = await open(address, { viewport: { width, height: 740 }, colorScheme });
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
