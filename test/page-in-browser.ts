/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** A page that the program writes, in a real browser (Debian's chromium), on a phone and on a desk, light and dark. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";
import sharp from "sharp";
import { expect } from "vitest";
import { temporaryFolder } from "./helpers/temporary-folder.js";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Without what a browser does on its own: asking for updates, drawing on a graphics card. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });

/** Tests skip, and say why, where this is false. */
export const HAS_CHROMIUM = existsSync(EXECUTABLE);
if (!HAS_CHROMIUM) console.log(`page tests skipped: no Chromium at ${EXECUTABLE} (Debian: apt-get install chromium)`);

export const SCREENS = [
  { width: 360, colorScheme: "light" },
  { width: 360, colorScheme: "dark" },
  { width: 1440, colorScheme: "light" },
  { width: 1440, colorScheme: "dark" },
] as const;

/** The page as a file of its own, and the browser that is to open it. */
export interface PageInBrowser {
  readonly browser: Browser;
  readonly address: string;
  close(): Promise<void>;
}

export async function placeInBrowser(html: string): Promise<PageInBrowser> {
  const folder = temporaryFolder();
  const file = join(folder, "page.html");
  await writeFile(file, html);
  const browser = await launchBrowser();
  return {
    browser,
    address: pathToFileURL(file).href,
    async close() {
      await browser.close();
    },
  };
}

/** A ring of many vertices that is a circle; where each of them lies is easy to say. */
export function circle(center: number, radius: number, vertices = 200): { x: number; y: number }[] {
  return Array.from({ length: vertices }, (_, at) => {
    const angle = (2 * Math.PI * at) / vertices;
    return { x: center + radius * Math.cos(angle), y: center + radius * Math.sin(angle) };
  });
}

/**
 * Share of the points at which a stroke of a color is seen on the screen, within 2 pixels.
 * @param selector of one drawing, scaled to fill its frame
 * @param points   in a frame of that `side`
 * @param color    red, green, blue
 */
export async function strokeSeen(
  { browser, address }: PageInBrowser,
  selector: string,
  { points, side, color }: { points: readonly { x: number; y: number }[]; side: number; color: readonly number[] },
): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 800 }, deviceScaleFactor: 2 });
  await page.goto(address);
  const { data, info } = await sharp(await page.locator(selector).first().screenshot())
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  await page.close();
  const isColor = (x: number, y: number): boolean =>
    color.every((value, channel) => Math.abs(data[(y * info.width + x) * info.channels + channel]! - value) < 40);
  const isSeen = ({ x, y }: { x: number; y: number }): boolean => {
    const column = Math.round((x / side) * info.width);
    const row = Math.round((y / side) * info.height);
    for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) if (isColor(column + dx, row + dy)) return true;
    return false;
  };
  return points.filter(isSeen).length / points.length;
}

/** Of outlines that a network drew, as in page/page.ts. */
export const AUTOMATIC_COLOR = [0xe6, 0x9f, 0x00];

/** @param scrolling selector of what scrolls inside itself; everything else must fit */
export async function expectToFit(
  { browser, address }: PageInBrowser,
  { width, colorScheme }: (typeof SCREENS)[number],
  title: string,
  scrolling: string,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
  const page = await context.newPage();
  const requests: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) requests.push(request.url());
  });
  await page.goto(address);
  expect(requests).toEqual([address]);
  expect(await page.title()).toBe(title);
  expect(await page.locator("script").count()).toBe(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  const tooWide = await page.evaluate(
    (selector) =>
      [...document.querySelectorAll("body *")]
        .filter(
          (element) =>
            element.closest(selector) === null && element.getBoundingClientRect().right > window.innerWidth + 1,
        )
        .map((element) => element.outerHTML.slice(0, 80)),
    scrolling,
  );
  expect(tooWide).toEqual([]);
  await context.close();
}
